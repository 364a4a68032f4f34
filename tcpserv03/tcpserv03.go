// Tcpserv03 is the TCP echo server that calls accept again if a signal makes it fail;
// children that end together may leave zombies.
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
	var err error // errno

	listenfd = unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)

	servaddr = sys.SockaddrIn{}
	servaddr.Family = unix.AF_INET
	servaddr.Addr = sys.Htonl(sys.INADDR_ANY)
	servaddr.Port = sys.Htons(unp.SERV_PORT)

	unp.Bind(listenfd, &servaddr, sys.Sizeof(servaddr))

	unp.Listen(listenfd, unp.LISTENQ)

	unp.Signal(unix.SIGCHLD, sigChld)

	for {
		clilen = sys.Sizeof(cliaddr)
		if connfd, err = sys.Accept(listenfd, &cliaddr, &clilen); connfd < 0 {
			if err == unix.EINTR {
				continue // back to for()
			} else {
				unp.ErrSys(err, "accept error")
			}
		}

		if childpid = unp.Fork(); childpid == 0 { // child process
			unp.Close(listenfd) // close listening socket
			unp.StrEcho(connfd) // process the request
			os.Exit(0)
		}
		unp.Close(connfd) // parent closes connected socket
	}
}
