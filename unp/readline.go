//go:build linux && (amd64 || arm64)

package unp

import (
	"sync"

	"golang.org/x/sys/unix"
)

// In C read_cnt, read_ptr and read_buf are static, one for all descriptors:
// lines of two connections would mix. Here each descriptor has its own.
type readBuf struct {
	cnt int
	ptr int
	buf [MAXLINE]byte
}

var readBufs sync.Map // descriptor to *readBuf

func myRead(rl *readBuf, fd int, ptr *byte) (int, error) {
	if rl.cnt <= 0 {
	again:
		n, err := unix.Read(fd, rl.buf[:])
		if err != nil {
			awaitHandlers(err)
			if err == unix.EINTR {
				goto again
			}
			return -1, err
		} else if n == 0 {
			return 0, nil
		}
		rl.cnt = n
		rl.ptr = 0
	}

	rl.cnt--
	*ptr = rl.buf[rl.ptr]
	rl.ptr++
	return 1, nil
}

// readline reads a line from a descriptor (Figure 3.18).
func readline(fd int, vptr *[]byte, maxlen int) (int, error) {
	var c byte

	rl := readlinebuf(fd)
	*vptr = (*vptr)[:0]
	for n := 1; n < maxlen; n++ {
		if rc, err := myRead(rl, fd, &c); rc == 1 {
			*vptr = append(*vptr, c)
			if c == '\n' {
				break // newline is stored, like fgets()
			}
		} else if rc == 0 {
			return n - 1, nil // EOF, n - 1 bytes were read
		} else {
			return -1, err // error, errno set by read()
		}
	}

	return len(*vptr), nil
}

func readlinebuf(fd int) *readBuf {
	if rl, ok := readBufs.Load(fd); ok {
		return rl.(*readBuf)
	}
	rl := new(readBuf)
	readBufs.Store(fd, rl)
	return rl
}

// Readline reads a line from the descriptor, its newline included, but at most
// maxlen-1 bytes of it; it returns the line in *ptr and its length in bytes, 0
// at the end of input (Figure 3.18). Any byte is data, NUL too.
func Readline(fd int, ptr *[]byte, maxlen int) int {
	n, err := readline(fd, ptr, maxlen)
	if err != nil {
		ErrSys(err, "readline error")
	}
	return n
}
