package main

import (
	"regexp"
	"slices"
	"strings"
)

// An action is what a process does with a signal.
type action struct {
	caught, ignored, restart bool
}

var (
	actionHandler = regexp.MustCompile(`^\{sa_handler=([^,]+),`)
	actionFlags   = regexp.MustCompile(`\bsa_flags=([^,}]+)`)
)

// action returns what one of the arguments of a call to sigaction says, if it says anything.
func (c *call) action(arg int) (a action, ok bool) {
	handler := actionHandler.FindStringSubmatch(c.arg(arg))
	if handler == nil || c.result != "0" {
		return a, false
	}
	flags := actionFlags.FindStringSubmatch(c.arg(arg))
	a.ignored = handler[1] == "SIG_IGN"
	a.caught = !a.ignored && handler[1] != "SIG_DFL"
	a.restart = a.caught && flags != nil && slices.Contains(strings.Split(flags[1], "|"), "SA_RESTART")
	return a, true
}

// text is the event of a call to sigaction.
func (a action) text(signal string) string {
	switch {
	case a.ignored:
		return "sigaction(" + signal + ", SIG_IGN)"
	case a.restart:
		return "sigaction(" + signal + ", SA_RESTART)"
	case a.caught:
		return "sigaction(" + signal + ", 0)"
	}
	return "sigaction(" + signal + ", SIG_DFL)"
}

// runtimeSignal tells whether Go's runtime or package sys handles a signal for itself.
func runtimeSignal(name string) bool {
	return name == "SIGURG" || name == "SIGPROF" || strings.HasPrefix(name, "SIGRT")
}

// sigaction takes a call to sigaction. Those before the first event are among many that the
// Go runtime makes; see earlyActions.
func (proc *process) sigaction(c *call) {
	name := c.arg(0)
	if _, known := proc.actions[name]; !known { // the kernel tells what the process has inherited
		if before, ok := c.action(2); ok {
			proc.actions[name], proc.birth[name] = before, before
		}
	}
	a, ok := c.action(1)
	if !ok {
		return
	}
	changed := proc.actions[name] != a
	proc.actions[name] = a
	if len(proc.events) == 0 {
		proc.early = append(proc.early, c)
	} else if changed && !runtimeSignal(name) {
		proc.insert(&event{at: c.from, call: c, text: a.text(name)})
	}
}

// earlyActions finds those calls to sigaction before the first event that a listing has made:
// they leave a signal with another action than it had when the process was born. A child of
// Fork has made its parent's calls again by then. The runtime handles a few signals of its own.
func (proc *process) earlyActions() {
	early := proc.early
	proc.early = nil
	for i, c := range early {
		name, a := c.args[0], proc.actions[c.args[0]]
		later := slices.ContainsFunc(early[i+1:], func(c *call) bool { return c.args[0] == name })
		if later || a == proc.birth[name] || runtimeSignal(name) || slices.Contains([]string{"SIGSEGV", "SIGBUS", "SIGFPE"}, name) {
			continue
		}
		proc.events = append(proc.events, &event{at: c.from, process: proc, call: c, text: a.text(name)})
	}
}

// defaults are the signals whose default action is not to end the process.
var defaults = map[string]string{
	"SIGCHLD": "ignored", "SIGURG": "ignored", "SIGWINCH": "ignored", "SIGCONT": "continued",
	"SIGSTOP": "stopped", "SIGTSTP": "stopped", "SIGTTIN": "stopped", "SIGTTOU": "stopped",
}

// gets takes a signal.
func (proc *process) gets(s *signal) {
	a := proc.actions[s.name]
	if a.caught || runtimeSignal(s.name) {
		proc.thread(s.pid).depth++ // until rt_sigreturn
	}
	if proc.ended || runtimeSignal(s.name) {
		return
	}
	e := &event{at: s.at, process: proc, signal: s, handled: a.caught, text: s.name}
	what := defaults[s.name]
	if a.ignored {
		what = "ignored"
	}
	if what != "" && !a.caught {
		e.text += ": " + what
		e.ignored = what == "ignored"
	}
	if a.caught {
		proc.caught = s.at
	}
	if len(proc.events) == 0 {
		proc.earlyActions()
	}
	i := len(proc.events)
	if s.name == "SIGCONT" { // it has come before the others that a stopped process gets
		for i > 0 && proc.events[i-1].signal != nil && defaults[proc.events[i-1].signal.name] != "stopped" {
			i--
		}
	}
	proc.events = slices.Insert(proc.events, i, e)
}

// handlerReturns takes the call that ends a handler. Its result is that of the call that the
// signal has interrupted.
func (proc *process) handlerReturns(t *thread, c *call) {
	t.depth = max(t.depth-1, 0)
	if t.open == nil || t.openedAt != t.depth || c.errno != "EINTR" {
		return
	}
	failed := *t.open.call
	failed.to, failed.result, failed.errno, failed.returned = c.to, "-1", "EINTR", true
	proc.returns(t.open, &failed)
	t.open = nil
}

// markRestarts adds, where a handler has run while the process was in a call, that the kernel
// makes that call again.
func (proc *process) markRestarts() {
	var events []*event
	var blocked *event // the beginning of the call
	handled := false
	for _, e := range append(proc.events, nil) {
		if handled && e.afterHandler(events[len(events)-1]) {
			handled = false
			if e == nil && !proc.ended || e != nil && (e.signal != nil || e.begin == blocked && e.call.errno != "EINTR") {
				events = append(events, &event{at: events[len(events)-1].at, process: proc, call: blocked.call, text: blocked.call.head() + " restarted …"})
			}
		}
		if e == nil {
			break
		}
		if e.depth == 0 && e.slow {
			blocked = e
		} else if e.depth == 0 && e.begin != nil {
			blocked = nil
		}
		handled = handled || e.handled && blocked != nil
		events = append(events, e)
	}
	proc.events = events
}

// moment is long for a kernel, and short for one who types.
const moment = micros(100_000)

// afterHandler tells whether an event is none of a handler that has run until the one before it.
// A signal that follows at once is delivered before the kernel makes a call again.
func (e *event) afterHandler(before *event) bool {
	return e == nil || e.depth == 0 && (e.signal == nil || e.at-before.at > moment)
}
