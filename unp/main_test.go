//go:build linux

package unp

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Where SIGPIPE was ignored at the start, the runtime never passes it on. It has a
// handler now, so it is at its default after an exec.
func TestMain(m *testing.M) {
	if os.Getenv("UNP_TEST") == "" {
		os.Setenv("UNP_TEST", "executed again")
		panic(unix.Exec("/proc/self/exe", os.Args, os.Environ()))
	}
	os.Exit(m.Run())
}
