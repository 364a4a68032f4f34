//go:build linux && (amd64 || arm64)

package sys

import (
	"slices"
	"sync"
	"sync/atomic"
)

// The bound of what main reads on its way to a Fork.
const (
	maxReads = 1000
	maxData  = 64 << 10 // bytes
)

// The bound of the path itself. Even a tenth of maxSize is more than execve(2) can take, and a
// line has at least some 40 bytes.
const (
	maxSteps = 150_000
	maxSize  = 64 << 20 // bytes
)

// path is main's way through the program: the calls that main has made and what they returned,
// so that a child can go the same way.
var path struct {
	sync.Mutex  // a handler may close a descriptor
	taken       []*step
	ahead       []*step        // in a child whose main has not reached its Fork: the steps up to there
	retracing   atomic.Bool    // this is such a child
	skipped     int64          // how many calls main has made through skipped since the last step
	needed      map[place]bool // where the path has needed steps, see step.needed
	opener      map[int]*step  // the step that has opened a descriptor
	opening     []int          // the descriptors that main has opened inside Once
	aheadOfOnce int            // how many bytes main had read but not used when it called Once
	size        int            // how many bytes of memory the steps take, at most
	tooLong     bool           // it was beyond its bound, and there can be no Fork anymore
	due         int            // how many steps there may be before finished rounds are forgotten

	handlersReturned uint32 // how many there were at the last step

	reads, data int            // since the last accept, see countRead
	spare       int            // how many idle rounds there may be before they are forgotten again
	readAt      map[place]bool // beyond that bound: where main has read since the last accept
	unseen      atomic.Int32   // the descriptor from which main reads without a look at its place, or -1
	missed      atomic.Bool    // since the last step, that descriptor has been closed, and it was not the last client's
}

// appendStep adds a step to the path.
func appendStep(s *step) {
	path.unseen.Store(-1)
	path.Lock()
	defer path.Unlock()
	s.open = append(s.open, path.opening...)
	path.opening = nil
	path.skipped = 0
	path.missed.Store(false)
	if path.tooLong {
		return
	}
	if replacesLast(s) {
		path.taken = path.taken[:len(path.taken)-1]
	}
	s.at.noteStack()
	path.size += s.size(lastKept())
	path.taken = append(path.taken, s)
	noteOpener(s)
	noteNeeded(s)
	if len(path.taken) >= path.due {
		forgetRounds()
	}
	if path.size > maxSize {
		forgetRounds()
		measure()
	}
	if path.size > maxSize {
		cut()
		measure()
	}
	if len(path.taken) > maxSteps || path.size > maxSize { // main may run forever, and never fork
		path.tooLong = true
		path.taken, path.opener, path.needed = nil, nil, nil
		forgetStacks(nil)
	}
}

// replacesLast tells whether a step may be on the path instead of the last one: if main has made
// the same call again, and in the meantime has only read what is not on the path. There can be
// no Fork then in any case, until the round is forgotten.
func replacesLast(s *step) bool {
	last := lastStep()
	if last == nil || !last.lost || last.at != s.at || last.call != s.call || last.accepts || last.reads || len(last.open)+len(last.closed) > 0 {
		return false
	}
	s.lost = true
	s.after = last.after
	return true
}

// measure finds out how large the path is now.
func measure() {
	path.size = 0
	var before []keptValue
	for _, s := range path.taken {
		path.size += s.size(before)
		before = s.kept
	}
}

// cut takes the values from the rounds of a server's loop, except those of the last step. Fork
// fails until these rounds are forgotten.
func cut() {
	first := slices.IndexFunc(path.taken, func(s *step) bool { return s.accepts })
	if first < 0 {
		return
	}
	for _, s := range path.taken[first : len(path.taken)-1] {
		s.cut = true
		s.values, s.data, s.kept = "", nil, nil
	}
}

// lastKept returns the values of the kept variables at the last step.
func lastKept() []keptValue {
	last := lastStep()
	if last == nil {
		return nil
	}
	return last.kept
}

// lastStep returns the last step on the path, or nil if there is none.
func lastStep() *step {
	if len(path.taken) == 0 {
		return nil
	}
	return path.taken[len(path.taken)-1]
}

// noteOpener notes that the step has opened its descriptors.
func noteOpener(s *step) {
	if path.opener == nil {
		path.opener = map[int]*step{}
	}
	for _, fd := range s.open {
		path.opener[fd] = s
	}
}

// countRead counts a step that reads, and tells whether it is within the bound. Beyond the
// bound, the path forgets idle rounds. If that is not enough, the step is lost, unless main has
// not read at its place since the last accept: main may have begun a new round, so the path has
// what main reads from there on.
func countRead(s *step) bool {
	path.reads++
	path.data += s.bytes
	if path.reads <= maxReads && path.data <= maxData {
		return true
	}
	if !s.found && path.spare > 0 { // its round may be idle, and will be forgotten with many others
		path.spare--
		return true
	}
	path.Lock()
	defer path.Unlock()
	forgetIdleRounds()
	path.spare = len(path.taken)/8 + 64
	path.reads, path.data = 1, s.bytes
	again := false
	for _, earlier := range path.taken[sinceAccept(path.taken):] {
		if earlier.reads {
			path.reads++
			path.data += earlier.bytes
			again = again || earlier.at == s.at
		}
	}
	if !again {
		path.reads, path.data = 1, s.bytes
	}
	return path.reads <= maxReads && path.data <= maxData
}

// goBeyond notes that what main reads is beyond the bound. From now on, the path does not have
// what main reads where it has read since the last accept.
func goBeyond(at place) {
	path.readAt = map[place]bool{at: true}
	for _, s := range path.taken[sinceAccept(path.taken):] {
		if s.reads {
			path.readAt[s.at] = true
		}
	}
}

// comeBack notes that main reads within the bound again.
func comeBack() {
	path.reads, path.data = 0, 0
	path.spare = 0
	path.readAt = nil
	path.unseen.Store(-1)
}

// loseRead notes that the path does not have what main reads now.
func loseRead() {
	path.Lock()
	defer path.Unlock()
	last := lastStep()
	if last != nil {
		last.lost = true
	}
}

// atClose are the functions that AtClose was given.
var atClose []func(fd int)

// AtClose is for packages, such as unp, that read ahead; a program does not need it, nor
// ReadAhead and UseAhead. Called before main begins, it registers f, which is then called with
// each descriptor that [Close] closes. It is also called with each new descriptor of this
// package, because main may have closed an earlier one of the same number by other means. f must
// not call this package.
func AtClose(f func(fd int)) { atClose = append(atClose, f) }

// readAheads are the functions that ReadAhead was given.
var readAheads []func() (bytes, number int)

// ReadAhead, called before main begins, registers f, which returns how many bytes main has read
// ahead and not yet used, and a number that changes whenever the bytes do, even if there are as
// many as before. This package calls f before and after the function that Once calls, and
// whenever a call of main's gets a line on the path: a round of a server's loop is forgotten
// only if main had used all that it had read in it. f must allow several goroutines to call it
// at the same time.
func ReadAhead(f func() (bytes, number int)) { readAheads = append(readAheads, f) }

// readAhead returns what main has read but not used.
func readAhead() (sum ahead) {
	for _, f := range readAheads {
		bytes, number := f()
		sum.bytes += bytes
		sum.number += number
	}
	return sum
}

// noteNeeded notes where the path has a needed step. As long as it has one there, it needs all the
// later calls at the same place, even if they succeed: otherwise a child might take an earlier
// result for theirs.
func noteNeeded(steps ...*step) {
	for _, s := range steps {
		switch {
		case !s.needed:
		case path.needed == nil:
			path.needed = map[place]bool{s.at: true}
		default:
			path.needed[s.at] = true
		}
	}
}

// forgetDescriptor notes that a descriptor is closed, or that its number is about to get
// another file.
func forgetDescriptor(fd int) {
	wasUnseen := fd >= 0 && path.unseen.CompareAndSwap(int32(fd), -1)
	for _, f := range atClose {
		f(fd)
	}
	path.Lock()
	defer path.Unlock()
	if wasUnseen {
		first := sinceAccept(path.taken)
		if first == 0 || path.opener[fd] != path.taken[first-1] {
			path.missed.Store(true)
		}
	}
	path.opening = slices.DeleteFunc(path.opening, func(open int) bool { return open == fd })
	s := path.opener[fd]
	if s != nil {
		s.open = slices.DeleteFunc(s.open, func(open int) bool { return open == fd })
		s.closed = append(s.closed, fd)
		delete(path.opener, fd)
	}
}

// forgetRounds forgets the finished rounds of a server's loop, so that the path does not
// grow with the number of clients.
func forgetRounds() {
	path.taken = withoutFinishedRounds(path.taken)
	path.needed = nil
	noteNeeded(path.taken...)
	path.due = min(2*len(path.taken)+64, maxSteps)
	if len(stacks) > path.due {
		onPath := map[place]bool{}
		for _, s := range path.taken {
			onPath[s.at] = true
		}
		forgetStacks(onPath)
	}
}

// forgetIdleRounds forgets the idle rounds too, and tells whether the path is shorter now.
func forgetIdleRounds() bool {
	before := len(path.taken)
	path.taken = withoutIdleRounds(withoutFinishedRounds(path.taken))
	return len(path.taken) < before
}

// sinceAccept returns the index of the first step after the last accept.
func sinceAccept(steps []*step) int {
	for i, s := range slices.Backward(steps) {
		if s.accepts {
			return i + 1
		}
	}
	return 0
}
