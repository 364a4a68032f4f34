//go:build linux && (amd64 || arm64)

package unp

import "golang.org/x/sys/unix"

func writen(fd int, ptr []byte) error {
	for len(ptr) > 0 {
		nwritten, err := SysWrite(fd, ptr)
		if err == unix.EINTR {
			nwritten = 0 // and call write() again
		} else if err != nil {
			return err
		}
		ptr = ptr[nwritten:]
	}
	return nil
}

// Writen writes all of ptr to the descriptor, in as many calls of write as it takes
// (Figure 3.16). On a connection that has been reset, SIGPIPE ends the process;
// where SIGPIPE is ignored or caught, Writen prints "writen error: Broken pipe" on
// standard error and exits.
func Writen(fd int, ptr []byte) {
	if err := writen(fd, ptr); err != nil {
		ErrSys(err, "writen error")
	}
}
