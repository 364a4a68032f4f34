//go:build linux && (amd64 || arm64)

package sys

import (
	"strings"

	"golang.org/x/sys/unix"
)

// A step is a call that main has made on its way, and what the call returned.
type step struct {
	at     place
	line   string // the file and the line of the call; if it is empty, at has them
	call   string // its name and arguments, in the style of strace
	result int    // a descriptor, a process ID or another number, or -1
	errno  unix.Errno
	values string      // what it has stored in variables, as text
	data   []byte      // what it has read, if it has stored nothing else; values is made of it when a child needs it
	kept   []keptValue // the values of the kept variables when the call returned
	open   []int       // the descriptors that it has opened and nobody has closed
	closed []int       // those that somebody has closed: a child forgets what had these numbers before
	after  int64       // how many calls main had made through skipped since the step before, if that is needed

	accepts bool  // it waits for a client: a server's loop has one in each round
	skips   bool  // such a call often has no step, so no round is known by it
	needed  bool  // it is such a call, and has failed or stored something
	reads   bool  // it counts against the bound of what main reads on its way
	bytes   int   // how many it has read
	idle    bool  // it waited for input, and there was none
	found   bool  // it waited for input, and there was some
	lost    bool  // between it and the next step, main has read what is not on the path
	cut     bool  // it has lost its values
	ahead   ahead // what main had read but not used when it came to this step
	split   bool  // for isWhole: the round that it begins has been too long to be whole
	moves   bool  // it has changed main's directory
	stays   bool  // for withoutRounds
}

// An ahead is what main has read but not used.
type ahead struct{ bytes, number int } // see ReadAhead

// outcome returns what the call of a step has returned.
func (s *step) outcome() (int, error) {
	if s.errno != 0 {
		return s.result, s.errno
	}
	return s.result, nil
}

// isKeep tells whether a step is a call to Keep, with which main says where a round begins.
func (s *step) isKeep() bool { return s.call == "Keep()" }

// movesAnywhere tells whether a step has changed main's directory wherever main was before.
func (s *step) movesAnywhere() bool { return s.moves && strings.HasPrefix(s.call, `chdir("/`) }

// size returns how many bytes of memory a step takes. The parameter before has the values of the
// kept variables at the previous step.
func (s *step) size(before []keptValue) int {
	const stepItself, valueItself = 350, 32
	n := stepItself + len(s.call) + len(s.values) + len(s.data)
	for i, value := range s.kept {
		n += valueItself
		if i >= len(before) || before[i] != value {
			n += len(value.text)
		}
	}
	return n
}
