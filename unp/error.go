//go:build linux && (amd64 || arm64)

package unp

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrSys is printf for a fatal error of a system call: it prints "message: text of
// err" and a newline on standard error, and ends the process with status 1 (Figure
// D.3).
func ErrSys(err error, format string, a ...any) {
	msg := fmt.Sprint(err)
	// strerror's words; Go has them with a small first letter
	ErrQuit("%s: %s", fmt.Sprintf(format, a...), strings.ToUpper(msg[:1])+msg[1:])
}

// ErrQuit is printf for any other fatal error: it prints the message and a newline
// on standard error, and ends the process with status 1 (Figure D.3).
func ErrQuit(format string, a ...any) {
	await(true)
	unix.Write(2, fmt.Appendf(nil, format+"\n", a...))
	os.Exit(1)
}
