package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// A process is one of those that a record follows: a program, or a child of one.
type process struct {
	pid     int
	name    string // of the program's file
	parent  *process
	born    micros
	events  []*event // in the order in which they happened
	ended   bool
	sockets map[string]*socket // by descriptor

	actions map[string]action // what it does with each signal
	birth   map[string]action // and did when it was born
	early   []*call           // the calls to sigaction before its first event
	threads map[int]*thread
	caught  micros // when it last got a signal that it handles
}

// An event is a line of the picture: a call, or its beginning or end, a signal, the end of a
// process, a segment.
type event struct {
	at      micros
	process *process // nil for a segment
	text    string
	depth   int    // 1 in a signal handler
	call    *call  // nil for a signal
	begin   *event // of the call that ends here
	slow    bool   // the call begins here, and ends at another event
	signal  *signal
	handled bool // the signal has a handler
	ignored bool // the signal does nothing
	killed  bool // the end of a process that SIGKILL has ended
	segment *segment
	socket  *socket // on which the call was made
	offset  int     // the bytes read from the socket, or written to it, so far

	causes  []*event
	outside bool // what has caused it is not in the record: a key, a command, a clock
}

// A thread is where one thread of a process is.
type thread struct {
	depth    int    // how many handlers run on it
	open     *event // where the call began that a signal has interrupted
	openedAt int    // the depth of that call
	begins   map[*call]*event
}

// A program is what becomes of a trace.
type program struct {
	processes []*process
	of        map[int]*process // by thread
}

// processes finds the processes of a trace, and what of it belongs to their listings.
func processes(entries []entry) []*process {
	p := program{of: map[int]*process{}}
	for _, e := range entries {
		switch what := e.what.(type) {
		case *call:
			if proc := p.process(what.pid, e.at); e.end {
				proc.callEnds(what)
			} else {
				p.forks(proc, what)
				proc.callBegins(what)
			}
		case *signal:
			p.process(what.pid, e.at).gets(what)
		case *ending:
			p.process(what.pid, e.at).ends(what)
		}
	}
	for _, proc := range p.processes {
		proc.markRestarts()
	}
	return p.processes
}

// process returns the process of a thread.
func (p *program) process(tid int, at micros) *process {
	if p.of[tid] == nil {
		p.add(&process{pid: tid, name: "?", born: at, sockets: map[string]*socket{}, actions: map[string]action{}, birth: map[string]action{}})
	}
	return p.of[tid]
}

func (p *program) add(proc *process) {
	proc.threads = map[int]*thread{}
	p.of[proc.pid] = proc
	p.processes = append(p.processes, proc)
}

// forkCalls make a process, or a thread.
var forkCalls = []string{"clone", "clone3", "fork", "vfork"}

func (c *call) makesThread() bool {
	return strings.Contains(strings.Join(c.args, " "), "CLONE_THREAD")
}

// forks notes what a fork makes. The child has all that its parent has at this moment.
func (p *program) forks(parent *process, c *call) {
	pid := number(c.result)
	if !slices.Contains(forkCalls, c.name) || pid <= 0 {
		return
	} else if c.makesThread() {
		p.of[pid] = parent
		return
	}
	child := &process{pid: pid, name: parent.name, parent: parent, born: c.from,
		sockets: maps.Clone(parent.sockets), actions: maps.Clone(parent.actions), birth: maps.Clone(parent.actions)}
	for _, s := range child.sockets {
		s.holders = append(s.holders, child)
	}
	p.add(child)
}

func (proc *process) thread(tid int) *thread {
	if proc.threads[tid] == nil {
		proc.threads[tid] = &thread{begins: map[*call]*event{}}
	}
	return proc.threads[tid]
}

// callBegins takes the beginning of a call.
func (proc *process) callBegins(c *call) {
	t := proc.thread(c.pid)
	interrupted := t.open
	if t.openedAt == t.depth {
		t.open = nil
	}
	switch {
	case proc.ended:
	case c.name == "exit_group":
		proc.insert(&event{at: c.from, call: c, text: fmt.Sprintf("exit(%s)", strings.Join(c.args, ", "))})
		proc.end()
	case interrupted != nil && t.open == nil && (c.name == interrupted.call.name || c.name == "restart_syscall"):
		t.begins[c] = interrupted // the kernel makes the call again
	case c.shown() && c.slow():
		begin := &event{at: c.from, call: c, text: c.begins(), slow: true, socket: proc.socket(c)}
		if begin.socket != nil {
			begin.socket.events = append(begin.socket.events, begin)
		}
		t.begins[c] = begin
		proc.insert(begin)
	case c.shown():
		e := &event{at: c.from, call: c, text: c.text(), socket: proc.socket(c)}
		e.countBytes()
		proc.insert(e)
		proc.changeSocket(c, e)
	}
}

// callEnds takes the end of a call.
func (proc *process) callEnds(c *call) {
	t := proc.thread(c.pid)
	begin := t.begins[c]
	delete(t.begins, c)
	switch {
	case proc.ended:
	case c.name == "execve" && c.result == "0":
		proc.execute(c)
	case c.name == "rt_sigaction" && c.returned:
		proc.sigaction(c)
	case c.name == "rt_sigreturn":
		proc.handlerReturns(t, c)
	case c.name == "socket" && c.returned:
		proc.newSocket(c)
	case begin != nil && strings.HasPrefix(c.errno, "ERESTART"):
		t.open, t.openedAt = begin, t.depth
	case begin != nil && c.returned:
		proc.returns(begin, c)
	}
}

// returns notes that a call ends that began at an event of its own.
func (proc *process) returns(begin *event, c *call) {
	if c.name == "restart_syscall" { // strace shows no arguments
		c.name, c.args = begin.call.name, begin.call.args
	}
	e := &event{at: c.to, call: c, text: c.text(), begin: begin, socket: begin.socket}
	if c.name == "accept" || c.name == "accept4" {
		e.socket = proc.accepted(c)
	}
	e.countBytes()
	proc.insert(e)
}

// insert adds an event. What a handler does stands before the end of the call that its signal
// interrupts, although another thread may make the handler's calls, and later.
func (proc *process) insert(e *event) {
	e.process = proc
	i := len(proc.events)
	if i == 0 {
		proc.earlyActions()
		i = len(proc.events)
	}
	if main := e.call == nil || e.call.pid == proc.pid; main {
		e.depth = min(proc.thread(proc.pid).depth, 1)
	} else if proc.caught > 0 {
		e.depth = 1
		if last := proc.events[i-1]; last.begin != nil && last.depth == 0 && last.begin.at < proc.caught && last.at > proc.caught {
			i--
		}
	}
	proc.events = slices.Insert(proc.events, i, e)
}

// execute takes a successful execve. Fork executes the same program again.
func (proc *process) execute(c *call) {
	if file := strings.Trim(c.arg(0), `"`); file != "/proc/self/exe" {
		proc.name = filepath.Base(file)
	}
	maps.DeleteFunc(proc.actions, func(_ string, a action) bool { return a.caught })
	proc.early = nil
}

// end notes that the last event is the end of the process.
func (proc *process) end() {
	proc.ended = true
	last := proc.events[len(proc.events)-1]
	for _, s := range proc.sockets {
		s.releases[proc] = last
	}
}

// ends takes the end of a thread. The process ends with its first thread that is killed, or
// with its last one.
func (proc *process) ends(e *ending) {
	if proc.ended || e.killed == "" && e.pid != proc.pid {
		return
	} else if e.killed == "" {
		proc.insert(&event{at: e.at, text: "exit(" + e.status + ")"})
	} else if i := len(proc.events) - 1; i >= 0 && proc.events[i].signal != nil && proc.events[i].signal.name == e.killed {
		proc.events[i].text = e.killed + ": killed"
	} else {
		proc.insert(&event{at: e.at, text: e.killed + ": killed", killed: true, outside: true})
	}
	proc.end()
}
