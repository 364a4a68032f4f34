package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// Servers of other kinds, as a C programmer writes them.

var _ = register("CGI", prints{
	Clients: []client{{"4 body", "REQUEST=4 \nbody"}, {"0 ", "REQUEST=0 \n"}, {"7 another", "REQUEST=7 \nanother"}},
	Status:  terminated,
}, func() { // the request is read in the parent; the program that answers has the connection as 0 and 1
	request := make([]byte, 2)
	listenfd := listen(unp.SERV_PORT)
	for {
		connfd := accept(listenfd)
		unp.Readn(connfd, request)
		if unp.Fork() == 0 {
			unp.Close(listenfd)
			sys.Dup2(connfd, 0)
			sys.Dup2(connfd, 1)
			unp.Close(connfd)
			err := sys.Exec("/bin/sh", []string{"sh", "-c", `echo "REQUEST=$REQUEST"; exec cat`}, []string{"REQUEST=" + string(request), "PATH=" + os.Getenv("PATH")})
			unp.ErrSys(err, "exec error")
		}
		unp.Close(connfd)
	}
})

var _ = register("chat over pipes", prints{Stdin: "one\ntwo\n", Stdout: "child 0 of 3: one\nchild 1 of 3: one\nchild 2 of 3: one\nchild 0 of 3: two\nchild 1 of 3: two\nchild 2 of 3: two\n"}, func() {
	// pipes to and from each child, made before Fork
	var to, from [3][2]int
	var line []byte
	for i := range 3 {
		sys.Pipe(to[i][:])
		sys.Pipe(from[i][:])
	}
	for i := range 3 {
		if unp.Fork() == 0 {
			for k := range 3 {
				unp.Close(to[k][1])
				unp.Close(from[k][0])
			}
			for unp.Readline(to[i][0], &line, unp.MAXLINE) > 0 {
				unp.Writen(from[i][1], fmt.Appendf(nil, "child %d of 3: %s", i, line))
			}
			os.Exit(0)
		}
	}
	for unp.Fgets(&line, unp.MAXLINE, unp.Stdin) != nil {
		for i := range 3 {
			unp.Writen(to[i][1], line)
			var answer []byte
			unp.Readline(from[i][0], &answer, unp.MAXLINE)
			unp.Fputs(answer, os.Stdout)
		}
	}
	for i := range 3 {
		unp.Close(to[i][1])
	}
	for range 3 {
		sys.Wait(nil)
	}
})

var _ = register("FTP", prints{Test: "TestFTP"}, func() { // a child for each session, and in it one for each file
	var line []byte
	listenfd := listen(unp.SERV_PORT)
	for {
		connfd := accept(listenfd)
		if unp.Fork() == 0 {
			unp.Close(listenfd)
			user, passive := "nobody", -1
			for unp.Readline(connfd, &line, unp.MAXLINE) > 0 {
				command, argument, _ := strings.Cut(string(bytes.TrimSpace(line)), " ")
				switch command {
				case "USER":
					user = argument
					unp.Writen(connfd, []byte("230\n"))
				case "PASV":
					var sa sys.SockaddrIn
					passive = unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
					sa.Family = unix.AF_INET
					sa.Addr = sys.Htonl(0x7f000001)
					unp.Bind(passive, &sa, sys.Sizeof(sa))
					unp.Listen(passive, 1)
					salen := sys.Sizeof(sa)
					sys.Getsockname(passive, &sa, &salen)
					unp.Writen(connfd, fmt.Appendf(nil, "227 %d\n", sys.Ntohs(sa.Port)))
				case "CWD":
					if err := sys.Chdir(argument); err != nil {
						unp.ErrSys(err, "chdir error")
					}
					unp.Writen(connfd, []byte("250\n"))
				case "RETR":
					data := accept(passive)
					unp.Close(passive)
					if unp.Fork() == 0 {
						buf := make([]byte, unp.MAXLINE)
						fd, err := sys.Open(argument, unix.O_RDONLY, 0)
						if err != nil {
							unp.ErrSys(err, "open error")
						}
						unp.Writen(data, fmt.Appendf(nil, "%s gets ", user))
						for n, _ := sys.Read(fd, buf); n > 0; n, _ = sys.Read(fd, buf) {
							unp.Writen(data, buf[:n])
						}
						os.Exit(0)
					}
					unp.Close(data)
					sys.Wait(nil)
					unp.Writen(connfd, []byte("226\n"))
				case "QUIT":
					os.Exit(0)
				}
			}
			os.Exit(0)
		}
		unp.Close(connfd)
	}
})

var _ = register("UDP", prints{
	Network: "udp",
	Clients: []client{{"one", "one from true"}, {"two", "two from true"}, {"three", "three from true"}},
	Status:  terminated,
}, func() { // a child for each datagram
	var servaddr, cliaddr sys.SockaddrIn
	buf := make([]byte, unp.MAXLINE)
	sockfd := unp.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	servaddr.Family = unix.AF_INET
	servaddr.Addr = sys.Htonl(sys.INADDR_ANY)
	servaddr.Port = sys.Htons(unp.SERV_PORT)
	unp.Bind(sockfd, &servaddr, sys.Sizeof(servaddr))
	for {
		clilen := sys.Sizeof(cliaddr)
		n, err := sys.Recvfrom(sockfd, buf, 0, &cliaddr, &clilen)
		if err != nil {
			unp.ErrSys(err, "recvfrom error")
		}
		if unp.Fork() == 0 {
			answer := fmt.Appendf(buf[:n], " from %v", cliaddr.Addr == sys.Htonl(0x7f000001) && clilen == 16)
			sys.Sendto(sockfd, answer, 0, &cliaddr, clilen)
			os.Exit(0)
		}
		sys.Wait(nil)
	}
})

var _ = register("IPv6", prints{
	Network: "tcp6",
	Clients: []client{{"hello\n", "hello\n"}, {"again\n", "again\n"}},
	Status:  terminated,
}, func() { // tcpserv01, with five changed lines
	var listenfd, connfd int
	var childpid int
	var clilen sys.Socklen
	var cliaddr, servaddr sys.SockaddrIn6 // changed

	listenfd = unp.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0) // changed

	servaddr.Family = unix.AF_INET6 // changed
	servaddr.Addr[15] = 1           // changed: ::1
	servaddr.Port = sys.Htons(unp.SERV_PORT)

	unp.Bind(listenfd, &servaddr, sys.Sizeof(servaddr))

	unp.Listen(listenfd, unp.LISTENQ)

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
})

var _ = register("Unix domain", prints{
	Network: "unix",
	Clients: []client{{"hello\n", "hello\n"}, {"again\n", "again\n"}},
	Status:  terminated,
}, func() { // tcpserv01, likewise
	var listenfd, connfd int
	var childpid int
	var clilen sys.Socklen
	var cliaddr, servaddr sys.SockaddrUn // changed

	listenfd = unp.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0) // changed

	servaddr.Family = unix.AF_UNIX       // changed
	copy(servaddr.Path[:], "socket\x00") // changed

	unp.Bind(listenfd, &servaddr, sys.Sizeof(servaddr))

	unp.Listen(listenfd, unp.LISTENQ)

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
})

var _ = register("peer's address", prints{
	Network: "tcp6",
	Clients: []client{{"", "28 28 true true\n"}, {"", "28 28 true true\n"}},
	Status:  terminated,
}, func() { // as accept, getpeername and getsockname know it, asked before Fork
	servaddr := sys.SockaddrIn6{Family: unix.AF_INET6, Port: sys.Htons(unp.SERV_PORT), Addr: [16]byte{15: 1}}
	listenfd := unp.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
	unp.Bind(listenfd, &servaddr, sys.Sizeof(servaddr))
	unp.Listen(listenfd, unp.LISTENQ)
	for {
		var cliaddr, peer, own sys.SockaddrIn6
		clilen, peerlen, ownlen := sys.Sizeof(cliaddr), sys.Sizeof(peer), sys.Sizeof(own)
		connfd := unp.Accept(listenfd, &cliaddr, &clilen)
		sys.Getpeername(connfd, &peer, &peerlen)
		sys.Getsockname(connfd, &own, &ownlen)
		if unp.Fork() == 0 {
			say(connfd, peerlen, ownlen, peer == cliaddr && peer.Addr[15] == 1 && peer.Port != 0, own == servaddr)
		}
		unp.Close(connfd)
	}
})

var _ = register("peer", prints{Clients: []client{{"", "4 [127 0 0 1] true 16\n"}}}, func() { // the peer's address comes along
	listenfd, cliaddr, clilen := listen(unp.SERV_PORT), sys.SockaddrIn{}, sys.Socklen(28)
	connfd := unp.Accept(listenfd, &cliaddr, &clilen)
	if unp.Fork() == 0 {
		var peer sys.SockaddrIn
		peerlen := sys.Sizeof(peer)
		sys.Getpeername(connfd, &peer, &peerlen)
		say(connfd, connfd, cliaddr.Addr, cliaddr.Port == peer.Port, clilen)
	}
	wait()
})

var _ = register("echo before", prints{Clients: []client{{"hello\n", "hello\n"}, {"again\n", "again\n"}}}, func() { // one client, then a child for the next
	listenfd := listen(unp.SERV_PORT)
	connfd := unp.Accept(listenfd, nil, nil)
	unp.StrEcho(connfd)
	unp.Close(connfd)
	connfd = unp.Accept(listenfd, nil, nil)
	if unp.Fork() == 0 {
		unp.StrEcho(connfd)
		os.Exit(0)
	}
	unp.Close(connfd)
	wait()
})

var _ = register("leak", prints{Test: "TestLeak"}, func() { // without Close(connfd)
	listenfd := listen(unp.SERV_PORT)
	for {
		connfd := accept(listenfd)
		if unp.Fork() == 0 {
			unp.Close(listenfd)
			unp.StrEcho(connfd)
			os.Exit(0)
		}
	}
})

var _ = register("unix.Close(connfd)", prints{Test: "TestPathOfServer"}, func() {
	listenfd := listen(unp.SERV_PORT)
	for {
		connfd := accept(listenfd)
		if unp.Fork() == 0 {
			unp.StrEcho(connfd)
			os.Exit(0)
		}
		unix.Close(connfd)
	}
})

var _ = register("two accepts", prints{Test: "TestPairsOfClients"}, func() { // a pair of clients for each child
	listenfd := listen(unp.SERV_PORT)
	for {
		one := accept(listenfd)
		two := accept(listenfd)
		if unp.Fork() == 0 {
			unp.Writen(one, fmt.Appendf(nil, "first, at %d\n", one))
			unp.Writen(two, fmt.Appendf(nil, "second, at %d\n", two))
			os.Exit(0)
		}
		unp.Close(one)
		unp.Close(two)
	}
})

var _ = register("one line", prints{Test: "TestPairsOfClients"}, func() { // for two accepts
	listenfd := listen(unp.SERV_PORT)
	for {
		one, two := accept(listenfd), accept(listenfd)
		if unp.Fork() == 0 {
			unp.Writen(one, fmt.Appendf(nil, "first, at %d\n", one))
			unp.Writen(two, fmt.Appendf(nil, "second, at %d\n", two))
			os.Exit(0)
		}
		unp.Close(one)
		unp.Close(two)
	}
})

var _ = register("three accepts", prints{Test: "TestThreeAtOnce"}, func() { // in a loop, and then a child for all of them
	listenfd := listen(unp.SERV_PORT)
	var connfds []int
	for range 3 {
		connfds = append(connfds, accept(listenfd))
	}
	if unp.Fork() == 0 {
		for _, connfd := range connfds {
			unp.Writen(connfd, fmt.Appendln(nil, connfds))
		}
		os.Exit(0)
	}
	wait()
})

var _ = register("late Close", prints{Test: "TestPathOfServer"}, func() { // of each connection when the next has come
	listenfd, before := listen(unp.SERV_PORT), -1
	for {
		connfd := accept(listenfd)
		if before >= 0 {
			unp.Close(before)
		}
		before = connfd
		if unp.Fork() == 0 {
			unp.StrEcho(connfd)
			os.Exit(0)
		}
	}
})

var _ = register("socket of each round", prints{Test: "TestPathOfServer"}, func() {
	listenfd := listen(unp.SERV_PORT)
	for {
		other := unp.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		connfd := accept(listenfd)
		if unp.Fork() == 0 {
			unp.StrEcho(connfd)
			os.Exit(0)
		}
		unp.Close(connfd)
		unp.Close(other)
	}
})

var _ = register("two listen", prints{Test: "TestTwoPorts"}, func() { // on two ports, with a child for each
	for i, fd := range []int{listen(9877), listen(9878)} {
		if unp.Fork() == 0 {
			for {
				connfd := accept(fd)
				unp.Writen(connfd, fmt.Appendln(nil, "child", i))
				unp.Close(connfd)
			}
		}
	}
	wait()
})

var _ = register("prefork", prints{Test: "TestPrefork"}, func() { // children that accept on one socket, and fork in their turn
	listenfd := listen(unp.SERV_PORT)
	for i := range 3 {
		if unp.Fork() == 0 {
			for {
				connfd := accept(listenfd)
				if unp.Fork() == 0 {
					unp.Writen(connfd, fmt.Appendln(nil, "child", i))
					os.Exit(0)
				}
				unp.Close(connfd)
				unix.Wait4(-1, nil, 0, nil)
			}
		}
	}
	wait()
})

var _ = register("greeting", prints{Clients: []client{{"", "greeting\nchild\n"}, {"", "greeting\nchild\n"}, {"", "greeting\nchild\n"}}, Status: terminated}, func() { // from the parent, once
	listenfd := listen(unp.SERV_PORT)
	for {
		connfd := accept(listenfd)
		unp.Writen(connfd, []byte("greeting\n"))
		if unp.Fork() == 0 {
			unp.Writen(connfd, []byte("child\n"))
			os.Exit(0)
		}
		unp.Close(connfd)
	}
})

var _ = register("small letters", prints{Clients: []client{{"hello\n", "hello\n"}, {"hello\n", "hello\n"}, {"hello\n", "hello\n"}}, Status: terminated}, func() {
	listenfd, err := sys.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	servaddr := sys.SockaddrIn{Family: unix.AF_INET, Port: sys.Htons(unp.SERV_PORT)}
	if err != nil {
		unp.ErrSys(err, "socket")
	} else if err = sys.Bind(listenfd, &servaddr, sys.Sizeof(servaddr)); err != nil {
		unp.ErrSys(err, "bind")
	}
	sys.Listen(listenfd, 5)
	unp.Signal(unix.SIGCHLD, func(unix.Signal) { sys.Waitpid(-1, nil, unix.WNOHANG) })
	for {
		connfd, err := sys.Accept(listenfd, nil, nil)
		if err == unix.EINTR {
			continue
		}
		pid, _ := sys.Fork()
		if pid == 0 {
			sys.Close(listenfd)
			buf := make([]byte, 100)
			for n, _ := sys.Read(connfd, buf); n > 0; n, _ = sys.Read(connfd, buf) {
				sys.Write(connfd, buf[:n])
			}
			os.Exit(0)
		}
		sys.Close(connfd)
	}
})
