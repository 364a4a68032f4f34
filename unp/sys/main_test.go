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
	// If SIGPIPE was ignored when this program started, the runtime never passes it on. By now the
	// runtime has given it a handler, and exec sets it to its default: so this program executes
	// itself.
	if os.Getenv("UNP_TEST") == "" {
		os.Setenv("UNP_TEST", "executed again")
		panic(unix.Exec("/proc/self/exe", os.Args, os.Environ()))
	}
	os.Exit(m.Run())
}
