//go:build linux

package unp

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// If SIGPIPE was ignored when this program started, the runtime never passes it on. By now the
// runtime has given it a handler, and exec sets it to its default: so this program executes
// itself.
func TestMain(m *testing.M) {
	if os.Getenv("UNP_TEST") == "" {
		os.Setenv("UNP_TEST", "executed again")
		panic(unix.Exec("/proc/self/exe", os.Args, os.Environ()))
	}
	os.Exit(m.Run())
}
