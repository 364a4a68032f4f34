package unp

import (
	"golang.org/x/sys/unix"
	"tcpcliserv/unp/sys"
)

func readn(fd int, ptr []byte) (int, error) {
	n := len(ptr)
	for len(ptr) > 0 {
		nread, err := sys.Read(fd, ptr)
		if err == unix.EINTR {
			nread = 0 // and call read() again
		} else if err != nil {
			return -1, err
		} else if nread == 0 {
			break // EOF
		}
		ptr = ptr[nread:]
	}
	return n - len(ptr), nil // return >= 0
}

// Readn fills ptr from the descriptor, in as many calls to read as it takes (Figure 3.15). It
// returns the number of bytes read, which is less than len(ptr) at the end of input, and 0 if
// nothing is left. On error it prints "readn error" and the error's text, and exits.
func Readn(fd int, ptr []byte) int {
	n, err := readn(fd, ptr)
	if err != nil {
		ErrSys(err, "readn error")
	}
	return n
}
