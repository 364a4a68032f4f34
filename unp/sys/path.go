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
	reads   bool  // it counts against the bound of what main reads on its way
	bytes   int   // how many it has read
	idle    bool  // it waited for input, and there was none
	found   bool  // it waited for input, and there was some
	lost    bool  // between it and the next step, main has read what is not on the path
	cut     bool  // it has lost its values
	ahead   ahead // what main had read but not used when it came to this step
	stays   bool  // for withoutRounds
}

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
	failed      map[place]bool // where the last such call has failed or stored something
	opener      map[int]*step  // the step that has opened a descriptor
	opening     []int          // the descriptors that main has opened inside Once
	aheadOfOnce int            // how many bytes main had read but not used when it called Once
	size        int            // how many bytes of memory the steps take, at most
	tooLong     bool           // it was beyond its bound, and there can be no Fork anymore
	due         int            // how many steps there may be before finished rounds are forgotten

	handlersReturned uint32 // how many there were at the last step

	reads, data int            // since the last accept, see countRead
	readAt      map[place]bool // beyond that bound: where main has read since the last accept
	unseen      atomic.Int32   // the descriptor from which main reads without a look at its place, or -1
}

// appendStep adds a step to the path.
func appendStep(s *step) {
	path.unseen.Store(-1)
	path.Lock()
	defer path.Unlock()
	s.open = append(s.open, path.opening...)
	path.opening = nil
	path.skipped = 0
	if path.tooLong {
		return
	}
	if replacesLast(s) {
		path.taken = path.taken[:len(path.taken)-1]
	}
	path.size += s.size(lastKept())
	path.taken = append(path.taken, s)
	noteOpener(s)
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
		path.taken, path.opener = nil, nil
	}
}

// replacesLast tells whether a step may be on the path instead of the last one: if main has made
// the same call again, and in the meantime has only read what is not on the path. There can be no
// Fork then in any case, until that is forgotten.
func replacesLast(s *step) bool {
	if len(path.taken) == 0 {
		return false
	}
	last := path.taken[len(path.taken)-1]
	if !last.lost || last.at != s.at || last.call != s.call || last.accepts || last.reads || len(last.open)+len(last.closed) > 0 {
		return false
	}
	s.lost = true
	s.after = last.after
	return true
}

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
	if len(path.taken) == 0 {
		return nil
	}
	return path.taken[len(path.taken)-1].kept
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
	path.Lock()
	defer path.Unlock()
	forgetIdleRounds()
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
	path.readAt = nil
	path.unseen.Store(-1)
}

// loseRead notes that the path does not have what main reads now.
func loseRead() {
	path.Lock()
	defer path.Unlock()
	if len(path.taken) > 0 {
		path.taken[len(path.taken)-1].lost = true
	}
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

// atClose are the functions that AtClose was given.
var atClose []func(fd int)

// AtClose, called before main begins, registers f, which is then called with each descriptor
// that [Close] closes. It is also called with each new descriptor, because main may have closed
// an earlier one of the same number by other means. f must not call this package.
func AtClose(f func(fd int)) { atClose = append(atClose, f) }

// readAheads are the functions that ReadAhead was given.
var readAheads []func() int

// ReadAhead, called before main begins, registers f, which returns how many bytes main has read
// ahead and not yet used. This package calls f before and after the function that Once calls,
// and whenever a call of main's gets a line on the path: a round of a server's loop is forgotten
// only if main had used all that it had read in it. f must allow several goroutines to call it
// at the same time.
func ReadAhead(f func() int) { readAheads = append(readAheads, f) }

// readAhead returns how many bytes main has read but not used.
func readAhead() (bytes int) {
	for _, f := range readAheads {
		bytes += f()
	}
	return bytes
}

// An ahead tells whether what main has read ahead is the same at two steps.
type ahead struct {
	bytes int   // 0 if there is nothing
	uses  int64 // how many calls of UseAhead there had been
}

// usesOfAhead counts the calls of UseAhead.
var usesOfAhead atomic.Int64

func aheadNow() ahead {
	bytes := readAhead()
	if bytes == 0 {
		return ahead{}
	}
	return ahead{bytes, usesOfAhead.Load()}
}

// forgetDescriptor notes that a descriptor is closed, or that its number is about to get
// another file.
func forgetDescriptor(fd int) {
	path.unseen.CompareAndSwap(int32(fd), -1)
	for _, f := range atClose {
		f(fd)
	}
	path.Lock()
	defer path.Unlock()
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
	path.due = 2*len(path.taken) + 64
}

// forgetIdleRounds forgets the idle rounds too, and tells whether the path is shorter now.
func forgetIdleRounds() bool {
	before := len(path.taken)
	path.taken = withoutIdleRounds(withoutFinishedRounds(path.taken))
	return len(path.taken) < before
}

// withoutFinishedRounds deletes the finished rounds of a server's loop.
//
// A round begins with a call. It ends before main makes that call again, provided that an accept
// is between the two. Until then, a loop within the round may make the call several times. The
// round is finished if all the descriptors that it has opened are closed and if, after it, what
// main had read but not used was the same as before it: nothing, as a rule. A finished round is
// deleted if each of its steps has been made again, from the same place, later: so every variable
// that a call sets has its last value in the child. The exceptions are in mustStay. A round that
// begins with Keep is deleted as a whole or not at all, whatever loops without Keep are in it.
func withoutFinishedRounds(steps []*step) []*step {
	const keepsWhole = true
	return withoutRounds(steps, func(s *step) bool { return s.accepts }, keepsWhole)
}

// withoutIdleRounds deletes rounds that have found no input, of any loop between one accept and
// the next. What ends such a round is a step that was idle; a round that has found some input is
// not merged with an idle one.
func withoutIdleRounds(steps []*step) (stay []*step) {
	const keepsWhole = false
	for len(steps) > 0 {
		n := 1 + slices.IndexFunc(steps, func(s *step) bool { return s.accepts })
		if n == 0 {
			n = len(steps)
		}
		stay = append(stay, withoutRounds(steps[:n], func(s *step) bool { return s.idle || s.found }, keepsWhole)...)
		steps = steps[n:]
	}
	return stay
}

// withoutRounds deletes the finished rounds of loops. The function ends tells whether a round's
// first call begins a new round when it is made again after a step.
func withoutRounds(steps []*step, ends func(s *step) bool, keepsWhole bool) []*step {
	last := map[place]*step{}
	for _, s := range steps {
		last[s.at] = s
	}
	for _, s := range steps {
		s.stays = last[s.at] == s
	}
	r := newRounds(steps, ends)
	r.keepsWhole = keepsWhole
	r.shorten(0, len(steps), false)
	return r.stay
}

// rounds are those of the loops in a list of steps. A round is known by its first step.
type rounds struct {
	steps []*step
	next  []int // for each step, the next one that is the same call from the same place
	end   []int // for each step, the first one from there on that ends a round
	stay  []*step

	keepsWhole bool // a round that begins with Keep has no inner rounds but those that begin with Keep
}

func newRounds(steps []*step, ends func(s *step) bool) *rounds {
	type key struct {
		at   place
		call string
	}
	none := len(steps)
	r := &rounds{steps: steps, next: make([]int, none), end: make([]int, none)}
	last := map[key]int{}
	end := none
	for i, s := range slices.Backward(steps) {
		k := key{s.at, s.call}
		next, found := last[k]
		if !found {
			next = none
		}
		r.next[i] = next
		last[k] = i
		if ends(s) {
			end = i
		}
		r.end[i] = end
	}
	return r
}

// shorten appends to stay the steps from begin to end, without the finished rounds of the
// outermost loop there and, in each round that stays, without those of the inner loops.
// If withKeep is set, only those that begin with Keep count as rounds.
func (r *rounds) shorten(begin, end int, withKeep bool) {
	isHead := func(i int) bool { return r.next[i] < end && (!withKeep || r.steps[i].isKeep()) }
	head := begin
	for head < end && !isHead(head) {
		head++
	}
	r.stay = append(r.stay, r.steps[begin:head]...)
	for head < end {
		endOfRound := r.endOfRound(head, end)
		round := r.steps[head:endOfRound]
		if endOfRound < end && r.steps[endOfRound].ahead == round[0].ahead && !mustStay(round) {
			r.steps[endOfRound].after = round[0].after // it follows the step that round[0] has followed
		} else {
			within := r.beginning(head, endOfRound)
			r.stay = append(r.stay, r.steps[head:within]...)
			r.shorten(within, endOfRound, r.keepsWhole && round[0].isKeep())
		}
		head = endOfRound
	}
}

// endOfRound returns where a round that begins at head is over: where its first step is made
// again after a step that ends a round, but not beyond end.
func (r *rounds) endOfRound(head, end int) int {
	again := r.next[head]
	for again < end && again <= r.end[head] {
		again = r.next[again]
	}
	return min(again, end)
}

// beginning returns the end of the part of a round that cannot be forgotten without the rest: the
// part up to the last repetition of the round's first step that does not come after a step that
// ends the round.
func (r *rounds) beginning(head, end int) int {
	if r.end[head] >= end {
		return end
	}
	last := head
	for r.next[last] <= r.end[head] {
		last = r.next[last]
	}
	return last + 1
}

// isKeep tells whether a step is a call to Keep, with which main says where a round begins.
func (s *step) isKeep() bool { return s.call == "Keep()" }

// mustStay tells whether a round cannot be forgotten. What has been read beyond the bound cannot
// be given to a child, so a server's round with it is forgotten even if no later round has made
// its calls. A round without an accept stays then, because main may have read more after it.
func mustStay(round []*step) bool {
	has := func(is func(s *step) bool) bool { return slices.ContainsFunc(round, is) }
	accepts := has(func(s *step) bool { return s.accepts })
	lost := has(func(s *step) bool { return s.lost || s.cut })
	switch {
	case has(func(s *step) bool { return len(s.open) > 0 }):
		return true
	case accepts && lost:
		return false
	case !accepts && (lost || has(func(s *step) bool { return s.found })):
		return true
	}
	return has(func(s *step) bool { return s.stays })
}
