package main

import (
	"os"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// strCli is str_cli without lines: it passes on whatever it can read, so nothing waits in a
// buffer that poll does not see.
func strCli(fp, sockfd int) {
	const input, socket = 0, 1
	fds := []unix.PollFd{input: {Fd: int32(fp), Events: unix.POLLIN}, socket: {Fd: int32(sockfd), Events: unix.POLLIN}}
	buf := make([]byte, unp.MAXLINE)

	for {
		if _, err := sys.Poll(fds, -1); err == unix.EINTR {
			continue
		} else if err != nil {
			unp.ErrSys(err, "poll error")
		}

		if fds[socket].Revents != 0 {
			n := read(sockfd, buf)
			if n == 0 && fds[input].Fd < 0 {
				return // the echo is complete
			} else if n == 0 {
				unp.ErrQuit("str_cli: server terminated prematurely")
			}
			unp.Fputs(buf[:n], os.Stdout)
		}

		if fds[input].Revents != 0 {
			if n := read(fp, buf); n > 0 {
				unp.Writen(sockfd, buf[:n])
			} else {
				sys.Shutdown(sockfd, unix.SHUT_WR) // send FIN, but read on
				fds[input].Fd = -1                 // poll skips it
			}
		}
	}
}

func read(fd int, buf []byte) int {
again:
	n, err := sys.Read(fd, buf)
	if err == unix.EINTR {
		goto again
	} else if err != nil {
		unp.ErrSys(err, "read error")
	}
	return n
}
