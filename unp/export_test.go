//go:build linux

package unp

// Retracing tells the tests whether this is a child that is on its way to Fork.
func Retracing() bool { return retracing.Load() }
