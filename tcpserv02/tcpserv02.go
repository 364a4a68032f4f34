// Tcpserv02 handles SIGCHLD, and ends when that signal interrupts accept.
//
// Section 5.9, with the handler of Figure 5.7; lecture notes: Handling SIGCHLD Signals.
package main

import (
	"os"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

func main() {
	var listenfd, connfd int
	var childpid int
	var clilen sys.Socklen
	var cliaddr, servaddr sys.SockaddrIn

	listenfd = unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)

	servaddr = sys.SockaddrIn{}
	servaddr.Family = unix.AF_INET
	servaddr.Addr = sys.Htonl(sys.INADDR_ANY)
	servaddr.Port = sys.Htons(unp.SERV_PORT)

	unp.Bind(listenfd, &servaddr, sys.Sizeof(servaddr))

	unp.Listen(listenfd, unp.LISTENQ)

	unp.SignalIntr(unix.SIGCHLD, sigChld) // the book has Signal, which restarts accept on Linux

	for {
		clilen = sys.Sizeof(cliaddr)
		connfd = unp.Accept(listenfd, &cliaddr, &clilen)

		if childpid = unp.Fork(); childpid == 0 { // child process
			unp.Close(listenfd) // close listening socket
			unp.StrEcho(connfd) // process the request
			os.Exit(0)
		}
		unp.Close(connfd) // parent closes connected socket
	}
}
