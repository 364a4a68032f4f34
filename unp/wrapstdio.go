//go:build linux && (amd64 || arm64)

package unp

import (
	"bufio"
	"os"
)

// Stdin is FILE *stdin: standard input with a buffer of MAXLINE bytes (Figure 5.4).
var Stdin = bufio.NewReaderSize(myRead(0), MAXLINE)

// Fgets reads a line from the stream, its newline included, but at most n-1
// bytes of it; it returns the line, in *ptr too, and nil at the end of input
// (Figure 5.5). Any byte is data, NUL too.
func Fgets(ptr *[]byte, n int, stream *bufio.Reader) []byte {
	if err := readline(stream, ptr, n); err != nil {
		ErrSys(err, "fgets error")
	} else if len(*ptr) == 0 {
		return nil
	}
	return *ptr
}

// Fputs writes ptr to the stream, at once and whole (Figure 5.5).
func Fputs(ptr []byte, stream *os.File) {
	if err := writen(int(stream.Fd()), ptr); err != nil {
		ErrSys(err, "fputs error")
	}
}
