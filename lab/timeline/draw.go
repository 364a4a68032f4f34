package main

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// The columns of the picture.
const (
	clients = iota
	wire
	servers
	children
	columns
)

// width is that of the widest picture.
const width = 120

func (p *process) listens() bool {
	return slices.ContainsFunc(p.events, func(e *event) bool { return e.socket != nil && e.socket.listens != nil })
}

// column returns where a process stands: a server's children beside it, a client's children
// below it.
func (p *process) column() int {
	if p.parent != nil && p.parent.column() != clients {
		return children
	} else if p.parent == nil && p.listens() {
		return servers
	}
	return clients
}

// columns returns the processes from left to right.
func (t *timeline) columns() []*process {
	list := slices.Clone(t.processes)
	slices.SortStableFunc(list, func(a, b *process) int { return cmp.Compare(a.column(), b.column()) })
	return list
}

// A row is a line of the picture.
type row struct {
	at    micros
	cells [columns]*event
	texts [columns]string
}

// rows puts the events into lines. A segment stands on the line of the call that sends it, and
// the call that returns because of it stands there too.
func (t *timeline) rows() []*row {
	var list []*row
	var last *event
	for _, e := range t.sequence() {
		column := wire
		if e.segment == nil {
			column = e.process.column()
		}
		if last != nil && last == e.begin {
			list[len(list)-1].put(column, e, e.text)
			last = e
			continue
		}
		text := e.text
		if e.begin != nil {
			text = "… " + text
		}
		if last == nil || !joins(list[len(list)-1], column, last, e) {
			list = append(list, &row{at: e.at})
		}
		list[len(list)-1].put(column, e, text)
		last = e
	}
	return list
}

func (r *row) put(column int, e *event, text string) {
	r.cells[column] = e
	r.texts[column] = strings.Repeat("  ", e.depth) + text
}

// joins tells whether an event stands on the line of the last one.
func joins(r *row, column int, last, e *event) bool {
	if r.cells[column] != nil || !slices.Contains(e.causes, last) {
		return false
	} else if e.segment != nil {
		return last.segment == nil && r.cells[wire] == nil
	}
	return last.segment != nil && e.begin != nil
}

// names returns the headings of the columns, and whether several processes share one.
func (t *timeline) names() (names [columns]string, shared [columns]bool) {
	var seen [columns][]string
	count := [columns]int{}
	for _, p := range t.processes {
		if len(p.events) == 0 {
			continue
		}
		c := p.column()
		count[c]++
		name := p.name
		if c == children {
			name = "its child"
		}
		if !slices.Contains(seen[c], name) {
			seen[c] = append(seen[c], name)
		}
	}
	for c := range names {
		names[c], shared[c] = strings.Join(seen[c], ", "), count[c] > 1
	}
	if shared[children] {
		names[children] = "its children"
	}
	return names, shared
}

// draw writes the picture.
func (t *timeline) draw(w io.Writer, times bool) {
	rows := t.rows()
	names, shared := t.names()
	for _, r := range rows {
		for c, e := range r.cells {
			if e != nil && e.segment != nil {
				r.texts[c] = t.label(e.segment)
			} else if e != nil && shared[c] {
				r.texts[c] = fmt.Sprintf("%d %s", e.process.pid, r.texts[c])
			}
		}
	}
	left := 0
	if times {
		left = 8
	}
	limit, widths := fit(rows, names, width-left)
	fmt.Fprintln(w, strings.Repeat(" ", left)+line2(names[:], widths))
	for _, r := range rows {
		var cells []string
		for c, e := range r.cells {
			text := shorten(r.texts[c], limit)
			if e != nil && e.segment != nil {
				text = arrow(text, e.segment, widths[c])
			}
			cells = append(cells, text)
		}
		if times {
			fmt.Fprintf(w, "%6d ", (r.at-rows[0].at)/1000)
		}
		fmt.Fprintln(w, line2(cells, widths))
	}
}

// label is what stands on an arrow: where there are several connections, with the client's port.
func (t *timeline) label(s *segment) string {
	if len(t.connections) == 1 {
		return s.text()
	}
	client := s.end
	if !client.client {
		client = client.peer
	}
	return client.address[strings.LastIndexByte(client.address, ':')+1:] + " " + s.text()
}

// arrow draws a segment across its column.
func arrow(text string, s *segment, width int) string {
	room := max(width-utf8.RuneCountInString(text)-4, 2)
	before, after := strings.Repeat("-", room/2), strings.Repeat("-", room-room/2)
	if lost := s.lost; s.end.client && lost {
		return " " + before + " " + text + " " + after + "x"
	} else if lost {
		return "x" + before + " " + text + " " + after + " "
	} else if s.end.client {
		return " " + before + " " + text + " " + after + ">"
	}
	return "<" + before + " " + text + " " + after + " "
}

// fit finds how many bytes of each string the picture has room for, and how wide its columns are.
func fit(rows []*row, names [columns]string, width int) (limit int, widths [columns]int) {
	for limit = 32; ; limit -= 4 {
		total := 0
		for c := range widths {
			widths[c] = utf8.RuneCountInString(names[c])
			for _, r := range rows {
				n := utf8.RuneCountInString(shorten(r.texts[c], limit))
				if n > 0 && c == wire {
					n += 6
				}
				widths[c] = max(widths[c], n)
			}
			if widths[c] > 0 {
				total += widths[c] + 3
			}
		}
		if total-2 <= width || limit <= 8 {
			return limit, widths
		}
	}
}

var stringText = regexp.MustCompile(`"((?:[^"\\]|\\[0-7]{1,3}|\\.)*)"(?:\.\.\.)?`)
var character = regexp.MustCompile(`\\[0-7]{1,3}|\\.|.`)

// shorten cuts the strings in a text, as strace does.
func shorten(text string, limit int) string {
	return stringText.ReplaceAllStringFunc(text, func(s string) string {
		m := stringText.FindStringSubmatch(s)
		if len(m[1]) <= limit {
			return s
		}
		cut := ""
		for _, c := range character.FindAllString(m[1], -1) {
			if len(cut)+len(c) > limit {
				break
			}
			cut += c
		}
		return `"` + cut + `"...`
	})
}

// line2 joins the cells of a line.
func line2(cells []string, widths [columns]int) string {
	var b strings.Builder
	for c, text := range cells {
		if widths[c] == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(" |")
		}
		b.WriteString(" " + text + strings.Repeat(" ", max(widths[c]-utf8.RuneCountInString(text), 0)))
	}
	return strings.TrimRight(b.String(), " ")
}
