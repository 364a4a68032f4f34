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

// width is that of the widest picture, unless the names or the numbers in it are very long.
const width = 120

// column returns where a process stands: a server's children beside it, a client's in its column.
func (p *process) column() int {
	if p.parent != nil && p.parent.column() != clients {
		return children
	} else if p.parent == nil && p.listens() {
		return servers
	}
	return clients
}

func (p *process) listens() bool {
	return slices.ContainsFunc(p.events, func(e *event) bool { return e.socket != nil && e.socket.listens != nil })
}

// fromLeft returns the processes in the order of their columns.
func (t *timeline) fromLeft() []*process {
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

// rows puts the steps into lines. A segment stands on the line of the call that sends it, and
// the call that returns because of it stands there too.
func (t *timeline) rows() []*row {
	var list []*row
	var last *event
	for _, s := range t.steps() {
		column := wire
		if s.event.process != nil {
			column = s.event.process.column()
		}
		if last == nil || !joins(list[len(list)-1], column, last, s.event) {
			list = append(list, &row{at: s.event.at})
		}
		r := list[len(list)-1]
		r.cells[column], r.texts[column] = s.event, strings.Repeat("  ", s.event.depth)+s.text
		last = s.event
	}
	return list
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

// headings returns what stands above the columns, and whether several processes share one.
func (t *timeline) headings() (names [columns]string, shared [columns]bool) {
	var in [columns][]string
	for _, p := range t.processes {
		if len(p.events) > 0 {
			in[p.column()] = append(in[p.column()], p.name)
		}
	}
	for c, list := range in {
		shared[c] = len(list) > 1
		slices.Sort(list)
		names[c] = strings.Join(slices.Compact(list), ", ")
	}
	if shared[children] {
		names[children] = "its children"
	} else if names[children] != "" {
		names[children] = "its child"
	}
	return names, shared
}

// A picture is what is printed, before its width is known.
type picture struct {
	rows  []*row
	names [columns]string
}

func (t *timeline) picture() picture {
	pic := picture{rows: t.rows()}
	var shared [columns]bool
	pic.names, shared = t.headings()
	for _, r := range pic.rows {
		for c, e := range r.cells {
			if e != nil && e.process != nil && shared[c] {
				r.texts[c] = fmt.Sprintf("%d %s", e.process.pid, r.texts[c])
			}
		}
	}
	return pic
}

// draw writes the picture, if asked with milliseconds.
func (t *timeline) draw(w io.Writer, times bool) {
	const timeWidth = 8
	pic, room, margin := t.picture(), width, ""
	if len(pic.rows) == 0 {
		return
	}
	if times {
		room, margin = width-timeWidth, strings.Repeat(" ", timeWidth)
	}
	widths := pic.fit(room)
	fmt.Fprintln(w, margin+join(pic.names[:], widths))
	for _, r := range pic.rows {
		for c, e := range r.cells {
			if e != nil && e.segment != nil {
				r.texts[c] = arrow(r.texts[c], e.segment, widths[c])
			}
		}
		if times {
			margin = fmt.Sprintf("%*d", timeWidth, (r.at-pic.rows[0].at)/1000)
		}
		fmt.Fprintln(w, margin+join(r.texts[:], widths))
	}
}

// arrow draws a segment across its column. The head of one that is lost is an x.
func arrow(text string, s *segment, width int) string {
	room := max(width-utf8.RuneCountInString(text)-4, 2)
	before, after := strings.Repeat("-", room/2), strings.Repeat("-", room-room/2)
	left, right := " ", ">"
	if !s.end.client {
		left, right = "<", " "
	}
	if s.lost {
		left, right = strings.Replace(left, "<", "x", 1), strings.Replace(right, ">", "x", 1)
	}
	return left + before + " " + text + " " + after + right
}

const arrowWidth = 6 // without its text

// What a picture that would be too wide can do without.
var (
	peerAddress = regexp.MustCompile(`\b(connect\(\d+), [^)]*\)`)
	socketType  = regexp.MustCompile(`\b(socket\(\w+), [^)]*\)`)
	dataFlags   = regexp.MustCompile(`\bPSH ACK "`)
)

// fit shortens the texts until the picture has room, and returns how wide its columns are.
func (pic picture) fit(room int) (widths [columns]int) {
	const least = 12
	for _, simplify := range []func(string) string{
		func(s string) string { return s },
		func(s string) string { return peerAddress.ReplaceAllString(s, "$1)") },
		func(s string) string { return socketType.ReplaceAllString(s, "$1, …)") },
		func(s string) string { return dataFlags.ReplaceAllString(s, `"`) },
	} {
		for _, r := range pic.rows {
			for c := range r.texts {
				r.texts[c] = simplify(r.texts[c])
			}
		}
		if limits := pic.limits(room, least); total(pic.widths(limits)) <= room {
			return pic.shorten(limits)
		}
	}
	return pic.shorten(pic.limits(room, 6))
}

// limits finds how many bytes of strings each column has room for, down to the least. Those of
// the widest column are cut first.
func (pic picture) limits(room, least int) (limits [columns]int) {
	narrowest := pic.widths([columns]int{least, least, least, least})
	for c := range limits {
		limits[c] = 32
	}
	for widths := pic.widths(limits); total(widths) > room; widths = pic.widths(limits) {
		widest := -1
		for c := range limits {
			if widths[c] > narrowest[c] && (widest < 0 || widths[c] > widths[widest]) {
				widest = c
			}
		}
		if widest < 0 {
			break
		}
		limits[widest]--
	}
	return limits
}

// widths returns how wide the columns are if strings have so many bytes at most.
func (pic picture) widths(limits [columns]int) (widths [columns]int) {
	for c := range widths {
		widths[c] = utf8.RuneCountInString(pic.names[c])
		for _, r := range pic.rows {
			n := utf8.RuneCountInString(shorten(r.texts[c], limits[c]))
			if c == wire && n > 0 {
				n += arrowWidth
			}
			widths[c] = max(widths[c], n)
		}
	}
	return widths
}

// total is the width of a line.
func total(widths [columns]int) (n int) {
	for _, width := range widths {
		if width > 0 {
			n += len(" | ") + width
		}
	}
	return n - len(" |")
}

func (pic picture) shorten(limits [columns]int) (widths [columns]int) {
	for _, r := range pic.rows {
		for c := range r.texts {
			r.texts[c] = shorten(r.texts[c], limits[c])
		}
	}
	return pic.widths(limits)
}

var (
	quotation = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"(?:\.\.\.)?`)
	character = regexp.MustCompile(`\\[0-7]{1,3}|\\x[0-9a-f]{2}|\\.|.`)
)

// shorten cuts the strings in a text as strace does.
func shorten(text string, limit int) string {
	return quotation.ReplaceAllStringFunc(text, func(s string) string {
		m := quotation.FindStringSubmatch(s)
		if len(m[1]) <= limit+len("...") {
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

// join makes a line of its cells.
func join(cells []string, widths [columns]int) string {
	var list []string
	for c, text := range cells {
		if widths[c] > 0 {
			list = append(list, text+strings.Repeat(" ", max(widths[c]-utf8.RuneCountInString(text), 0)))
		}
	}
	return strings.TrimRight(" "+strings.Join(list, " | "), " ")
}
