// Tcpcli10 resets its connection at the end: with SO_LINGER and a time of 0, the close, which
// happens when tcpcli10 exits, sends an RST instead of a FIN.
//
// Section 5.11; lecture notes: Conn Abort before accept Returns.
package main

import (
	"os"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

func main() {
	var sockfd int
	var ling unix.Linger
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

	ling.Onoff = 1
	ling.Linger = 0
	unp.Setsockopt(sockfd, unix.SOL_SOCKET, unix.SO_LINGER, &ling)

	os.Exit(0)
}
