//go:build linux && (amd64 || arm64)

package unp

import "golang.org/x/sys/unix"

// StrEcho reads what the client sends and writes it back, until the client closes
// its end (Figure 5.3). If read fails, it prints "str_echo: read error" and the
// error's text on standard error, and exits.
func StrEcho(sockfd int) {
	var n int
	var err error
	buf := make([]byte, MAXLINE)

again:
	for len(ahead) == 0 { // else it is done: resume.go
		if n, err = unix.Read(sockfd, buf); n <= 0 {
			break
		}
		Writen(sockfd, buf[:n])
	}
	await(true)

	if n < 0 && err == unix.EINTR {
		goto again
	} else if n < 0 {
		ErrSys(err, "str_echo: read error")
	}
}
