//go:build linux && (amd64 || arm64)

package unp

import (
	"golang.org/x/sys/unix"
	"tcpcliserv/unp/sys"
)

func writen(fd int, ptr []byte) error {
	for len(ptr) > 0 {
		nwritten, err := sys.Write(fd, ptr)
		if err == unix.EINTR {
			nwritten = 0 // and call write() again
		} else if err != nil {
			return err
		}
		ptr = ptr[nwritten:]
	}
	return nil
}

// Writen writes all of ptr to the descriptor, in as many calls to write as it takes
// (Figure 3.16). On error it prints "writen error" and the error's text on standard error,
// and exits. If the peer no longer takes data, SIGPIPE ends the process, unless it is
// ignored or caught; then the error is "Broken pipe" (section 5.13).
func Writen(fd int, ptr []byte) {
	if err := writen(fd, ptr); err != nil {
		ErrSys(err, "writen error")
	}
}
