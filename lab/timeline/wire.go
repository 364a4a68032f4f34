package main

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"strings"
)

// A connection is what passed between two ends.
type connection struct {
	client, server *end
}

// An end is one of the two.
type end struct {
	address string
	socket  *socket // if a recorded process has it
	client  bool
	peer    *end
	start   uint32 // the sequence number of its first byte
	started bool
	sent    []*event
	fin     *segment // the first that has one
}

// A segment is what one end sent, once. Its numbers count bytes from 0; a FIN counts as one.
type segment struct {
	*packet
	end           *end
	first, next   int // of its bytes
	acks          int // how many of the peer's, if it has an ACK
	acked         bool
	syn, fin, rst bool
	lost, again   bool
}

// connections sorts packets into connections.
func connections(packets []*packet) []*connection {
	var list []*connection
	for _, p := range merge(packets) {
		from := findEnd(list, p.packet)
		if from == nil {
			c := newConnection(p.packet)
			list = append(list, c)
			from = findEnd(list, p.packet)
		}
		from.sends(p)
	}
	for _, c := range list {
		c.client.dropAcks()
		c.server.dropAcks()
	}
	return list
}

// merge joins what the two hosts of a connection have captured. A segment that has left one
// host is lost if the other has been recorded and has not seen it.
func merge(packets []*packet) []*segment {
	slices.SortStableFunc(packets, func(a, b *packet) int { return cmp.Compare(a.at, b.at) })
	var list []*segment
	recorded := map[string]bool{} // hosts, by address
	var arrived []*segment
	for _, p := range packets {
		s := &segment{packet: p}
		if p.loop {
			list = append(list, s)
			continue
		} else if p.out {
			recorded[host(p.from)] = true
			s.lost = true
			list = append(list, s)
			continue
		}
		recorded[host(p.to)] = true
		arrived = append(arrived, s)
	}
	for _, s := range arrived {
		i := slices.IndexFunc(list, func(sent *segment) bool { return sent.lost && sent.packet.same(s.packet) })
		if i >= 0 {
			list[i].lost = false
		} else {
			list = append(list, s)
		}
	}
	for _, s := range list {
		s.lost = s.lost && recorded[host(s.to)]
	}
	slices.SortStableFunc(list, func(a, b *segment) int { return cmp.Compare(a.at, b.at) })
	return list
}

func host(address string) string {
	h, _, _ := net.SplitHostPort(address)
	return h
}

// same tells whether two hosts have seen the same packet.
func (p *packet) same(q *packet) bool {
	return p.from == q.from && p.to == q.to && p.flags == q.flags && p.seq == q.seq && p.ack == q.ack && p.id == q.id && p.length == q.length
}

// findEnd returns the end that has sent a packet. A SYN with another number begins another
// connection between the same addresses.
func findEnd(list []*connection, p *packet) *end {
	for _, c := range slices.Backward(list) {
		for _, e := range []*end{c.client, c.server} {
			if e.address == p.from && e.peer.address == p.to {
				if strings.Contains(p.flags, "S") && e.started && e.start != p.seq+1 {
					return nil
				}
				return e
			}
		}
	}
	return nil
}

// newConnection makes the connection of its first packet. The client's end sends the SYN, or
// has the port that is not the server's.
func newConnection(p *packet) *connection {
	from, to := &end{address: p.from}, &end{address: p.to}
	from.peer, to.peer = to, from
	c := &connection{client: from, server: to}
	if strings.HasSuffix(p.from, ":9877") && p.flags != "S" {
		c.client, c.server = to, from
	}
	c.client.client = true
	return c
}

// sends adds a segment to what an end has sent.
func (e *end) sends(s *segment) {
	s.end = e
	s.syn, s.fin, s.rst = strings.Contains(s.flags, "S"), strings.Contains(s.flags, "F"), strings.Contains(s.flags, "R")
	if !e.started {
		e.start, e.started = s.seq, true
		if s.syn {
			e.start++
		}
	}
	s.first = int(int32(s.seq - e.start))
	s.next = s.first + s.length
	if s.fin {
		s.next++
		e.fin = cmp.Or(e.fin, s)
	}
	if s.acked = strings.Contains(s.flags, "."); s.acked && e.peer.started {
		s.acks = int(int32(s.ack - e.peer.start))
	}
	for _, before := range e.sent {
		s.again = s.again || (s.syn || s.next > s.first) && before.segment.first == s.first && before.segment.next == s.next && before.segment.syn == s.syn
	}
	e.sent = append(e.sent, &event{at: s.at, segment: s})
}

// dropAcks leaves out the segments that only acknowledge, but for the third of the handshake
// and those of a close. It also leaves out an RST that comes too late, and a FIN that a host has
// sent itself again: the kernel may drop the first one if both ends close at the same moment.
func (e *end) dropAcks() {
	established, closed := !e.client, false
	e.sent = slices.DeleteFunc(e.sent, func(ev *event) bool {
		s := ev.segment
		third := !established && s.acked && !s.syn
		established = established || third
		last := !closed && e.peer.fin != nil && s.acked && s.acks >= e.peer.fin.next
		closed = closed || last
		if s.rst {
			return e.isClosed(s.at)
		}
		if s.again && s.fin && s.length == 0 && s.loop {
			return true
		}
		return !s.syn && !s.fin && s.length == 0 && !third && (!last || e.byChance(s))
	})
}

// isClosed tells whether both ends had closed the connection by then, and this one knew that the
// other had its FIN. It answers with an RST what was still under way then.
func (e *end) isClosed(at micros) bool {
	return e.fin != nil && e.peer.fin != nil && slices.ContainsFunc(e.peer.sent, func(ev *event) bool {
		s := ev.segment
		return s.at < at && s.acked && s.acks >= e.fin.next
	})
}

// delayed is the time after which the kernel has delayed an ACK, in the hope that it could go
// with data.
const delayed = micros(30_000)

// byChance tells whether an end has acknowledged its peer's FIN only because its own FIN, which
// does that too, has taken long to follow. The kernel waits 40 ms, or if the end has received
// no data, until its next tick.
func (e *end) byChance(ack *segment) bool {
	received := slices.ContainsFunc(e.peer.sent, func(ev *event) bool { return ev.segment.length > 0 })
	return e.fin != nil && e.fin.at > ack.at && (!received || ack.at-e.peer.fin.at > delayed)
}

var flagNames = []struct{ flag, name string }{{"S", "SYN"}, {"F", "FIN"}, {"R", "RST"}, {"P", "PSH"}, {"U", "URG"}, {".", "ACK"}}

// text is what stands on a segment's arrow.
func (s *segment) text() string {
	var words []string
	for _, f := range flagNames {
		if strings.Contains(s.flags, f.flag) {
			words = append(words, f.name)
		}
	}
	if s.length > 0 {
		words = append(words, quote(s.data))
	}
	if s.length > len(s.data) {
		words[len(words)-1] += "..."
	}
	if s.again {
		words = append(words, "again")
	}
	return strings.Join(words, " ")
}

// quote writes bytes as strace does.
func quote(data []byte) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range data {
		switch {
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '"' || c == '\\':
			b.WriteString(`\` + string(c))
		case c < ' ' || c > '~':
			b.WriteString(`\` + strconv.FormatInt(int64(c), 8))
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
