package unp

import (
	"bufio"
	"io"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp/sys"
)

// In C, my_read has one static buffer for all descriptors, so it mixes up the lines
// of two connections. Here each descriptor has a buffer of its own.
var readBufs sync.Map // from descriptor to *bufio.Reader

// readCnts holds how many bytes each of these buffers, and Stdin, held when Readline or Fgets last
// returned, if there were any. changes counts how often that has changed.
var (
	readCnts sync.Map // from descriptor, or Stdin, to int
	changes  atomic.Int64
)

func noteAhead(from any, readCnt int) {
	_, had := readCnts.LoadAndDelete(from)
	if readCnt > 0 {
		readCnts.Store(from, readCnt)
	}
	if had || readCnt > 0 {
		changes.Add(1)
	}
}

func init() {
	sys.AtClose(func(fd int) {
		readBufs.Delete(fd)
		noteAhead(fd, 0)
	})
	sys.ReadAhead(readAhead)
}

// readAhead returns how many bytes all the buffers hold together, and how often that has changed.
func readAhead() (bytes, changed int) {
	readCnts.Range(func(_, readCnt any) bool {
		bytes += readCnt.(int)
		return true
	})
	return bytes, int(changes.Load())
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
