//go:build linux

package unp_test

import (
	"flag"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"tcpcliserv/unp"
)

// The child of ExampleFork is this test program again, and its path leads through
// the example alone: other tests on its way would run twice.
func TestMain(m *testing.M) {
	flag.Parse()
	if unp.Retracing() {
		flag.Set("test.run", "^ExampleFork$")
	}
	// Where SIGPIPE was ignored at the start, the runtime never passes it on. It has a
	// handler now, so it is at its default after an exec.
	if os.Getenv("UNP_TEST") == "" {
		os.Setenv("UNP_TEST", "executed again")
		panic(unix.Exec("/proc/self/exe", os.Args, os.Environ()))
	}
	os.Exit(m.Run())
}
