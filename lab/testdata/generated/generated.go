// Command generated is a batch of servers that TestGeneratedServers has written at random.
// Its arguments are the number of one and the name of a file that does not exist.
package main

//lint:file-ignore U1000 the servers that the test writes use it all

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

var servers []func()

func main() {
	n, err := strconv.Atoi(os.Args[1])
	if err != nil || n >= len(servers) {
		unp.ErrQuit("generated: no server %s", os.Args[1])
	}
	servers[n]()
}

// listening makes the socket on which a server listens, without ever waiting for a client,
// and waits until its clients have connected.
func listening(sa *sys.SockaddrIn) int {
	unp.Signal(unix.SIGPIPE, sys.SIG_IGN)
	fd := unp.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	*sa = sys.SockaddrIn{Family: unix.AF_INET, Addr: [4]byte{127, 0, 0, 1}}
	unp.Bind(fd, sa, sys.Sizeof(*sa))
	unp.Listen(fd, unp.LISTENQ)
	salen := sys.Sizeof(*sa)
	sys.Getsockname(fd, sa, &salen)
	fmt.Println(sys.Ntohs(sa.Port))
	sys.Read(0, make([]byte, 1))
	return fd
}

// forked prints, after a Fork, what this process says of the variables, behind the process id
// of the child. The parent and its child must say the same.
func forked(place string, pid int, names string, vars ...any) {
	if pid == 0 {
		pid = unix.Getpid()
	}
	line := fmt.Appendf(nil, "%d\t%s", pid, place)
	say := func(name string, value any) {
		line = fmt.Appendf(line, "\t%s=%+q", name, fmt.Sprint(value))
	}
	for i, name := range strings.Fields(names) {
		say(name, vars[i])
	}
	for fd := range 64 {
		var stat unix.Stat_t
		if unix.Fstat(fd, &stat) == nil && !closedByExec(fd) {
			say(fmt.Sprint("descriptor ", fd), [2]uint64{stat.Dev, stat.Ino})
		}
	}
	directory, _ := unix.Getwd()
	say("directory", directory)
	mask := unix.Umask(0)
	unix.Umask(mask)
	say("umask", mask)
	var blocked unix.Sigset_t
	unix.PthreadSigmask(unix.SIG_BLOCK, nil, &blocked)
	say("blocked", blocked.Val[0])
	say("environment", os.Environ())
	unix.Write(1, append(line, '\n'))
}

func closedByExec(fd int) bool {
	flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return flags&unix.FD_CLOEXEC != 0
}

func errno(err error) unix.Errno {
	errno, _ := err.(unix.Errno)
	return errno
}

// exit waits for the children.
func exit() {
	for {
		if _, err := sys.Wait(nil); err != nil && err != unix.EINTR {
			os.Exit(0)
		}
	}
}
