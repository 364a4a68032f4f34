//go:build linux && (amd64 || arm64)

package unp

import (
	"bufio"
	"os"
)

// Stdin is FILE *stdin (Figure 5.4). It reads up to MAXLINE bytes ahead, so do not mix
// it with SysRead, select or poll.
var Stdin = bufio.NewReaderSize(myRead(0), MAXLINE)

// Fgets reads a line into *ptr, with its newline, but at most n-1 bytes; it returns
// the line, or nil at the end of input (Figure 5.5). Every byte is data, including NUL.
// After EINTR it reads on, where C's fgets fails. On any other error it prints "fgets
// error" and exits.
func Fgets(ptr *[]byte, n int, stream *bufio.Reader) []byte {
	if err := readline(stream, ptr, n); err != nil {
		ErrSys(err, "fgets error")
	} else if len(*ptr) == 0 {
		return nil
	}
	return *ptr
}

// Fputs writes ptr to the stream, whole and at once (Figure 5.5). On error it prints
// "fputs error" and the error's text on standard error, and exits.
func Fputs(ptr []byte, stream *os.File) {
	if err := writen(int(stream.Fd()), ptr); err != nil {
		ErrSys(err, "fputs error")
	}
}
