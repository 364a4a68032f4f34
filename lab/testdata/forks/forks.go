// Forks does what its argument says with Fork.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
)

func say(format string, a ...any) { unp.Fputs(fmt.Appendf(nil, format+"\n", a...), os.Stdout) }

func wait(pid int) {
	var stat unix.WaitStatus
	unix.Wait4(pid, &stat, 0, nil)
	say("its status is %d", stat.ExitStatus())
}

func socket() int { return unp.Socket(unix.AF_INET, unix.SOCK_STREAM, 0) }

func main() {
	switch os.Args[1] {
	case "grandchild": // and a great-grandchild, with a socket from each
		one := socket()
		if pid := unp.Fork(); pid == 0 {
			unp.Close(one)
			two := socket() // at the number that is free again
			three := socket()
			if pid := unp.Fork(); pid == 0 {
				unp.Close(two)
				if pid := unp.Fork(); pid == 0 {
					_, err := unix.GetsockoptInt(two, unix.SOL_SOCKET, unix.SO_TYPE)
					_, open := unix.GetsockoptInt(three, unix.SOL_SOCKET, unix.SO_TYPE)
					say("great-grandchild: %d %d %d, %v %v", one, two, three, err, open)
					os.Exit(3)
				} else {
					wait(pid)
				}
				say("grandchild: %d %d %d", one, two, three)
				os.Exit(2)
			} else {
				wait(pid)
			}
			say("child: %d %d %d", one, two, three)
			os.Exit(1)
		} else {
			wait(pid)
		}
		say("parent: %d", one)

	case "environment": // nothing of it reaches a program that the child starts
		socket()
		if pid := unp.Fork(); pid == 0 {
			say("in the child: %q", os.Getenv("UNP_FORK"))
			out, _ := exec.Command("/usr/bin/env").Output()
			os.Stdout.Write(out)
			syscall.Exec("/proc/self/exe", []string{os.Args[0], "exec"}, os.Environ())
		} else {
			wait(pid)
		}
	case "exec":
		fd := socket()
		if pid := unp.Fork(); pid == 0 {
			os.Exit(0)
		} else {
			wait(pid)
		}
		say("after exec: %d", fd)

	case "more", "fewer": // than in the parent, from which the child cannot tell
		_, err := os.Stat(os.Args[2])
		os.WriteFile(os.Args[2], nil, 0o600)
		first := err != nil
		socket()
		if first == (os.Args[1] == "fewer") {
			socket()
		}
		if pid := unp.Fork(); pid == 0 {
			say("the child runs")
		} else {
			wait(pid)
		}

	case "once":
		fd := socket()
		if unp.Fork() == 0 {
			say("the child has %d", fd)
		}

	case "inet_pton":
		var addr [4]byte
		unp.InetPton(unix.AF_INET, os.Args[2], &addr)
		os.Stdout.Write(addr[:])

	case "closed": // behind the back of unp
		unix.Close(socket())
		if pid := unp.Fork(); pid == 0 {
			say("the child runs")
		} else {
			wait(pid)
		}

	case "handler": // the child's handler is its parent's
		caught := make(chan bool)
		unp.Signal(unix.SIGCHLD, func(unix.Signal) {
			wait(-1)
			caught <- true
		})
		if unp.Fork() == 0 {
			if unp.Fork() == 0 {
				os.Exit(7)
			}
			<-caught
			os.Exit(6)
		}
		<-caught

	case "noexec": // /proc is empty
		if err := unix.Mount("none", "/proc", "tmpfs", 0, ""); err != nil {
			panic(err)
		}
		unp.Fork()

	case "accept": // the peer's address comes along
		var servaddr, cliaddr unp.SockaddrIn
		clilen := unp.Socklen(unp.SizeofSockaddrIn)
		fd := socket()
		servaddr.Family = unix.AF_INET
		servaddr.Port = unp.Htons(unp.SERV_PORT)
		unp.Bind(fd, &servaddr, unp.SizeofSockaddrIn)
		unp.Listen(fd, unp.LISTENQ)
		conn := unp.Accept(fd, &cliaddr, &clilen)
		if pid := unp.Fork(); pid == 0 {
			say("child: %d %d.%d.%d.%d port %d, %d bytes", conn, cliaddr.Addr[0], cliaddr.Addr[1], cliaddr.Addr[2], cliaddr.Addr[3], unp.Htons(cliaddr.Port), clilen)
		} else {
			wait(pid)
		}
	}
}
