//go:build linux && (amd64 || arm64)

package sys

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The one rule of this package: a system call that main makes is made once. A child on its way
// to its Fork does not make it again, and gets the same result. Before and after each call,
// main waits for the handlers of the signals that have arrived.

// A call is a system call that a program makes.
type call struct {
	name string
	args []any // in the style of strace, without what the call fills
	does activity
	fd   int   // the descriptor on which main may sleep, or -1
	open []int // the descriptors that it has opened

	accepts bool   // it waits for a client
	bytes   int    // how many it has read
	data    []byte // these, if it has stored nothing else
	reads   bool   // it is one of those of which the path keeps only so many, see maxReads
	skips   bool   // it is made through skipped
	success int    // what skipped returns if the call has succeeded
	begins  bool   // a round may begin with it nevertheless
	stores  bool   // it has stored what the child needs, so it is replayed even if it succeeds
}

// The three kinds of calls, by what can interrupt them: no handler, a handler without
// SA_RESTART, any handler.
func briefly(name string, args ...any) *call {
	return &call{name: name, args: args, does: brief, fd: -1}
}

func slowly(name string, args ...any) *call {
	return &call{name: name, args: args, does: slow, fd: -1}
}

func asleep(name string, args ...any) *call {
	return &call{name: name, args: args, does: sleep, fd: -1}
}

// undisturbed tells whether a call may go to the kernel as it is: no signal is caught, and
// main neither retraces nor is in another call.
func undisturbed() bool {
	return caught.Load() == 0 && !path.retracing.Load() && mainDoes.Load() == idle
}

// on notes the descriptor on which main may sleep.
func (c *call) on(fd int) *call {
	c.fd = fd
	return c
}

// reading marks a call that asks how things stand outside the process, such as read(2),
// select(2) or time(2). A loop may make it without end, so it counts against maxReads.
func (c *call) reading() *call {
	c.reads = true
	return c
}

// opened notes that the call has opened a descriptor.
func (c *call) opened(fd int, err error) (int, error) {
	if err != nil {
		fd = -1
	} else {
		forgetDescriptor(fd) // main may have closed that of this number with unix.Close
		c.open = append(c.open, fd)
	}
	return fd, err
}

// made makes a call, and returns its result, or -1 and the error. In the meantime, handlers find
// main doing what c.does says; that ends even if do panics.
func (c *call) made(do func() (int, error)) (int, error) {
	defer begin(c.does, c.fd)()
	result, err := do()
	if err != nil {
		result = -1
	}
	return result, err
}

// madeElsewhere makes a call for a handler or another goroutine. In a handler, the handler of a
// SIGPIPE that the call has raised returns before the call does, as in C.
func madeElsewhere(do func() (int, error)) (int, error) {
	wait := waitNested(unix.SIGPIPE)
	result, err := do()
	if err == unix.EPIPE {
		wait()
	}
	return result, err
}

// replayed makes a call whose result main needs, and remembers on main's path what it returned
// and what it stored in the variables to which out points. In a child that retraces main,
// replayed makes no call: it returns and stores what the parent's call returned and stored.
func (c *call) replayed(do func() (int, error), out ...any) (int, error) {
	at := here()
	if at == nowhere {
		if path.retracing.Load() {
			Fatal("fork error: a goroutine of the child calls %s before main has reached Fork", c.name)
		}
		return madeElsewhere(do)
	}
	if path.retracing.Load() {
		return c.retraced(at, out)
	}
	waitHandlers()
	inside := insideOnce()
	result, err := -1, error(errPanicked) // unless do returns
	defer func() {
		value := recover()
		switch {
		case inside: // Once is a step itself
		case value != nil: // the function that Once calls has panicked
			text := fmt.Sprint(value)
			c.record(at, -1, errPanicked, []any{&text})
		default:
			c.record(at, result, err, out)
		}
		if value != nil {
			panic(value)
		}
	}()
	result, err = c.made(do)
	waitHandlers()
	if inside { // Once is a step itself
		path.Lock()
		path.opening = append(path.opening, c.open...)
		path.Unlock()
	}
	return result, err
}

// Errors that only this package has: the kernel's end at 4095.
const (
	errPanicked    unix.Errno = 4096 + iota // the function that Once calls has panicked: in the child, Once panics with the text of the same value
	errTooMuchRead                          // see forkError
	errOtherUser                            // likewise
)

// insideOnce, called on main, tells whether main is in the function that Once calls: Once is the
// only call in which main runs code of the program.
func insideOnce() bool { return mainDoes.Load() != idle }

// filling replays a call that fills a buffer, and the variables to which out points.
func (c *call) filling(buf []byte, do func() (int, error), out ...any) (int, error) {
	var data []byte
	n, err := c.replayed(func() (int, error) {
		n, err := do()
		data = buf[:min(max(n, 0), len(buf))]
		c.bytes = len(data)
		if len(out) == 0 {
			c.data = slices.Clone(data) // main may change the buffer
		}
		return n, err
	}, append([]any{&data}, out...)...)
	copy(buf, data)
	return n, err
}

// skipped makes a call from which main needs nothing but its success. If the call succeeds,
// skipped returns success, and as a rule the path does not need the call. If it fails or stores,
// if the path has one at the same place that did, or if a handler may have changed a kept
// variable since the last step, the call is replayed.
func (c *call) skipped(success int, do func() (int, error), out ...any) (int, error) {
	c.skips = true
	c.success = success
	at := here()
	retracing := path.retracing.Load()
	switch {
	case at == nowhere && retracing:
		return success, nil
	case at == nowhere:
		return madeElsewhere(do)
	case retracing && c.isAhead(at):
		c.stores = len(out) > 0
		return c.retraced(at, out)
	case retracing:
		c.skip(at)
		return success, nil
	}
	waitHandlers()
	inside := insideOnce()
	result, err := c.made(do)
	waitHandlers()
	if inside { // Once is a step itself
		return result, err
	}
	if c.isNeeded(result, err) || path.needed[at] || handlersMayHaveChangedKept() {
		c.record(at, result, err, out)
	} else {
		path.skipped++
	}
	return result, err
}

// UseAhead notes that main is about to use what it has read ahead, if has says that there is
// any: a round of a server's loop may begin with that, and not with a call. It gets a line on
// the path, unless the previous line already records such a use at the same place. UseAhead
// returns has, or, in a child on its way, what it returned in the parent.
func UseAhead(has bool) bool {
	retracing := path.retracing.Load()
	if !has && !retracing {
		return false
	}
	at := here()
	c := briefly("UseAhead")
	c.skips = true
	c.begins = true
	switch {
	case at == nowhere || insideOnce() && path.aheadOfOnce == 0:
	case insideOnce():
		Fatal("fork error: main uses inside Once what it had read ahead before, and a child would find that again")
	case retracing && c.isAhead(at):
		c.retraced(at, nil)
		return true
	case !retracing && !c.repeatsLast(at):
		c.record(at, 0, nil, nil)
	}
	return has
}

// repeatsLast tells whether the last step is this call.
func (c *call) repeatsLast(at place) bool {
	last := lastStep()
	return last != nil && last.at == at && last.call == c.String()
}

// skip passes over a call in a child that retraces main. If the child makes far more such calls
// than its parent, it is in a loop that its parent has left.
func (c *call) skip(at place) {
	path.skipped++
	const farMore = 100_000
	if len(path.ahead) > 0 && path.skipped > path.ahead[0].after+farMore {
		c.fatalDiffers(at, path.ahead[0].line, path.ahead[0].call)
	}
}

// isNeeded tells whether a call that is made through skipped has failed or stored something.
func (c *call) isNeeded(result int, err error) bool {
	return c.skips && (err != nil || result != c.success || c.stores)
}

// handlersMayHaveChangedKept tells whether there are kept variables and a handler has returned
// since the last step.
func handlersMayHaveChangedKept() bool {
	return len(kept.places) > 0 && handlersReturned.Load() != path.handlersReturned
}

// skippedErr is skipped for a call that returns nothing but an error.
func (c *call) skippedErr(do func() error) error {
	_, err := c.skipped(0, func() (int, error) { return 0, do() })
	return err
}

// accepted tells whether the call has got a client. An accept that has failed counts too,
// because it ends a round of a server's loop; a receive that has failed may be one of many that
// wait for the same datagram.
func (c *call) accepted(err error) bool { return c.accepts && (err == nil || !c.reads) }

// waitedInVain tells whether the call was to read or to wait for input, and there was none.
func (c *call) waitedInVain(result int, err error) bool {
	return c.reads && (err != nil || c.does == sleep && result == 0)
}

// foundInput tells whether the call was to read or to wait for input, and there was some, or the
// end of a file.
func (c *call) foundInput(result int, err error) bool {
	return c.reads && err == nil && (c.does == slow || c.does == sleep && result > 0)
}

// describe notes in a step what shortening the path depends on, apart from descriptors.
func (c *call) describe(s *step, err error) {
	s.accepts = c.accepted(err)
	s.skips = c.skips && !c.begins
	s.needed = c.isNeeded(s.result, err)
	s.moves = c.name == "chdir" && err == nil
	s.reads = c.reads
	s.idle = c.waitedInVain(s.result, err)
	s.found = c.foundInput(s.result, err)
	s.ahead = readAhead()
}

// record adds the call to the path.
func (c *call) record(at place, result int, err error, out []any) {
	s := &step{at: at, result: result, errno: errnoOf(err), open: c.open, bytes: c.bytes}
	c.describe(s, err)
	path.handlersReturned = handlersReturned.Load()
	const many = 1000 // for skip
	if c.skips || path.skipped >= many {
		s.after = path.skipped
	}
	s.lost = path.missed.Load() || path.unseen.Load() >= 0 // what main has read unseen may belong to this step's round
	if s.accepts {
		comeBack()
	}
	tooMuch := false
	if c.reads {
		switch {
		case path.readAt[at]:
			loseRead()
			c.readUnseen()
			return
		case path.readAt != nil:
			comeBack()
		}
		tooMuch = !countRead(s)
	}
	s.call = c.String()
	switch {
	case tooMuch || s.lost:
	case c.data != nil: // most servers' children read, and never fork
		s.data = c.data
	default:
		var err error
		s.values, err = valuesText(out...)
		switch {
		case err != nil && c.reads: // a poll of very many descriptors
			tooMuch = true
		case err != nil:
			fatalNotGiven(at, err)
		}
	}
	s.lost = s.lost || tooMuch
	s.noteKept(lastKept())
	appendStep(s)
	if tooMuch {
		goBeyond(at)
		c.readUnseen()
	}
}

// readUnseen lets main read on from a descriptor without a look at its place, which saves time.
// The last step is lost, so until there is another one, the path need not know what main reads.
func (c *call) readUnseen() {
	if c.name == "read" {
		path.unseen.Store(int32(c.fd))
	}
}

// noteKept gives the step the values of the kept variables. The parameter before has their
// values at the previous step.
func (s *step) noteKept(before []keptValue) {
	if len(kept.places) == 0 {
		return
	}
	var err error
	withoutHandlers(func() { s.kept, err = keptValues(before) })
	if err != nil {
		fatalNotGiven(s.at, err)
	}
}

// noteKeptAgain gives the last step what handlers have made of the kept variables since.
func noteKeptAgain() {
	last := lastStep()
	if last != nil && handlersMayHaveChangedKept() {
		last.noteKept(last.kept)
		path.handlersReturned = handlersReturned.Load()
	}
}

// fatalNotGiven ends a program that wants to give a child what no child can be given.
func fatalNotGiven(at place, why error) { Fatal("fork error: %v, as %s asks", why, at.inner()) }

// isAhead tells whether the next step of the parent's path is this call.
func (c *call) isAhead(at place) bool {
	if len(path.ahead) == 0 {
		return false
	}
	next := path.ahead[0]
	return next.at == at && next.after == path.skipped && next.call == c.String()
}

// retraced takes the next step of the parent's path, which must be this call.
func (c *call) retraced(at place, out []any) (int, error) {
	if len(path.ahead) == 0 { // nobody but main may have written the path
		Fatal("fork error: the path ends before the child's %s at %s", c, at.inner())
	}
	s := path.ahead[0]
	if s.at != at || s.call != c.String() {
		c.fatalDiffers(at, s.line, s.call)
	}
	path.ahead = path.ahead[1:]
	result, failed := s.outcome()
	c.describe(s, failed)
	path.skipped = 0
	for _, fd := range slices.Concat(s.open, s.closed) {
		forgetDescriptor(fd)
	}
	path.Lock()
	path.taken = append(path.taken, s)
	noteOpener(s)
	noteNeeded(s)
	path.Unlock()
	text := ""
	if failed == errPanicked {
		out = []any{&text}
	}
	err := setValues(s.values, out...)
	if err == nil {
		err = setKept(s.kept)
	}
	if err != nil {
		Fatal("fork error: the child cannot be given what %s returned at %s: %v", s.call, s.line, err)
	}
	if failed == errPanicked {
		panic(text)
	}
	return result, failed
}

// errnoOf returns the number of an error, or 0 if it is not one of the kernel's.
func errnoOf(err error) unix.Errno {
	errno, _ := err.(unix.Errno)
	return errno
}

// fatalDiffers ends a child whose main has made a different call from its parent's.
func (c *call) fatalDiffers(at place, parentsLine, parentsCall string) {
	childsLine := at.line()
	childsInner, _, _ := strings.Cut(childsLine, "<")
	parentsInner, _, _ := strings.Cut(parentsLine, "<")
	if childsInner != parentsInner || c.String() != parentsCall { // their callers do not matter
		childsLine, parentsLine = childsInner, parentsInner
	}
	Fatal("fork error: the child came to %s %s, where its parent was at %s %s.\n"+
		"Something on main's way to Fork differs in the child: see sys.Once and sys.Keep.", childsLine, c, parentsLine, parentsCall)
}

// String returns the call in the style of strace.
func (c *call) String() string {
	const usual = 64
	var b strings.Builder
	b.Grow(usual)
	b.WriteString(c.name)
	b.WriteByte('(')
	for i, arg := range c.args {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(argument(arg))
	}
	b.WriteByte(')')
	return b.String()
}

// argument is an argument of a call in the style of strace. The usual ones are formatted without
// fmt, so that a child need not load that package's pages.
func argument(arg any) string {
	switch a := arg.(type) {
	case nil:
		return "NULL"
	case string:
		return strconv.QuoteToASCII(a)
	case int:
		return strconv.Itoa(a)
	case constant:
		return string(a)
	case fmt.Stringer:
		return a.String()
	}
	return fmt.Sprint(arg)
}

// A constant is an argument that prints without quotes.
type constant string

// result returns the result of a system call, or -1 and the error if the call has failed.
func result(n, _ uintptr, errno unix.Errno) (int, error) {
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}
