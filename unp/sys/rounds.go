//go:build linux && (amd64 || arm64)

package sys

import "slices"

// How many clients a round that begins with Keep may accept in a loop without Keep, and how often
// it may try.
const (
	maxClients = 100
	maxTries   = 1000
)

// withoutFinishedRounds deletes the finished rounds of a server's loop.
//
// A round begins with a call. It ends before main makes that call again, provided that an accept
// comes in between or the call itself is one. Until then, a loop within the round may make the
// call several times. The round is finished if all the descriptors that it has opened are
// closed, if main's directory does not depend on it, and if, after it, what main had read but
// not used was the same as before it: nothing, as a rule. A finished round is deleted if each of
// its steps has been made again, from the same place, later: so every variable that a call sets
// has its last value in the child. The exceptions are in mustStay.
//
// A round that begins with Keep is deleted as a whole or not at all, whatever loops are in it: a
// loop within it has rounds of its own only if it calls Keep. But Keep may also have been called
// before the loop, or in an earlier one. So once a round that begins with Keep has accepted more
// than maxClients clients, a loop within it has rounds in any case.
func withoutFinishedRounds(steps []*step) []*step {
	const onlyIdle = false
	return withoutRounds(steps, func(s *step) bool { return s.accepts }, onlyIdle)
}

// withoutIdleRounds deletes rounds, of any loop, that have found no input and got no client. A step
// that was idle ends such a round, and so does one that has found input: no round with input is
// merged with an idle one.
func withoutIdleRounds(steps []*step) []*step {
	const onlyIdle = true
	return withoutRounds(steps, func(s *step) bool { return s.idle || s.found || s.accepts }, onlyIdle)
}

// withoutRounds deletes the finished rounds of loops. The function ends tells whether a round's
// first call begins a new round when it is made again after a step.
func withoutRounds(steps []*step, ends func(s *step) bool, onlyIdle bool) []*step {
	madeAgain := map[place]bool{} // before the next client, if that matters
	hasMoved := false             // to a directory, wherever main was before
	for _, s := range slices.Backward(steps) {
		s.moves = s.moves && !hasMoved
		hasMoved = hasMoved || s.movesAnywhere()
		if onlyIdle && s.accepts {
			clear(madeAgain)
		}
		s.stays = !madeAgain[s.at]
		madeAgain[s.at] = true
	}
	r := newRounds(steps, ends)
	r.onlyIdle = onlyIdle
	r.shorten(0, len(steps), false)
	return r.stay
}

// rounds are those of the loops in a list of steps. A round is known by its first step.
type rounds struct {
	steps []*step
	next  []int // for each step, the next one that is the same call from the same place
	end   []int // for each step, the first one from there on that ends a round
	again []int // for each step, the next one that is the same call after a step that ends a round
	stay  []*step

	onlyIdle bool // rounds that got a client stay, and it does not matter which begin with Keep
}

func newRounds(steps []*step, ends func(s *step) bool) *rounds {
	type key struct {
		at   place
		call string
	}
	type calls struct{ first, end, again int } // of those that are the same: the first so far, and the last result
	none := len(steps)
	r := &rounds{steps: steps, next: make([]int, none), end: make([]int, none), again: make([]int, none)}
	later := map[key]calls{}
	end := none
	for i, s := range slices.Backward(steps) {
		k := key{s.at, s.call}
		c, found := later[k]
		if !found {
			c = calls{none, none, none}
		}
		if ends(s) {
			end = i
		}
		if c.end != end {
			c.end, c.again = end, c.first
		}
		r.next[i], r.end[i], r.again[i] = c.first, end, c.again
		c.first = i
		later[k] = c
	}
	return r
}

// shorten appends to stay the steps from begin to end, without the finished rounds of the
// outermost loop there and, in each round that stays, without those of the inner loops. If
// onlyKeep is set, only rounds that begin with Keep are deleted.
func (r *rounds) shorten(begin, end int, onlyKeep bool) {
	isHead := func(i int) bool {
		return r.isKeep(i) || r.next[i] < end && !r.steps[i].skips
	}
	head := begin
	for head < end && !isHead(head) {
		head++
	}
	r.stay = append(r.stay, r.steps[begin:head]...)
	for head < end {
		endOfRound := r.endOfRound(head, end)
		endOfRounds := r.endOfAhead(head, end)
		if r.areFinished(head, endOfRounds, end) && (!onlyKeep || r.isKeep(head)) {
			r.steps[endOfRounds].after = r.steps[head].after // it follows the step that the head has followed
			endOfRound = endOfRounds
		} else {
			within := r.beginning(head, endOfRound)
			r.stay = append(r.stay, r.steps[head:within]...)
			r.shorten(within, endOfRound, !r.onlyIdle && isWhole(r.steps[head:endOfRound], onlyKeep))
		}
		head = endOfRound
	}
}

// isKeep tells whether a round begins here with Keep.
func (r *rounds) isKeep(i int) bool { return !r.onlyIdle && r.steps[i].isKeep() }

// endOfRound returns where a round that begins at head is over: where its first step is made
// again after a step that ends a round, but not beyond end. A round that begins with Keep is over
// where Keep is called again, if a step that ends a round comes sooner or later.
func (r *rounds) endOfRound(head, end int) int {
	if r.again[head] < end && r.isKeep(head) {
		return r.next[head]
	}
	return min(r.again[head], end)
}

// endOfAhead returns the end of the round that begins at head, or, if nothing is read ahead at
// head, of the first round from there on that leaves nothing: what one leaves, the next may use.
func (r *rounds) endOfAhead(head, end int) int {
	endOfRound := r.endOfRound(head, end)
	for r.steps[head].ahead.bytes == 0 && endOfRound < end && r.steps[endOfRound].ahead.bytes != 0 {
		endOfRound = r.endOfRound(endOfRound, end)
	}
	return endOfRound
}

// areFinished tells whether a round, or several, can be forgotten.
func (r *rounds) areFinished(head, endOfRounds, end int) bool {
	if endOfRounds == end || r.steps[endOfRounds].ahead != r.steps[head].ahead {
		return false
	}
	for i := head; i < endOfRounds; i = r.endOfRound(i, end) {
		if r.mustStay(i, r.endOfRound(i, end)) {
			return false
		}
	}
	return !r.reachIntoNext(head, endOfRounds, end)
}

// mustStay tells whether a round cannot be forgotten. What has been read beyond the bound cannot
// be given to a child, so a server's round with it is forgotten even if no later round has made
// its calls, but not together with one before it that got no client, unless each begins with
// Keep. A round of a loop without an accept stays then, because main may have read more after
// it.
func (r *rounds) mustStay(head, endOfRound int) bool {
	steps := r.steps[head:endOfRound]
	has := func(is func(s *step) bool) bool { return slices.ContainsFunc(steps, is) }
	accepts := has(func(s *step) bool { return s.accepts })
	lost := has(func(s *step) bool { return s.lost || s.cut })
	switch {
	case has(func(s *step) bool { return len(s.open) > 0 || s.moves }) || r.onlyIdle && accepts:
		return true
	case lost && r.isKeep(head):
		return false
	case lost && accepts:
		steps = r.steps[head:r.beginning(head, endOfRound)]
	case !accepts && !r.isKeep(head) && (lost || has(func(s *step) bool { return s.found })):
		return true
	}
	return has(func(s *step) bool { return s.stays })
}

// reachIntoNext tells whether rounds may have steps of the next one, and the next one is not
// finished or must stay itself. A round is known by its first call that always has a step, so what
// precedes that call in the loop's body is among the previous round's steps.
func (r *rounds) reachIntoNext(head, endOfRounds, end int) bool {
	skips := slices.ContainsFunc(r.steps[head:endOfRounds], func(s *step) bool { return s.skips })
	if !skips || r.isKeep(head) {
		return false
	}
	endOfNext := r.endOfRound(endOfRounds, end)
	return endOfNext == end || r.mustStay(endOfRounds, endOfNext)
}

// beginning returns where the beginning of a round is over, which cannot be forgotten without
// the rest. It ends with the last repetition of the round's first step before a step that ends
// the round, or at that step.
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

// isWhole tells whether only Keep begins a round within this one. The parameter outer tells the
// same of the round around it.
func isWhole(round []*step, outer bool) bool {
	if round[0].split || !outer && !round[0].isKeep() {
		return false
	}
	clients, tries := 0, 0
	for _, s := range round {
		if s.accepts {
			tries++
		}
		if s.accepts && s.errno == 0 {
			clients++
		}
	}
	round[0].split = clients > maxClients || tries > maxTries
	return !round[0].split
}
