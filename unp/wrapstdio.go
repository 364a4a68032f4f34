//go:build linux && (amd64 || arm64)

package unp

import (
	"bufio"
	"io"
	"os"
)

// Stdin is standard input as a stream, FILE *stdin, with a buffer of MAXLINE
// bytes.
var Stdin = bufio.NewReaderSize(os.Stdin, MAXLINE)

// Fgets reads a line, its newline included, but at most n-1 bytes of it, and
// returns it in *ptr; nil is the end of input. Any byte is data, NUL too.
func Fgets(ptr *[]byte, n int, fp *bufio.Reader) []byte {
	*ptr = (*ptr)[:0]
	for len(*ptr) < n-1 {
		c, err := fp.ReadByte()
		if err == io.EOF {
			break
		} else if err != nil {
			ErrSys(err, "fgets error")
		}
		*ptr = append(*ptr, c)
		if c == '\n' {
			break
		}
	}

	if len(*ptr) == 0 {
		return nil
	}
	return *ptr
}

// Fputs writes ptr to the stream, at once and whole.
func Fputs(ptr []byte, fp *os.File) {
	if _, err := writen(int(fp.Fd()), ptr); err != nil {
		ErrSys(err, "fputs error")
	}
}
