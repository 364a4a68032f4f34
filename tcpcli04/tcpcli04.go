// Tcpcli04 makes five connections and uses only the first; when it ends, five children of the
// server end at about the same time.
//
// Figure 5.9; lecture notes: wait and waitpid Functions.
package main

import (
	"os"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

func main() {
	var i int
	var sockfd [5]int
	var servaddr sys.SockaddrIn

	if len(os.Args) != 2 {
		unp.ErrQuit("usage: tcpcli <IPaddress>")
	}

	for i = 0; i < 5; i++ {
		sockfd[i] = unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)

		servaddr = sys.SockaddrIn{}
		servaddr.Family = unix.AF_INET
		servaddr.Port = sys.Htons(unp.SERV_PORT)
		unp.InetPton(unix.AF_INET, os.Args[1], &servaddr.Addr)

		unp.Connect(sockfd[i], &servaddr, sys.Sizeof(servaddr))
	}

	unp.StrCli(unp.Stdin, sockfd[0]) // do it all

	os.Exit(0)
}
