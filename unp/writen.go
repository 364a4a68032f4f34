//go:build linux && (amd64 || arm64)

package unp

import "golang.org/x/sys/unix"

// writen writes all of vptr to a descriptor (Figure 3.16).
func writen(fd int, vptr []byte) (int, error) {
	ptr := vptr
	for len(ptr) > 0 {
		nwritten, err := unix.Write(fd, ptr)
		if err != nil {
			awaitHandlers(err)
			if err == unix.EINTR {
				nwritten = 0 // and call write() again
			} else {
				return -1, err // error
			}
		}

		ptr = ptr[nwritten:]
	}
	return len(vptr), nil
}

// Writen writes all of ptr to the descriptor, in as many writes as it takes
// (Figure 3.16).
func Writen(fd int, ptr []byte) {
	if _, err := writen(fd, ptr); err != nil {
		ErrSys(err, "writen error")
	}
}
