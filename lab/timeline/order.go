package main

import (
	"fmt"
	"slices"
)

// A line is a chain of events of which each waits for the one before it.
type line struct {
	events []*event
	done   int
}

func (l *line) head() *event {
	if l.done < len(l.events) {
		return l.events[l.done]
	}
	return nil
}

// An order puts the events into a sequence.
type order struct {
	wire, processes []*line
	emitted         map[*event]bool
	list            []*event
}

// sequence puts the events in an order that depends on causes, and not on how fast each
// process was. What has a cause stands as early as it can. What has none waits until
// nothing else is left to do.
func (t *timeline) sequence() []*event {
	o := order{emitted: map[*event]bool{}}
	for _, c := range t.connections {
		o.wire = append(o.wire, &line{events: c.client.sent}, &line{events: c.server.sent})
	}
	for _, p := range t.fromLeft() {
		o.processes = append(o.processes, p.lines()...)
	}
	for l := o.next(); l != nil; l = o.next() {
		e := l.head()
		l.done++
		o.emitted[e] = true
		o.list = append(o.list, e)
	}
	return o.list
}

// lines returns the chains of a process's events. A signal that is ignored interrupts nothing, so
// it may come before or after any other event of its process, and is a line of its own.
func (proc *process) lines() []*line {
	main := &line{}
	lines := []*line{main}
	for _, e := range proc.events {
		if e.signal != nil && e.ignored {
			lines = append(lines, &line{events: []*event{e}})
		} else {
			main.events = append(main.events, e)
		}
	}
	return lines
}

// A step is an event with its text, or a call that begins and returns before anything else happens.
type step struct {
	event *event
	text  string
}

// steps returns the sequence as it is shown.
func (t *timeline) steps() []step {
	var list []step
	for _, e := range t.sequence() {
		switch n := len(list); {
		case e.segment != nil:
			list = append(list, step{e, t.label(e.segment)})
		case e.begin == nil:
			list = append(list, step{e, e.text})
		case list[n-1].event == e.begin:
			list[n-1] = step{e, e.text}
		default:
			list = append(list, step{e, "… " + e.text})
		}
	}
	return list
}

// label is what stands on an arrow. Where there are several connections, they have numbers.
func (t *timeline) label(s *segment) string {
	if len(t.connections) == 1 {
		return s.text()
	}
	n := slices.IndexFunc(t.connections, func(c *connection) bool { return c.client == s.end || c.server == s.end })
	return fmt.Sprintf("%d: %s", n+1, s.text())
}

// next returns the line whose head is the next event.
func (o *order) next() *line {
	var last *event
	if len(o.list) > 0 {
		last = o.list[len(o.list)-1]
	}
	all := slices.Concat(o.wire, o.processes)
	for _, choice := range []struct {
		among []*line
		ready func(*event) bool
	}{
		{o.processes, func(e *event) bool { // what the last segment lets return
			return e.begin != nil && last != nil && (last.segment != nil && slices.Contains(e.causes, last) || e.begin == last) && o.ready(e)
		}},
		{o.wire, func(e *event) bool { return slices.Contains(e.causes, last) && o.ready(e) }},
		{o.wire, o.ready},
		{o.processes, o.ready},
	} {
		for _, l := range choice.among {
			if e := l.head(); e != nil && choice.ready(e) {
				return l
			}
		}
	}
	if l := earliest(all, o.caused); l != nil {
		return o.atOnce(l)
	}
	return earliest(all, func(*event) bool { return true })
}

// caused tells whether all causes of an event that the record knows have been.
func (o *order) caused(e *event) bool {
	return !slices.ContainsFunc(e.causes, func(cause *event) bool { return !o.emitted[cause] })
}

func (o *order) ready(e *event) bool { return !e.outside && o.caused(e) }

// earliest returns the line with the earliest head of some kind.
func earliest(lines []*line, kind func(*event) bool) (first *line) {
	for _, l := range lines {
		if e := l.head(); e != nil && kind(e) && (first == nil || e.at < first.head().at) {
			first = l
		}
	}
	return first
}

// atOnce returns the line of the first process, from the left, that gets the signal that is the
// head of a line: one command may kill several.
func (o *order) atOnce(l *line) *line {
	for _, other := range o.processes {
		if e := other.head(); e != nil && o.caused(e) && e.sameKill(l.head()) {
			return other
		}
	}
	return l
}

// sameKill tells whether one command has sent two signals. Of SIGKILL only the process's end is
// known, which takes a moment.
func (e *event) sameKill(other *event) bool {
	if e.at-other.at > moment {
		return false
	} else if e.signal != nil && other.signal != nil {
		return e.signal.name == other.signal.name && e.signal.sender == other.signal.sender && e.signal.code == other.signal.code
	}
	return e.killed && other.killed
}
