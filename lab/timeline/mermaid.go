package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// A diagram is the picture in the notation of mermaid.js: a line for each process, arrows for
// the segments, notes for the calls.
type diagram struct {
	timeline *timeline
	names    map[*process]string // the participants' short names
	lines    []string
	noted    *process // whose note is the last line
	done     map[*event]bool
	ended    map[*process][]*process // by parent: the children that no SIGCHLD has reported
}

// mermaid writes the sequence diagram.
func (t *timeline) mermaid(w io.Writer) {
	d := diagram{timeline: t, names: map[*process]string{}, done: map[*event]bool{}, ended: map[*process][]*process{}}
	d.participants()
	for _, s := range t.steps() {
		d.done[s.event], d.done[s.event.begin] = true, true
		text := escape(shorten(s.text, 32))
		if s.event.segment != nil {
			d.arrow(s.event, text)
		} else if child := d.reported(s.event); child != nil {
			d.noted = nil
			d.add("%s-->>%s: %s", d.names[child], d.names[s.event.process], text)
		} else {
			d.note(s.event.process, text)
		}
	}
	fmt.Fprintln(w, strings.Join(d.lines, "\n"))
}

func (d *diagram) add(format string, args ...any) {
	d.lines = append(d.lines, "    "+fmt.Sprintf(format, args...))
}

// participants names the processes, from left to right: C for a client, S for a server, K for
// its child.
func (d *diagram) participants() {
	d.lines = append(d.lines, "sequenceDiagram")
	_, shared := d.timeline.headings()
	count := 0
	for _, p := range d.timeline.fromLeft() {
		if len(p.events) == 0 {
			continue
		}
		column, name := p.column(), p.name
		short := map[int]string{clients: "C", servers: "S", children: "K"}[column]
		if column == children {
			name = "its child"
		}
		if shared[column] {
			count++
			short = fmt.Sprint(short, count)
			name = fmt.Sprint(name, " ", p.pid)
		}
		d.names[p] = short
		d.add("participant %s as %s", short, name)
	}
}

// reported returns the child whose end a signal reports, if it is one: a signal that reports
// several names the one that has happened to be first.
func (d *diagram) reported(e *event) (child *process) {
	p := e.process
	if p.ended && e == p.events[len(p.events)-1] {
		d.ended[p.parent] = append(d.ended[p.parent], p)
	}
	if e.signal != nil && e.signal.name == "SIGCHLD" {
		if list := d.ended[p]; len(list) == 1 {
			child = list[0]
		}
		d.ended[p] = nil
	}
	return child
}

// note adds to what a process does.
func (d *diagram) note(p *process, text string) {
	if d.noted == p {
		d.lines[len(d.lines)-1] += "<br/>" + text
		return
	}
	d.noted = p
	d.add("Note over %s: %s", d.names[p], text)
}

func (d *diagram) arrow(e *event, text string) {
	d.noted = nil
	head := "->>"
	if e.segment.lost {
		head = "-x"
	}
	d.add("%s%s%s: %s", d.at(e.segment.end, e), head, d.at(e.segment.end.peer, e), text)
}

// at returns the participant at an end of a connection: the child to which its server has left
// it, if it is there. What the end's host answers when that has ended stands at the server.
func (d *diagram) at(end *end, e *event) string {
	if end.socket != nil {
		for _, p := range slices.Backward(end.socket.holders) {
			if len(p.events) == 0 {
				continue
			}
			last := p.events[len(p.events)-1]
			answered := p.ended && d.done[last] && (e.segment.rst || e.segment.length > 0) && !slices.Contains(e.causes, last)
			if fork := d.timeline.forkOf(p); (fork == nil || d.done[fork]) && !answered {
				return d.names[p]
			}
		}
	}
	for _, p := range slices.Backward(d.timeline.fromLeft()) {
		if column := p.column(); d.names[p] != "" && (end.client && column == clients || !end.client && column == servers) {
			return d.names[p]
		}
	}
	if end.client {
		return "client"
	}
	return "server"
}

// escape writes the characters that mean something to mermaid as it asks for.
func escape(s string) string {
	return strings.NewReplacer("#", "#35;", ";", "#59;", "<", "#lt;", ">", "#gt;", `\`, "#92;").Replace(s)
}
