//go:build linux && (amd64 || arm64)

package sys

import (
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// messages is the descriptor for messages: that of standard error or, in a child that retraces
// main, a duplicate of it.
var messages atomic.Int32

// Fatal prints a message, formatted as by printf, and a newline on standard error, and exits
// with status 1. The message of a child on its way to Fork is not thrown away.
func Fatal(format string, a ...any) {
	if onMain() {
		waitHandlers()
	}
	unix.Write(int(messages.Load()), fmt.Appendf(nil, format+"\n", a...))
	os.Exit(1)
}
