//go:build linux && (amd64 || arm64)

package sys

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A child is given a text, in the environment variable UNP_FORK: first some lines about what
// it inherits, then a line for each step of the path, with the step's place and the call in
// the style of strace. What does not fit into one variable continues in UNP_FORK1, UNP_FORK2
// and so on.
const forkVar = "UNP_FORK"

// maxVar is how long one of these variables may be: execve(2) allows 131072 bytes.
const maxVar = 120_000

// A heritage is what a child has from its parent, besides the path.
type heritage struct {
	name        string // which ps shows, and exec would change to "exe"
	directory   string // in which sys found the first process, which no Fork made
	directoryID fileID
	ignored     uint64   // the signals that it found ignored
	blocked     uint64   // the signals that main blocks
	closed      uint64   // the standard descriptors that are closed: 1 << fd
	arrival     int      // the descriptor on which the parent waits for the child's arrival, or 0
	cwd         int      // a descriptor of the parent's directory, 0 if that is the one in the field directory, or -1 if the child starts in it
	actions     []action // what the parent does about signals
	environment []string // the parent's; nil if it is that with which the program is executed
}

// A fileID tells files apart, even if they are renamed, see stat(2).
type fileID struct{ device, inode uint64 }

// An action is a Sigaction_t that a child can be given. A child sets the dispositions that main
// sets on its way, but only its parent knows those that a forgotten round, a handler,
// SA_RESETHAND or another goroutine has set. So at its Fork a child is given them all.
type action struct {
	signo    unix.Signal
	handler  uint64 // its address from anchor, or kernelDFL or kernelIGN
	closures string // its names instead, see closureNames, if it has variables of its own
	mask     uint64
	flags    uint64
}

// signals returns the signals that the parent blocks, catches or ignores.
func (h *heritage) signals() uint64 {
	set := h.blocked
	for _, a := range h.actions {
		if a.handler != kernelDFL || a.closures != "" {
			set |= bit(a.signo)
		}
	}
	return set
}

// inherited is what this process has from its parent, and passes on.
var inherited heritage

var errForged = errors.New("not what Fork hands to its child")

// handOver returns the environment variables in which a child is given its heritage and its path.
func handOver(h heritage, steps []*step) []string {
	const usual = 1024 // bytes
	b := make([]byte, 0, usual)
	b = fmt.Appendf(b, "name %q\ndirectory %q %x %x\n", h.name, h.directory, h.directoryID.device, h.directoryID.inode)
	b = fmt.Appendf(b, "ignored %x\nblocked %x\nclosed %x\n", h.ignored, h.blocked, h.closed)
	if h.arrival != 0 {
		b = fmt.Appendf(b, "arrival %d\n", h.arrival)
	}
	if h.cwd != 0 {
		b = fmt.Appendf(b, "cwd %d\n", h.cwd)
	}
	for _, a := range h.actions {
		b = a.appendLine(b)
	}
	if h.environment != nil {
		b = fmt.Appendf(b, "environment %d\n", len(h.environment))
	}
	for _, s := range h.environment {
		b = fmt.Appendf(b, "%q\n", s)
	}
	var before []keptValue
	for _, s := range steps {
		b = s.appendLine(b, before)
		before = s.kept
	}
	var variables []string
	for part := range slices.Chunk(b, maxVar) {
		variables = append(variables, forkVarName(len(variables))+"="+string(part))
	}
	return variables
}

func forkVarName(n int) string {
	if n == 0 {
		return forkVar
	}
	return forkVar + strconv.Itoa(n)
}

func withoutForkVars(environ []string) []string {
	return slices.DeleteFunc(environ, func(s string) bool {
		name, _, _ := strings.Cut(s, "=")
		number, found := strings.CutPrefix(name, forkVar)
		return found && strings.Trim(number, "0123456789") == ""
	})
}

// handedOver returns what handOver has put into an environment.
func handedOver(environ []string) string {
	var parts []string
	for {
		name := forkVarName(len(parts)) + "="
		i := slices.IndexFunc(environ, func(s string) bool { return strings.HasPrefix(s, name) })
		if i < 0 {
			return strings.Join(parts, "")
		}
		parts = append(parts, environ[i][len(name):])
	}
}

// receive undoes handOver: it turns the text into a heritage and steps again.
func receive(text string) (h heritage, steps []*step, err error) {
	text, err = h.setText(text)
	if err != nil {
		return h, nil, err
	}
	var before []keptValue
	for line := range strings.Lines(text) {
		s, err := parseLine(strings.TrimSuffix(line, "\n"), before)
		if err != nil {
			return h, nil, err
		}
		before = s.kept
		steps = append(steps, s)
	}
	if len(steps) == 0 {
		return h, nil, errForged
	}
	return h, steps, nil
}

// setText takes the lines about the heritage, and returns the others.
func (h *heritage) setText(text string) (others string, err error) {
	s := scanner{rest: text, ok: true}
	s.literal("name ")
	h.name = s.quoted()
	s.literal("\ndirectory ")
	h.directory = s.quoted()
	s.literal(" ")
	h.directoryID.device = s.hex()
	s.literal(" ")
	h.directoryID.inode = s.hex()
	s.literal("\nignored ")
	h.ignored = s.hex()
	s.literal("\nblocked ")
	h.blocked = s.hex()
	s.literal("\nclosed ")
	h.closed = s.hex()
	s.literal("\n")
	if s.has("arrival ") {
		h.arrival = s.integer()
		s.literal("\n")
	}
	if s.has("cwd ") {
		h.cwd = s.integer()
		s.literal("\n")
	}
	for s.has("signal ") {
		h.actions = append(h.actions, s.action())
	}
	if s.has("environment ") {
		n := s.integer()
		s.literal("\n")
		h.environment = []string{}
		for len(h.environment) < n && s.ok {
			h.environment = append(h.environment, s.quoted())
			s.literal("\n")
		}
	}
	if !s.ok {
		return "", errForged
	}
	return s.rest, nil
}

// appendLine appends an action as a line, such as
//
//	signal 17 handler 1a6530 mask 0 flags 10000000
func (a action) appendLine(b []byte) []byte {
	handler := fmt.Sprintf("handler %x", a.handler)
	if a.closures != "" {
		handler = "closure " + a.closures
	}
	return fmt.Appendf(b, "signal %d %s mask %x flags %x\n", a.signo, handler, a.mask, a.flags)
}

// appendLine appends a step as a line, such as
//
//	0x5d0c6a3f8e1b2974 tcpserv04.go:33 accept(3) = 4 (127.0.0.1:54580 16) open 4
//
// The line has the values of kept variables only if they differ from those of the step before.
func (s *step) appendLine(b []byte, before []keptValue) []byte {
	if s.line == "" {
		s.line = s.at.line()
	}
	if s.values == "" && s.data != nil {
		s.values, _ = quote(string(s.data)) // no more than maxData
	}
	b = fmt.Appendf(b, "0x%016x %s %s = %d", uint64(s.at), s.line, s.call, s.result)
	if s.errno != 0 {
		b = fmt.Appendf(b, " %s", errnoName(s.errno))
	}
	if s.values != "" {
		b = fmt.Appendf(b, " (%s)", s.values)
	}
	b = appendNumbers(b, " open ", s.open)
	b = appendNumbers(b, " closed ", s.closed)
	if s.after != 0 {
		b = fmt.Appendf(b, " after %d", s.after)
	}
	changes := appendChanges(nil, before, s.kept)
	if len(changes) > 0 {
		b = fmt.Appendf(b, " kept %s", changes)
	}
	return append(b, '\n')
}

// parseLine returns the step from which appendLine has made the line.
func parseLine(line string, before []keptValue) (*step, error) {
	s := scanner{rest: line, ok: true}
	st := &step{kept: before}
	s.literal("0x")
	st.at = place(s.hex())
	s.literal(" ")
	st.line = s.until(" ")
	s.literal(" ")
	st.call = s.call()
	s.literal(" = ")
	st.result = s.integer()
	if strings.HasPrefix(s.rest, " E") || strings.HasPrefix(s.rest, " errno") {
		s.literal(" ")
		st.errno = s.errno()
		s.ok = s.ok && (st.errno != errPanicked || strings.HasPrefix(st.call, "Once")) // nothing else panics
	}
	if s.has(" (") {
		st.values = s.values()
		s.literal(")")
	}
	st.open = s.numbers(" open ")
	st.closed = s.numbers(" closed ")
	if s.has(" after ") {
		st.after = int64(s.integer())
	}
	if s.has(" kept ") {
		var err error
		st.kept, s.rest, err = parseChanges(before, s.rest)
		s.ok = s.ok && err == nil
	}
	if !s.ok || s.rest != "" {
		return nil, errForged
	}
	return st, nil
}

// appendNumbers appends numbers as a list, such as " open 3,4".
func appendNumbers(b []byte, word string, numbers []int) []byte {
	for _, n := range numbers {
		b = append(b, word...)
		b = strconv.AppendInt(b, int64(n), 10)
		word = ","
	}
	return b
}

// errnoName returns the name of an error, such as EINTR, or errno and its number.
func errnoName(errno unix.Errno) string {
	name := unix.ErrnoName(errno)
	if name == "" {
		return fmt.Sprintf("errno%d", int(errno))
	}
	return name
}

// errnoNamed returns the error with this name, or 0.
func errnoNamed(name string) unix.Errno {
	number, unnamed := strings.CutPrefix(name, "errno")
	if unnamed {
		n, _ := strconv.ParseUint(number, 10, 16)
		return unix.Errno(n)
	}
	const last = 133 // EHWPOISON
	for errno := unix.Errno(1); errno <= last; errno++ {
		if unix.ErrnoName(errno) == name {
			return errno
		}
	}
	return 0
}

// A scanner takes a text apart, from its beginning. It stops being ok when it finds anything
// but what is asked for.
type scanner struct {
	rest string
	ok   bool
}

// has takes a prefix if it is there, and tells whether it was.
func (s *scanner) has(prefix string) bool {
	rest, found := strings.CutPrefix(s.rest, prefix)
	s.rest = rest
	return found
}

func (s *scanner) literal(prefix string) { s.ok = s.has(prefix) && s.ok }

// take takes the first n bytes.
func (s *scanner) take(n int) string {
	taken := s.rest[:n]
	s.rest = s.rest[n:]
	return taken
}

func (s *scanner) until(end string) string {
	n := strings.Index(s.rest, end)
	s.ok = s.ok && n > 0
	return s.take(max(n, 0))
}

func (s *scanner) quoted() string {
	quoted, err := strconv.QuotedPrefix(s.rest)
	s.ok = s.ok && err == nil
	unquoted, _ := strconv.Unquote(s.take(len(quoted)))
	return unquoted
}

// word takes what precedes the next space, newline, comma or closing parenthesis.
func (s *scanner) word() string {
	n := strings.IndexAny(s.rest, " \n,)")
	if n < 0 {
		n = len(s.rest)
	}
	return s.take(n)
}

func (s *scanner) hex() uint64 {
	n, err := strconv.ParseUint(s.word(), 16, 64)
	s.ok = s.ok && err == nil
	return n
}

func (s *scanner) integer() int {
	n, err := strconv.Atoi(s.word())
	s.ok = s.ok && err == nil
	return n
}

// numbers takes a list of numbers that begins with a word, if there is one.
func (s *scanner) numbers(word string) (list []int) {
	for s.has(word) {
		list = append(list, s.integer())
		word = ","
	}
	return list
}

func (s *scanner) errno() unix.Errno {
	errno := errnoNamed(s.word())
	s.ok = s.ok && errno != 0
	return errno
}

// call takes a call, even one with a parenthesis in an argument, such as open("file)", 0).
func (s *scanner) call() string {
	n := strings.Index(s.rest, "(")
	for n > 0 && n < len(s.rest) && s.rest[n] != ')' {
		quoted, err := strconv.QuotedPrefix(s.rest[n:])
		if err != nil {
			quoted = s.rest[n : n+1]
		}
		n += len(quoted)
	}
	s.ok = s.ok && n > 0 && n < len(s.rest)
	if !s.ok {
		return ""
	}
	return s.take(n + 1)
}

// values takes the values of variables.
func (s *scanner) values() string { return s.take(endOfValues(s.rest)) }

// action takes what appendLine has appended, without its first word.
func (s *scanner) action() (a action) {
	n := s.integer()
	s.ok = s.ok && isSignal(unix.Signal(n))
	a.signo = unix.Signal(n)
	if s.has(" closure ") {
		a.closures = s.until(" ")
	} else {
		s.literal(" handler ")
		a.handler = s.hex()
	}
	s.literal(" mask ")
	a.mask = s.hex()
	s.literal(" flags ")
	a.flags = s.hex()
	s.literal("\n")
	return a
}
