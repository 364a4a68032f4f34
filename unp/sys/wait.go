//go:build linux && (amd64 || arm64)

package sys

import "golang.org/x/sys/unix"

// <sys/wait.h>

// Wait is the system call wait, see wait(2): it waits for a child to end, stores the child's
// status in *stat, and returns the child's process ID, or -1 and the error. stat may be nil.
func Wait(stat *unix.WaitStatus) (int, error) { return Waitpid(-1, stat, 0) }

// Waitpid is the system call waitpid, see waitpid(2). It stores in *stat the status of a child
// that has ended (or that has stopped or continued, if options asks for that), and returns its
// process ID, 0 if there is none yet and options has WNOHANG, or -1 and the error. stat may be
// nil.
func Waitpid(pid int, stat *unix.WaitStatus, options int) (int, error) {
	var status unix.WaitStatus
	c := slowly("waitpid", pid, options)
	n, err := c.replayed(func() (int, error) { return unix.Wait4(pid, &status, options, nil) }, &status)
	if stat != nil && n > 0 {
		*stat = status
	}
	return n, err
}
