//go:build linux && (amd64 || arm64)

package sys

import (
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A step is a call that main has made on its way, and what the call returned.
type step struct {
	at     place
	line   string // the file and the line of the call; if it is empty, at has them
	call   string // its name and arguments, as strace shows them
	result int    // a descriptor, a process id, or -1
	errno  unix.Errno
	values string      // what it has stored in variables
	kept   []keptValue // the variables that Keep was given, when it returned
	open   []int       // the descriptors that it has opened and nobody has closed
	after  int64       // if it is skipped when it succeeds: how many such calls main had made since the step before

	accepts bool // it waits for a client: a server's loop has one in each round
	reads   bool // it counts against the bound of what main reads on its way
	lost    bool // it is the first beyond that bound: what main has read then is not on the path
	ahead   bool // main had data that it had read but not used, when it came to this step
	stays   bool // for withoutFinishedRounds
}

// The bound of what main reads on its way to a Fork.
const (
	maxReads = 1000
	maxData  = 64 << 10 // bytes
)

// path is main's way through the program: the calls that main has made and what they returned,
// so that a child can go the same way.
var path struct {
	sync.Mutex // a handler may close a descriptor
	taken      []*step
	ahead      []*step       // in a child whose main has not reached its Fork: the steps up to there
	retracing  atomic.Bool   // this is such a child
	skipped    atomic.Int64  // how many calls that are skipped main has made since the last step
	opener     map[int]*step // the step that has opened a descriptor
	opening    []int         // the descriptors that main has opened inside Once
	returned   uint32        // how many handlers had returned at the last step
	due        int           // how many steps there may be before finished rounds are forgotten

	reads, data int         // since the last accept
	beyond      atomic.Bool // they are beyond the bound
}

// remember adds a step to the path.
func remember(s *step) {
	path.Lock()
	defer path.Unlock()
	s.open = append(s.open, path.opening...)
	path.opening = nil
	path.skipped.Store(0)
	if s.accepts {
		path.reads, path.data = 0, 0
		path.beyond.Store(false)
	}
	path.taken = append(path.taken, s)
	own(s)
	if len(path.taken) >= path.due {
		forgetRounds()
	}
}

// lastKept returns the values of the kept variables at the last step.
func lastKept() []keptValue {
	if len(path.taken) == 0 {
		return nil
	}
	return path.taken[len(path.taken)-1].kept
}

// own notes which descriptors the step has opened.
func own(s *step) {
	if path.opener == nil {
		path.opener = map[int]*step{}
	}
	for _, fd := range s.open {
		path.opener[fd] = s
	}
}

// countRead counts a call that reads, and tells whether it is within the bound. Beyond the
// bound, the path drops what main has read since its last accept.
func countRead(bytes int) bool {
	path.reads++
	path.data += bytes
	if path.reads <= maxReads && path.data <= maxData {
		return true
	}
	path.Lock()
	defer path.Unlock()
	round := 1 + lastIndex(path.taken, func(s *step) bool { return s.accepts })
	rest := slices.DeleteFunc(path.taken[round:], func(s *step) bool { return s.reads })
	path.taken = path.taken[:round+len(rest)]
	path.beyond.Store(true)
	return false
}

func lastIndex(steps []*step, is func(*step) bool) int {
	for i, s := range slices.Backward(steps) {
		if is(s) {
			return i
		}
	}
	return -1
}

// atClose are the functions that AtClose was given.
var atClose []func(fd int)

// buffered are the functions that ReadAhead was given.
var buffered []func() int

// readAhead returns how many bytes main has read but not used.
func readAhead() (bytes int) {
	for _, f := range buffered {
		bytes += f()
	}
	return bytes
}

// closed notes that a descriptor is closed, or that its number is about to get another file.
func closed(fd int) {
	for _, f := range atClose {
		f(fd)
	}
	path.Lock()
	defer path.Unlock()
	s := path.opener[fd]
	if s != nil {
		s.open = slices.DeleteFunc(s.open, func(open int) bool { return open == fd })
		delete(path.opener, fd)
	}
}

// forgetRounds forgets the finished rounds of a server's loop, so that the path does not
// grow with the number of clients.
func forgetRounds() {
	path.taken = withoutFinishedRounds(path.taken)
	path.due = 2*len(path.taken) + 64
}

// withoutFinishedRounds deletes the finished rounds of a loop whose steps a later round has
// repeated. A round is the steps that main takes from a place until it reaches that place
// again, with an accept among them. A round is finished if all the descriptors that it has
// opened are closed, and if, both before it and after it, main had used all that it had read.
// The last step from each place stays, so that every variable that a call sets has its last
// value, except those that hold what the path has dropped (see countRead).
func withoutFinishedRounds(steps []*step) []*step {
	last := map[place]*step{}
	for _, s := range steps {
		last[s.at] = s
	}
	for _, s := range steps {
		s.stays = last[s.at] == s && !s.lost || len(s.open) > 0
	}
	return shortened(steps)
}

// shortened deletes the finished rounds of the outermost loop and, in each round that stays,
// those of the inner loops.
func shortened(steps []*step) []*step {
	head := firstThatRepeats(steps)
	if head < 0 {
		return steps
	}
	at := steps[head].at
	stay := slices.Clone(steps[:head])
	for rest := steps[head:]; len(rest) > 0; {
		end := 1 + slices.IndexFunc(rest[1:], func(s *step) bool { return s.at == at })
		if end == 0 { // the last round
			end = len(rest)
		}
		round, others := rest[:end], rest[end:]
		if len(others) > 0 && !others[0].ahead && finished(round) {
			others[0].after = round[0].after
		} else {
			stay = append(stay, round[0])
			stay = append(stay, shortened(round[1:])...)
		}
		rest = others
	}
	return stay
}

// firstThatRepeats returns the index of the first step whose place another step has too, or
// -1.
func firstThatRepeats(steps []*step) int {
	times := map[place]int{}
	for _, s := range steps {
		times[s.at]++
	}
	return slices.IndexFunc(steps, func(s *step) bool { return times[s.at] > 1 })
}

func finished(round []*step) bool {
	if round[0].ahead {
		return false
	}
	accepted := false
	for _, s := range round {
		if s.stays {
			return false
		}
		accepted = accepted || s.accepts
	}
	return accepted
}
