package unp

import (
	"bufio"
	"io"
	"sync"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp/sys"
)

// In C, my_read has one static buffer for all descriptors, so it mixes up the lines
// of two connections. Here each descriptor has a buffer of its own.
var readBufs sync.Map // from descriptor to *bufio.Reader

// ahead is what Readline and Fgets had read but not returned when they last returned.
var ahead = struct {
	sync.Mutex
	readCnt map[any]int // in bytes, by descriptor, or Stdin, if there were any
	changes int
}{readCnt: map[any]int{}}

func noteAhead(from any, readCnt int) {
	ahead.Lock()
	defer ahead.Unlock()
	if readCnt > 0 || ahead.readCnt[from] > 0 {
		ahead.changes++
	}
	if readCnt > 0 {
		ahead.readCnt[from] = readCnt
	} else {
		delete(ahead.readCnt, from)
	}
}

func init() {
	sys.AtClose(func(fd int) {
		readBufs.Delete(fd)
		noteAhead(fd, 0)
	})
	sys.ReadAhead(readAhead)
}

// readAhead returns how many bytes that is together, and how often it has changed.
func readAhead() (bytes, changes int) {
	ahead.Lock()
	defer ahead.Unlock()
	for _, readCnt := range ahead.readCnt {
		bytes += readCnt
	}
	return bytes, ahead.changes
}

// A myRead fills the buffer of a descriptor.
type myRead int

func (fd myRead) Read(buf []byte) (int, error) {
again:
	n, err := sys.Read(int(fd), buf)
	if err == unix.EINTR {
		goto again
	} else if n == 0 {
		err = io.EOF
	}
	return max(n, 0), err
}

func readline(rl *bufio.Reader, ptr *[]byte, maxlen int) error {
	*ptr = (*ptr)[:0]
	for n := 1; n < maxlen; n++ {
		if c, err := rl.ReadByte(); err == nil {
			*ptr = append(*ptr, c)
			if c == '\n' {
				break // newline is stored, like fgets()
			}
		} else if err == io.EOF {
			break // EOF, n - 1 bytes were read
		} else {
			return err
		}
	}
	return nil
}

// Readline reads a line into *ptr, with its newline, but at most maxlen-1 bytes; it returns
// the line's length in bytes, or 0 at the end of input (Figure 3.18). Every byte is data,
// including NUL. Readline reads up to MAXLINE bytes ahead, so do not mix it with select, poll,
// or a sys.Read of the same descriptor. On error it prints "readline error" and the error's
// text, and exits.
func Readline(fd int, ptr *[]byte, maxlen int) int {
	buf, ok := readBufs.Load(fd)
	if !ok {
		buf, _ = readBufs.LoadOrStore(fd, bufio.NewReaderSize(myRead(fd), MAXLINE))
	}
	rl := buf.(*bufio.Reader)
	sys.UseAhead(rl.Buffered() > 0)
	if err := readline(rl, ptr, maxlen); err != nil {
		ErrSys(err, "readline error")
	}
	noteAhead(fd, rl.Buffered())
	return len(*ptr)
}
