// Tcpcli01 is a TCP echo client: it sends each line of standard input to the
// server and prints what comes back.
//
// Figure 5.4; lecture notes: TCP Echo Client.
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

	unp.StrCli(unp.Stdin, sockfd) // do it all

	os.Exit(0)
}
