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

// A rest is what Readline or Fgets had read but not returned when it last returned.
type rest struct{ bytes, number int }

// rests holds the rest of each of these buffers, and of Stdin, if there is one. Each new one has
// the next number.
var rests = struct {
	sync.Mutex
	of     map[any]rest // descriptor, or Stdin
	number int
}{of: map[any]rest{}}

func noteRest(of any, bytes int) {
	rests.Lock()
	defer rests.Unlock()
	if bytes == 0 {
		delete(rests.of, of)
	} else {
		rests.number++
		rests.of[of] = rest{bytes, rests.number}
	}
}

func init() {
	sys.AtClose(func(fd int) {
		readBufs.Delete(fd)
		noteRest(fd, 0)
	})
	sys.ReadAhead(readAhead)
}

// readAhead returns how many bytes the rests have together, and the number of the newest.
func readAhead() (bytes, number int) {
	rests.Lock()
	defer rests.Unlock()
	for _, r := range rests.of {
		bytes += r.bytes
		number = max(number, r.number)
	}
	return bytes, number
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

// Readline reads a line into *ptr, with its newline, but at most maxlen-1 bytes; it returns the
// line's length in bytes, or 0 at the end of input (Figure 3.18). Every byte is data, including
// NUL. Readline reads up to MAXLINE bytes ahead, so do not mix it with select, poll, or a
// sys.Read of the same descriptor. A child does not get what a handler or another goroutine has
// read ahead. On error it prints "readline error" and the error's text, and exits.
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
	noteRest(fd, rl.Buffered())
	return len(*ptr)
}
