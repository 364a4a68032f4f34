// Tcpserv04 is the final version of the TCP echo server: it handles EINTR from
// accept and leaves no zombies.
//
// Figure 5.12, with the handler of Figure 5.11; lecture notes: wait and waitpid Functions.
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
	var err error // errno

	listenfd = unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)

	servaddr = unp.SockaddrIn{}
	servaddr.Family = unix.AF_INET
	servaddr.Addr = unp.Htonl(unp.INADDR_ANY)
	servaddr.Port = unp.Htons(unp.SERV_PORT)

	unp.Bind(listenfd, &servaddr, unp.SizeofSockaddrIn)

	unp.Listen(listenfd, unp.LISTENQ)

	unp.Signal(unix.SIGCHLD, sigChld) // must call waitpid()

	for {
		clilen = unp.SizeofSockaddrIn
		if connfd, err = unp.SysAccept(listenfd, &cliaddr, &clilen); connfd < 0 {
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
