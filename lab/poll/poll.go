// Poll is tcpcli01 with a str_cli that waits for its input and for the socket at the same
// time, so it notices immediately when the server ends.
//
// Sections 5.12 and 5.16.
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

	strCli(unix.Stdin, sockfd) // do it all

	os.Exit(0)
}
