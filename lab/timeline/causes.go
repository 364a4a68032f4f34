package main

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// A timeline is all that has been recorded.
type timeline struct {
	processes   []*process
	connections []*connection
	byPID       map[int]*process
}

// newTimeline puts the processes of all traces and the packets of all captures together.
func newTimeline(processes []*process, packets []*packet) *timeline {
	t := &timeline{processes: processes, connections: connections(packets), byPID: map[int]*process{}}
	slices.SortStableFunc(t.processes, func(a, b *process) int { return cmp.Compare(a.born, b.born) })
	for _, p := range t.processes {
		t.byPID[p.pid] = p
	}
	t.connect()
	for _, p := range t.processes {
		for i, e := range p.events {
			t.findCauses(p, i, e)
		}
	}
	for _, c := range t.connections {
		c.client.findCauses(t)
		c.server.findCauses(t)
	}
	return t
}

// connect finds the ends of the processes' sockets.
func (t *timeline) connect() {
	for _, p := range t.processes {
		for _, e := range p.events {
			if s := e.socket; s != nil && s.end == nil && s.remote != "" {
				if s.end = t.end(s); s.end != nil {
					s.end.socket = s
				}
			}
		}
	}
}

// end finds the end that is a process's socket. The name of a client's socket may be known
// only from the SYN that connect has sent.
func (t *timeline) end(s *socket) *end {
	for _, c := range slices.Backward(t.connections) {
		began := slices.Concat(c.client.sent, c.server.sent)
		for _, e := range []*end{c.client, c.server} {
			switch {
			case len(began) == 0 || e.socket != nil || e.peer.address != s.remote:
			case s.local != "" && s.local != e.address:
			case s.made != 0 && began[0].at > s.made:
			case s.local == "" && s.connect != nil && began[0].at < s.connect.from:
			default:
				return e
			}
		}
	}
	return nil
}

// A process that makes no call for so long has waited for a clock: with time.Sleep, for one,
// which is no call.
const asleep = micros(900_000)

// findCauses finds what a process's event has to wait for besides the event before it.
func (t *timeline) findCauses(p *process, i int, e *event) {
	if i == 0 && p.parent == nil {
		e.outside = true
	} else if i == 0 {
		e.after(t.forkOf(p))
	} else if e.begin == nil && e.signal == nil && e.depth == 0 && e.at-p.events[i-1].over() > asleep {
		e.outside = true
	}
	switch {
	case e.signal != nil:
		t.signalCauses(p, e)
	case e.call == nil || e.slow || e.call.errno == "EINTR":
	case e.begin != nil:
		t.returnCauses(p, e)
	case e.call.errno == "EPIPE" || e.call.errno == "ECONNRESET":
		e.after(e.socket.received(reset))
	case e.call.name == "wait4":
		e.after(t.endOf(number(e.call.result)))
	}
}

func (e *event) after(cause *event) bool {
	if cause == nil || cause == e {
		return false
	}
	e.causes = append(e.causes, cause)
	return true
}

// over returns when an event was over.
func (e *event) over() micros {
	if e.call != nil && !e.slow {
		return max(e.at, e.call.to)
	}
	return e.at
}

// forkOf returns the call that has made a process.
func (t *timeline) forkOf(p *process) *event {
	if p.parent == nil {
		return nil
	}
	for _, e := range p.parent.events {
		if e.call != nil && slices.Contains(forkCalls, e.call.name) && number(e.call.result) == p.pid {
			return e
		}
	}
	return nil
}

// endOf returns the end of the process.
func (t *timeline) endOf(pid int) *event {
	if p := t.byPID[pid]; p != nil && p.ended {
		return p.events[len(p.events)-1]
	}
	return nil
}

func (t *timeline) signalCauses(p *process, e *event) {
	switch s := e.signal; {
	case strings.HasPrefix(s.code, "CLD_"):
		e.after(t.endOf(s.sender))
	case s.sender == p.pid: // SIGPIPE, for one
	case t.byPID[s.sender] == nil:
		e.outside = true
	default:
		for _, cause := range slices.Backward(t.byPID[s.sender].events) {
			if cause.at <= e.at && cause.call != nil && cause.call.name == "kill" {
				e.after(cause)
				return
			}
		}
		e.outside = true
	}
}

// returnCauses finds what has let a call return that may block.
func (t *timeline) returnCauses(p *process, e *event) {
	known := false
	switch c := e.call; c.name {
	case "connect":
		known = e.after(e.socket.received(func(s *segment) bool { return s.syn || s.rst }))
	case "accept", "accept4":
		known = e.after(e.socket.received(func(s *segment) bool { return !s.syn }))
	case "wait4":
		known = e.after(t.endOf(number(c.result)))
	case "poll", "ppoll", "select", "pselect6":
		known = p.readyCauses(e)
	default:
		known = e.after(e.socket.receivedFor(e))
	}
	e.outside = e.outside || !known
}

// received returns the first segment of some kind that has reached a socket.
func (s *socket) received(kind func(*segment) bool) *event {
	if s == nil || s.end == nil {
		return nil
	}
	for _, e := range s.end.peer.sent {
		if !e.segment.lost && kind(e.segment) {
			return e
		}
	}
	return nil
}

func reset(s *segment) bool { return s.rst }

// receivedFor returns the segment that a call to read has waited for.
func (s *socket) receivedFor(e *event) *event {
	switch {
	case e.call.errno == "ECONNRESET":
		return s.received(reset)
	case e.call.errno != "":
		return nil
	case e.call.result == "0":
		return s.received(func(s *segment) bool { return s.fin })
	}
	return s.received(func(s *segment) bool { return s.length > 0 && s.next >= e.offset })
}

var inList = regexp.MustCompile(`in \[([\d ]+)\]`)

// ready returns the descriptors that poll or select has found.
func (c *call) ready() (fds []string) {
	for _, m := range pollFD.FindAllStringSubmatch(c.detail, -1) {
		fds = append(fds, m[1])
	}
	if m := inList.FindStringSubmatch(c.detail); m != nil {
		fds = append(fds, strings.Fields(m[1])...)
	}
	return fds
}

// readyCauses finds what has made descriptors ready. It returns false if one of them is no
// socket of the record.
func (p *process) readyCauses(e *event) (known bool) {
	fds := e.call.ready()
	for _, fd := range fds {
		s := p.socketAt(fd, e)
		if s == nil {
			return false
		}
		read := 0
		for _, other := range s.events {
			if other.at < e.at && other.begin != nil {
				read = max(read, other.offset)
			}
		}
		if !e.after(s.received(func(s *segment) bool { return s.rst || s.fin || s.length > 0 && s.next > read })) {
			return false
		}
	}
	return len(fds) > 0
}

// socketAt returns the socket that a process next uses at a descriptor.
func (p *process) socketAt(fd string, e *event) *socket {
	for _, other := range p.events {
		if other.at >= e.at && other.socket != nil {
			if n, _ := other.call.fd(); n == fd {
				return other.socket
			}
		}
	}
	return nil
}

// findCauses finds what the segments of an end have to wait for.
func (end *end) findCauses(t *timeline) {
	for i, e := range end.sent {
		s := e.segment
		if i > 0 {
			e.after(end.sent[i-1])
		}
		answers := end.answers(e)
		switch {
		case s.again:
			e.outside = true
		case s.rst && (answers || !s.acked):
		case end.socket == nil && s.syn && !end.client:
			e.after(t.listener(e.at))
		case end.socket == nil:
			e.outside = (s.length > 0 || s.fin || s.syn) && !answers
		default:
			end.socket.sends(t, e)
		}
	}
}

// answers finds the segments of the peer to which a segment is an answer.
func (end *end) answers(e *event) bool {
	s, found := e.segment, false
	var last *event
	for _, cause := range end.peer.sent {
		if cause.at > e.at || cause.segment.lost {
			continue
		}
		last = cause
		if s.acked && (cause.segment.syn || cause.segment.next > cause.segment.first) && cause.segment.next <= s.acks {
			found = e.after(cause)
		}
	}
	if s.rst && !s.acked {
		found = e.after(last)
	}
	return found && (!s.rst || !s.acked || len(end.sent) == 1)
}

// listener returns the call to listen without which no connection is made.
func (t *timeline) listener(at micros) (found *event) {
	for _, p := range t.processes {
		for _, e := range p.events {
			if e.at <= at && e.socket != nil && e.socket.listens == e {
				found = e
			}
		}
	}
	return found
}

// sends finds which of the processes' calls have sent a segment.
func (s *socket) sends(t *timeline, e *event) {
	seg := e.segment
	if seg.syn && seg.end.client {
		for _, begin := range s.events {
			if begin.slow && begin.call.name == "connect" {
				e.after(begin)
			}
		}
	} else if seg.syn {
		e.after(t.listener(e.at))
	}
	if seg.length > 0 {
		e.after(s.wroteUpTo(seg.next))
	}
	if seg.fin || seg.rst && seg.acked {
		if s.shut != nil && s.shut.at <= e.at {
			e.after(s.shut)
			return
		}
		for _, p := range s.holders {
			e.after(s.releases[p])
		}
	}
}

// wroteUpTo returns the call that has written a byte.
func (s *socket) wroteUpTo(next int) (last *event) {
	for _, e := range s.events {
		if !slices.Contains(sendCalls, e.call.name) {
			continue
		}
		if last = e; e.offset >= next {
			return e
		}
	}
	return last
}
