//go:build linux

package unp_test

import (
	"flag"
	"os"
	"testing"

	"tcpcliserv/unp"
)

// The child of ExampleFork is this test program again, and its path leads through
// the example alone: other tests on its way would run twice.
func TestMain(m *testing.M) {
	flag.Parse()
	if unp.Retracing() {
		flag.Set("test.run", "^ExampleFork$")
	}
	os.Exit(m.Run())
}
