//go:build linux && (amd64 || arm64)

package unp

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrSys prints the message and what err, the error of a system call, means;
// then it ends the process with status 1 (Figure D.3).
func ErrSys(err error, format string, a ...any) {
	msg := err.Error()
	// strerror's words; Go has them with a small first letter
	ErrQuit("%s: %s", fmt.Sprintf(format, a...), strings.ToUpper(msg[:1])+msg[1:])
}

// ErrQuit prints the message, for an error that no system call reported; then
// it ends the process with status 1 (Figure D.3).
func ErrQuit(format string, a ...any) {
	unix.Write(2, fmt.Appendf(nil, format+"\n", a...))
	os.Exit(1)
}
