//go:build linux && (amd64 || arm64)

package unp

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ErrSys prints the message and what err, the error of a system call, means;
// then it ends the process with status 1 (Figure D.3).
func ErrSys(err error, format string, a ...any) {
	errDoit(err, format, a...)
	os.Exit(1)
}

// ErrQuit prints the message, for an error that no system call reported; then
// it ends the process with status 1 (Figure D.3).
func ErrQuit(format string, a ...any) {
	errDoit(nil, format, a...)
	os.Exit(1)
}

// errDoit writes the whole line at once: the lines of processes that share a
// terminal do not mix.
func errDoit(err error, format string, a ...any) {
	buf := fmt.Appendf(nil, format, a...)
	if err != nil {
		buf = append(buf, ": "...)
		msg := []byte(err.Error())
		// Go writes strerror's words with a small first letter.
		if errno := unix.Errno(0); errors.As(err, &errno) && len(msg) > 0 {
			copy(msg, bytes.ToUpper(msg[:1]))
		}
		buf = append(buf, msg...)
	}
	buf = append(buf, '\n')
	unix.Write(2, buf)
}
