//go:build linux

package sys

import (
	"flag"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// The child of an example is this test program again. Its path leads through its parent's
// examples alone: tests on its way would run twice.
func TestMain(m *testing.M) {
	flag.Parse()
	if path.retracing.Load() {
		skip := flag.Lookup("test.skip").Value.String()
		if skip != "" {
			skip += "|"
		}
		flag.Set("test.skip", skip+"^(Test|Fuzz|Benchmark)")
		flag.Set("test.testlogfile", "") // go test reads its parent's
	}
	// Where SIGPIPE was ignored at the start, the runtime never passes it on. It has a
	// handler now, so it is at its default after an exec.
	if os.Getenv("UNP_TEST") == "" {
		os.Setenv("UNP_TEST", "executed again")
		panic(unix.Exec("/proc/self/exe", os.Args, os.Environ()))
	}
	os.Exit(m.Run())
}
