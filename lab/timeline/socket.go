package main

import (
	"slices"
	"strings"
)

// A socket is one end of a connection, which a process shares with the children that it has
// made since.
type socket struct {
	local, remote string // addresses, where they are known
	connect       *call  // that has connected it
	made          micros // it was connected or accepted before; 0 if that is not known
	listens       *event
	holders       []*process
	releases      map[*process]*event // where each has closed it, or ended
	shut          *event              // its writing side, by shutdown
	read, written int                 // bytes, so far
	events        []*event
	end           *end // on the wire
}

// tcpName returns the addresses in strace's name of a socket.
func tcpName(name string) (local, remote string) {
	_, name, ok := strings.Cut(name, ":[")
	local, remote, connected := strings.Cut(strings.TrimSuffix(name, "]"), "->")
	if !ok || !connected {
		return "", ""
	}
	return local, remote
}

func (proc *process) addSocket(fd string, s *socket) *socket {
	s.releases = map[*process]*event{}
	s.holders = []*process{proc}
	proc.sockets[fd] = s
	return s
}

func (proc *process) newSocket(c *call) {
	fd, _, _ := strings.Cut(c.result, "<")
	proc.addSocket(fd, &socket{})
}

// accepted returns the socket that accept has returned.
func (proc *process) accepted(c *call) *socket {
	if number(c.result) < 0 {
		return nil
	}
	fd, name, _ := strings.Cut(c.result, "<")
	s := proc.addSocket(fd, &socket{made: c.next})
	s.local, s.remote = tcpName(strings.TrimSuffix(name, ">"))
	if peer := address(c.arg(1)); s.remote == "" && peer != "…" {
		s.remote = peer
	}
	return s
}

// socket returns the one on which a call is made.
func (proc *process) socket(c *call) *socket {
	fd, name := c.fd()
	if !strings.HasPrefix(name, "TCP") && !strings.HasPrefix(name, "UNIX") && !strings.HasPrefix(name, "socket:") {
		return nil
	}
	s := proc.sockets[fd]
	if s == nil { // from before the record, or a duplicate
		s = proc.addSocket(fd, &socket{made: c.from})
	}
	if local, remote := tcpName(name); remote != "" {
		s.local, s.remote = local, remote
	}
	if c.name == "connect" {
		s.connect, s.made = c, c.next
		s.remote = address(c.arg(1))
	}
	return s
}

// changeSocket notes what a call does to its socket besides sending and receiving.
func (proc *process) changeSocket(c *call, e *event) {
	s := e.socket
	if s == nil {
		return
	}
	switch c.name {
	case "close":
		fd, _ := c.fd()
		delete(proc.sockets, fd)
		s.releases[proc] = e
	case "listen":
		s.listens = e
	case "shutdown":
		if c.arg(1) != "SHUT_RD" && c.result == "0" {
			s.shut = e
		}
	}
}

var (
	sendCalls    = []string{"write", "writev", "sendto", "sendmsg"}
	receiveCalls = []string{"read", "readv", "recvfrom", "recvmsg"}
)

// countBytes adds what a call has sent or received to what its socket has.
func (e *event) countBytes() {
	s := e.socket
	if s == nil {
		return
	}
	if slices.Contains(sendCalls, e.call.name) {
		s.written += max(number(e.call.result), 0)
		e.offset = s.written
	} else if slices.Contains(receiveCalls, e.call.name) {
		s.read += max(number(e.call.result), 0)
		e.offset = s.read
	}
	s.events = append(s.events, e)
}
