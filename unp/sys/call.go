//go:build linux && (amd64 || arm64)

package sys

import (
	"fmt"
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
	args []any // as strace shows them, without what the call fills
	does activity
	fd   int   // the descriptor on which main may sleep, or -1
	open []int // the descriptors that it has opened

	accepts bool // it waits for a client
	bytes   int  // how many it has read
	reads   bool // it counts against the bound of what main reads on its way to Fork
	skips   bool // a child on its way does nothing, unless the parent's call has failed
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

// reading marks a call that counts against the bound of what main reads, such as read(2).
func (c *call) reading() *call {
	c.reads = true
	return c
}

// opened notes that the call has opened a descriptor.
func (c *call) opened(fd int, err error) (int, error) {
	if err != nil {
		fd = -1
	} else {
		closed(fd) // main may have closed that of this number with unix.Close
		c.open = append(c.open, fd)
	}
	return fd, err
}

// made makes a call. In the meantime, handlers find main doing what c.does says; that ends
// even if do panics.
func (c *call) made(do func() (int, error)) (int, error) {
	defer begin(c.does, c.fd)()
	return do()
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
		return do()
	}
	if path.retracing.Load() {
		return c.retraced(at, out)
	}
	waitHandlers()
	insideOnce := mainDoes.Load() != idle
	result, err := -1, error(errPanicked) // unless do returns
	defer func() {
		value := recover()
		switch {
		case value != nil && !insideOnce: // in Once
			text := fmt.Sprint(value)
			c.remembered(at, -1, errPanicked, []any{&text})
		case !insideOnce:
			c.remembered(at, result, err, out)
		}
		if value != nil {
			panic(value)
		}
	}()
	result, err = c.made(do)
	waitHandlers()
	if insideOnce { // Once is a step itself
		path.opening = append(path.opening, c.open...)
	}
	return result, err
}

// errPanicked is the error that the path has for a function that has panicked in Once. In the
// child, Once panics with the text of the same value.
const errPanicked = unix.ECANCELED

// filling replays a call that fills a buffer, and the variables to which out points.
func (c *call) filling(buf []byte, do func() (int, error), out ...any) (int, error) {
	var data []byte
	n, err := c.replayed(func() (int, error) {
		n, err := do()
		data = buf[:min(max(n, 0), len(buf))]
		c.bytes = len(data)
		return n, err
	}, append([]any{&data}, out...)...)
	copy(buf, data)
	return n, err
}

// skipped makes a call that only does something. If the call succeeds, skipped returns
// success, and the path does not need the call; if it fails, the call is replayed.
func (c *call) skipped(success int, do func() (int, error)) (int, error) {
	c.skips = true
	if path.beyond.Load() && undisturbed() {
		return do()
	}
	at := here()
	retracing := path.retracing.Load()
	switch {
	case at == nowhere && retracing:
		return success, nil
	case at == nowhere:
		return do()
	case retracing && c.isAhead(at):
		return c.retraced(at, nil)
	case retracing:
		path.skipped.Add(1)
		return success, nil
	}
	waitHandlers()
	insideOnce := mainDoes.Load() != idle
	result, err := c.made(do)
	waitHandlers()
	switch {
	case insideOnce:
	case err == nil && result == success && !handlersMayHaveChangedKept():
		path.skipped.Add(1)
	default:
		c.remembered(at, result, err, nil)
	}
	return result, err
}

// handlersMayHaveChangedKept tells whether there are kept variables and a handler has returned
// since the last step.
func handlersMayHaveChangedKept() bool {
	return len(kept.places) > 0 && returned.Load() != path.returned
}

// done is skipped for a call that returns nothing but an error.
func (c *call) done(do func() error) error {
	_, err := c.skipped(0, func() (int, error) { return 0, do() })
	return err
}

// remembered adds the call to the path.
func (c *call) remembered(at place, result int, err error, out []any) {
	s := &step{at: at, result: result, open: c.open, accepts: c.accepts && !(c.reads && err != nil), reads: c.reads, ahead: readAhead() > 0}
	path.returned = returned.Load()
	if c.skips {
		s.after = path.skipped.Load()
	}
	s.errno = errnoOf(err)
	if c.reads {
		if path.beyond.Load() {
			return
		}
		s.lost = !countRead(c.bytes)
	}
	s.call = c.String()
	var why error
	if !s.lost {
		s.values, why = valuesText(out...)
	}
	if why != nil && c.reads { // more than a child can be given
		s.lost = true
		path.beyond.Store(true)
		why = nil
	}
	if why == nil && len(kept.places) > 0 {
		withoutHandlers(func() { s.kept, why = keptValues(lastKept()) })
	}
	if why != nil {
		Fatal("fork error: %v, as %s asks", why, at.inner())
	}
	remember(s)
}

// isAhead tells whether the next step of the parent's path is this call.
func (c *call) isAhead(at place) bool {
	if len(path.ahead) == 0 {
		return false
	}
	next := path.ahead[0]
	return next.at == at && next.after == path.skipped.Load() && next.call == c.String()
}

// retraced takes the next step of the parent's path, which must be this call.
func (c *call) retraced(at place, out []any) (int, error) {
	if len(path.ahead) == 0 {
		c.differs(at, "at its end", "")
	}
	s := path.ahead[0]
	if s.at != at || s.call != c.String() {
		c.differs(at, s.line, s.call)
	}
	path.ahead = path.ahead[1:]
	ahead := readAhead() > 0
	path.skipped.Store(0)
	for _, fd := range s.open {
		closed(fd)
	}
	path.taken = append(path.taken, s)
	own(s)
	if s.errno == errPanicked {
		text := ""
		setValues(s.values, &text)
		panic(text)
	}
	err := setValues(s.values, out...)
	if err == nil {
		err = setKept(s.kept)
	}
	if err != nil {
		Fatal("fork error: the child cannot be given what %s returned at %s: %v", s.call, s.line, err)
	}
	s.accepts = c.accepts && !(c.reads && s.errno != 0) // no datagram, no client
	s.reads, s.ahead = c.reads, ahead
	return s.returned()
}

// errnoOf returns the number of an error, or 0 if it is not one of the kernel's.
func errnoOf(err error) unix.Errno {
	errno, _ := err.(unix.Errno)
	return errno
}

func (s *step) returned() (int, error) {
	if s.errno != 0 {
		return s.result, s.errno
	}
	return s.result, nil
}

// differs ends a child whose main has made a different call from its parent's.
func (c *call) differs(at place, parentsLine, parentsCall string) {
	childsLine := at.line()
	childsInner, _, _ := strings.Cut(childsLine, "<")
	parentsInner, _, _ := strings.Cut(parentsLine, "<")
	if childsInner != parentsInner || c.String() != parentsCall { // their callers do not matter
		childsLine, parentsLine = childsInner, parentsInner
	}
	Fatal("fork error: the child came to %s %s, where its parent was at %s %s.\n"+
		"Something on main's way to Fork differs in the child: see sys.Once and sys.Keep.", childsLine, c, parentsLine, parentsCall)
}

// String returns the call as strace shows it.
func (c *call) String() string {
	var b strings.Builder
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

// argument is an argument of a call as strace shows it. The usual ones are formatted without
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
