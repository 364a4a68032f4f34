// Tcpcli11 writes each line in two parts: if the server's process has ended, the second part
// goes to a socket that has been reset.
//
// Section 5.13, with the function of Figure 5.14; lecture notes: SIGPIPE Signal.
package main

import (
	"os"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

func main() {
	var sockfd int
	var servaddr sys.SockaddrIn

	if len(os.Args) != 2 {
		unp.ErrQuit("usage: tcpcli <IPaddress>")
	}

	sockfd = unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)

	servaddr = sys.SockaddrIn{}
	servaddr.Family = unix.AF_INET
	servaddr.Port = sys.Htons(unp.SERV_PORT)
	unp.InetPton(unix.AF_INET, os.Args[1], &servaddr.Addr)

	unp.Connect(sockfd, &servaddr, sys.Sizeof(servaddr))

	strCli(unp.Stdin, sockfd) // do it all

	os.Exit(0)
}
