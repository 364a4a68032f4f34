package main

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// A call is a system call as strace wrote it, its two halves joined.
type call struct {
	pid      int // the thread's
	from, to micros
	next     micros // when strace wrote of the thread again; 0 if it did not
	name     string
	args     []string
	result   string // the number, with the file or connection that it names: 4<TCP:[…]>; ? if there is none
	errno    string // EINTR; ERESTARTSYS, which only strace sees
	detail   string // what strace adds to the result, in parentheses
	returned bool   // the program continued after it
}

// A signal is one that a thread got.
type signal struct {
	pid    int
	at     micros
	name   string
	code   string // CLD_EXITED, SI_USER, …
	sender int
}

// An ending is the last that strace wrote of a thread.
type ending struct {
	pid    int
	at     micros
	killed string // by this signal
	status string
}

// An entry is a *call, a *signal or an *ending. A call has two places in a trace: where it
// begins, and where it ends.
type entry struct {
	at   micros
	what any
	end  bool // of the call
}

// micros is a time in microseconds, since 1970.
type micros int64

var (
	straceLine   = regexp.MustCompile(`^(\d+) +(\d+\.\d{6}) (.*)$`)
	signalLine   = regexp.MustCompile(`^--- (SIG\w+) \{(.*)\} ---$`)
	stoppedLine  = regexp.MustCompile(`^--- stopped by SIG\w+ ---$`)
	exitedLine   = regexp.MustCompile(`^\+\+\+ exited with (\d+) \+\+\+$`)
	killedLine   = regexp.MustCompile(`^\+\+\+ killed by (SIG\w+)(?: \(core dumped\))? \+\+\+$`)
	replacedLine = regexp.MustCompile(`^\+\+\+ superseded by execve in pid \d+ \+\+\+$`)
	resumedLine  = regexp.MustCompile(`^<\.\.\. (\w+|\?\?\?) resumed>(.*)$`)
	callLine     = regexp.MustCompile(`^(\w+|\?\?\?)\((.*)$`)
	resultText   = regexp.MustCompile(`^\) += (\?|-?\d+|0x[0-9a-f]+)(<.*?>)?(?: (E[A-Z0-9_]+))?(?: \((.*)\))?(?: <(\d+\.\d{6})>)?$`)
	signalCode   = regexp.MustCompile(`\bsi_code=(\w+)`)
	signalSender = regexp.MustCompile(`\bsi_pid=(\d+)`)
)

const unfinished = " <unfinished ...>"

// A tracer reads what strace -f -ttt -T -yy has written, a line at a time.
type tracer struct {
	entries []entry
	open    map[int]half // by thread
	last    map[int]*call
}

// A half is a call's first line.
type half struct {
	entry int // its place among the entries
	text  string
}

// readTrace reads a trace. The last line may lack its end: a call that has not returned. With an
// error come the entries before it.
func readTrace(r io.Reader) ([]entry, error) {
	t := tracer{open: map[int]half{}, last: map[int]*call{}}
	in := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := in.ReadString('\n')
		if err != nil && err != io.EOF {
			return t.entries, err
		} else if line == "" {
			return t.entries, nil
		}
		text, complete := strings.CutSuffix(line, "\n")
		if problem := t.line(text, complete); problem != "" {
			return t.entries, fmt.Errorf("line %d %s: %.60q", n, problem, text)
		}
	}
}

// line takes one line, and says what is wrong with it.
func (t *tracer) line(line string, complete bool) (problem string) {
	m := straceLine.FindStringSubmatch(line)
	if m == nil && !complete {
		return "is cut short"
	} else if m == nil {
		return "is not what strace writes for record"
	}
	pid, err := strconv.Atoi(m[1])
	at, ok := parseTime(m[2])
	if err != nil || !ok {
		return "has a number that is too large"
	}
	if c := t.last[pid]; c != nil && c.next == 0 {
		c.next = at
	}
	switch text := m[3]; {
	case text == "":
		return "is cut short"
	case strings.HasPrefix(text, "---"):
		problem = t.signal(pid, at, text)
	case strings.HasPrefix(text, "+++"):
		problem = t.ending(pid, at, text)
	case strings.HasPrefix(text, "<... "):
		problem = t.secondHalf(pid, at, text)
	default:
		problem = t.call(pid, at, text, complete)
	}
	if problem != "" && !complete {
		return "is cut short"
	}
	return problem
}

const foreign = "is not what strace writes for record"

func (t *tracer) signal(pid int, at micros, text string) string {
	if stoppedLine.MatchString(text) {
		return "" // the signal has a line of its own
	}
	m := signalLine.FindStringSubmatch(text)
	if m == nil {
		return foreign
	}
	s := &signal{pid: pid, at: at, name: m[1]}
	if code := signalCode.FindStringSubmatch(m[2]); code != nil {
		s.code = code[1]
	}
	if sender := signalSender.FindStringSubmatch(m[2]); sender != nil {
		s.sender, _ = strconv.Atoi(sender[1])
	}
	t.entries = append(t.entries, entry{at: at, what: s})
	return ""
}

func (t *tracer) ending(pid int, at micros, text string) string {
	e := &ending{pid: pid, at: at}
	if m := exitedLine.FindStringSubmatch(text); m != nil {
		e.status = m[1]
	} else if m := killedLine.FindStringSubmatch(text); m != nil {
		e.killed = m[1]
	} else if replacedLine.MatchString(text) {
		return ""
	} else {
		return foreign
	}
	delete(t.open, pid)
	t.entries = append(t.entries, entry{at: at, what: e})
	return ""
}

// call takes a line with a whole call, or with its first half. A line without an end is
// that of a call that has not returned.
func (t *tracer) call(pid int, at micros, text string, complete bool) string {
	m := callLine.FindStringSubmatch(text)
	if m == nil {
		return foreign
	}
	c := &call{pid: pid, from: at, name: m[1]}
	first, cut := strings.CutSuffix(m[2], unfinished)
	if args, rest := arguments(first); !cut && rest != "" {
		if !strings.HasPrefix(rest, ")") {
			return foreign
		}
		return t.whole(c, args, rest, at)
	} else if cut || !complete {
		c.args = args
		t.open[pid] = half{len(t.entries), first}
		t.entries = append(t.entries, entry{at: at, what: c})
		return ""
	}
	return foreign
}

// secondHalf takes the line on which a call returns that has begun on an earlier one.
func (t *tracer) secondHalf(pid int, at micros, text string) string {
	m := resumedLine.FindStringSubmatch(text)
	h, begun := t.open[pid]
	if m == nil || !begun {
		return foreign
	}
	c := t.entries[h.entry].what.(*call)
	if c.name != m[1] {
		return foreign
	}
	args, rest := arguments(h.text + m[2])
	if !complete(c, args, rest, at) {
		return foreign
	}
	delete(t.open, pid)
	t.last[pid] = c
	t.entries = append(t.entries, entry{at: at, what: c, end: true})
	return ""
}

// whole takes a call that stands on one line.
func (t *tracer) whole(c *call, args []string, rest string, at micros) string {
	if strings.HasPrefix(rest, ")") && strings.Contains(rest, "= ?") && strings.HasSuffix(strings.Join(args, ","), strings.TrimSpace(unfinished)) {
		args = args[:len(args)-1] // the thread was killed in it
	}
	if !complete(c, args, rest, at) {
		return foreign
	}
	t.last[c.pid] = c
	t.entries = append(t.entries, entry{at: c.from, what: c}, entry{at: c.to, what: c, end: true})
	return ""
}

// complete fills in how a call has ended. rest begins with the parenthesis after the arguments.
func complete(c *call, args []string, rest string, at micros) bool {
	m := resultText.FindStringSubmatch(strings.TrimSuffix(rest, " (INJECTED)"))
	if m == nil {
		return false
	}
	c.args, c.result, c.errno, c.detail = args, m[1]+m[2], m[3], m[4]
	c.returned = m[1] != "?"
	c.to = at
	if took, ok := parseTime(m[5]); ok && at == c.from {
		c.to += took
	}
	return true
}

// parseTime reads seconds with six decimals.
func parseTime(s string) (micros, bool) {
	seconds, fraction, _ := strings.Cut(s, ".")
	if len(seconds) > 12 || len(fraction) != 6 {
		return 0, false
	}
	n, err := strconv.ParseInt(seconds+fraction, 10, 64)
	return micros(n), err == nil
}

// arguments splits what stands behind a call's opening parenthesis into its arguments, and
// what begins with the closing one.
func arguments(s string) (args []string, rest string) {
	depth, begin := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			i += quoted(s[i:]) - 1
		case '<':
			i += named(s[:i], s[i:])
		case '{', '[', '(':
			depth++
		case '}', ']', ')':
			if depth--; depth < 0 {
				return appendArgument(args, s[begin:i]), s[i:]
			}
		case ',':
			if depth == 0 {
				args, begin = append(args, strings.TrimSpace(s[begin:i])), i+1
			}
		}
	}
	return appendArgument(args, s[begin:]), ""
}

func appendArgument(args []string, last string) []string {
	if last = strings.TrimSpace(last); last != "" {
		args = append(args, last)
	}
	return args
}

// quoted returns the length of the string at the beginning of s, quotes included.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

// named returns how many bytes follow the bracket at the beginning of s that opens the name
// of the descriptor before it, as in 3<TCP:[127.0.0.1:9877->127.0.0.1:54580]>.
func named(before, s string) int {
	if before == "" || before[len(before)-1] < '0' || before[len(before)-1] > '9' {
		return 0
	}
	for i := 1; i < len(s); i++ {
		if s[i] == '>' && s[i-1] != '-' {
			return i
		}
	}
	return 0
}
