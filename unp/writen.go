package unp

import (
	"golang.org/x/sys/unix"
	"tcpcliserv/unp/sys"
)

func writen(fd int, ptr []byte) (int, error) {
	n := len(ptr)
	for len(ptr) > 0 {
		nwritten, err := sys.Write(fd, ptr)
		if nwritten <= 0 {
			if nwritten < 0 && err == unix.EINTR {
				nwritten = 0 // and call write() again
			} else {
				return -1, err // error
			}
		}
		ptr = ptr[nwritten:]
	}
	return n, nil
}

// Writen writes all of ptr to the descriptor, in as many calls to write as it takes (Figure
// 3.16). On error it prints "writen error" and the error's text, and exits. If the peer, having
// closed its end, has answered an earlier write with an RST, SIGPIPE ends the process. If
// SIGPIPE is ignored or caught, the error is "Broken pipe" (section 5.13).
func Writen(fd int, ptr []byte) {
	if n, err := writen(fd, ptr); n != len(ptr) {
		ErrSys(err, "writen error")
	}
}
