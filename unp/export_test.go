//go:build linux

package unp

// Resuming tells the tests whether this is a child that is on its way to Fork.
func Resuming() bool { return len(ahead) > 0 }
