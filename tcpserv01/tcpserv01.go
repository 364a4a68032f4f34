// Tcpserv01 is a TCP echo server that forks a child for each client; its children
// become zombies when they end.
//
// Figure 5.2; lecture notes: TCP Echo Server.
package main

import (
	"os"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
)

func main() {
	var listenfd, connfd int
	var childpid int
	var clilen unp.Socklen
	var cliaddr, servaddr unp.SockaddrIn

	listenfd = unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)

	servaddr = unp.SockaddrIn{}
	servaddr.Family = unix.AF_INET
	servaddr.Addr = unp.Htonl(unp.INADDR_ANY)
	servaddr.Port = unp.Htons(unp.SERV_PORT)

	unp.Bind(listenfd, &servaddr, unp.SizeofSockaddrIn)

	unp.Listen(listenfd, unp.LISTENQ)

	for {
		clilen = unp.SizeofSockaddrIn
		connfd = unp.Accept(listenfd, &cliaddr, &clilen)

		if childpid = unp.Fork(); childpid == 0 { // child process
			unp.Close(listenfd) // close listening socket
			unp.StrEcho(connfd) // process the request
			os.Exit(0)
		}
		unp.Close(connfd) // parent closes connected socket
	}
}
