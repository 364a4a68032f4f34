package main

import (
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
	if !strings.HasPrefix(name, "TCP") && !strings.HasPrefix(name, "socket:") {
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

// closes notes what a call does to its socket besides sending and receiving.
func (proc *process) closes(c *call, e *event) {
	s := e.socket
	if s == nil {
		return
	}
	switch c.name {
	case "close":
		fd, _ := c.fd()
		delete(proc.sockets, fd)
		s.released(proc, e)
	case "listen":
		s.listens = e
	case "shutdown":
		if c.arg(1) != "SHUT_RD" && c.result == "0" {
			s.shut = e
		}
	}
}

func (s *socket) released(by *process, e *event) { s.releases[by] = e }

// wrote counts what a call has written to its socket.
func (e *event) wrote() {
	if e.socket == nil {
		return
	}
	switch e.call.name {
	case "write", "sendto", "sendmsg", "writev":
		e.socket.written += max(number(e.call.result), 0)
		e.offset = e.socket.written
	}
	e.socket.events = append(e.socket.events, e)
}

// read counts what a call has read from its socket.
func (e *event) read() {
	if e.socket == nil {
		return
	}
	switch e.call.name {
	case "read", "recvfrom", "recvmsg", "readv":
		e.socket.read += max(number(e.call.result), 0)
		e.offset = e.socket.read
	}
	e.socket.events = append(e.socket.events, e)
}
