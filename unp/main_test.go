//go:build linux

package unp_test

import (
	"os"
	"testing"

	"tcpcliserv/unp"
)

// The child of ExampleFork is this test program again. Its main would run the
// tests on the way to the example; it goes straight there.
func TestMain(m *testing.M) {
	if unp.Resuming() {
		ExampleFork()
	}
	os.Exit(m.Run())
}
