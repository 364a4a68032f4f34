//go:build linux && (amd64 || arm64)

package unp

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrSys reports a failed system call and ends the process with status 1. It prints
// the message, formatted as by printf, a colon, the error's text and a newline on
// standard error (Figure D.3).
func ErrSys(err error, format string, a ...any) {
	msg := fmt.Sprint(err)
	// strerror's text begins with a capital letter, Go's does not
	ErrQuit("%s: %s", fmt.Sprintf(format, a...), strings.ToUpper(msg[:1])+msg[1:])
}

// ErrQuit reports a fatal error that is not a failed system call, and ends the process
// with status 1. It prints the message, formatted as by printf, and a newline on standard
// error (Figure D.3).
func ErrQuit(format string, a ...any) {
	if onMain() {
		waitHandlers()
	}
	// not by SysWrite, which does nothing in a child that retraces main
	unix.Write(2, fmt.Appendf(nil, format+"\n", a...))
	os.Exit(1)
}
