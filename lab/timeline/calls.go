package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	// onAnyDescriptor are calls of a listing whatever they are made on.
	onAnyDescriptor = []string{"socket", "socketpair", "wait4", "waitid", "poll", "ppoll", "select", "pselect6",
		"clock_nanosleep", "pause", "rt_sigsuspend", "alarm", "kill"}
	// slowCalls may block.
	slowCalls = []string{"accept", "accept4", "connect", "read", "readv", "recvfrom", "recvmsg", "wait4", "waitid", "poll", "ppoll",
		"select", "pselect6", "clock_nanosleep", "pause", "rt_sigsuspend"}
	// names has, for calls that the kernel knows by another name, those by which a listing calls them.
	names = map[string]string{"clone": "fork", "clone3": "fork", "vfork": "fork", "rt_sigsuspend": "sigsuspend",
		"recvfrom": "recv", "sendto": "send", "wait4": "waitpid", "ppoll": "poll", "pselect6": "select"}
)

var (
	descriptor = regexp.MustCompile(`^(-?\d+)(?:<(.*)>)?$`)
	fdName     = regexp.MustCompile(`(\d)<(?:->|[^>])*>`)
	unreadable = regexp.MustCompile(`0x[0-9a-f]+|\{.*\}`)
	fieldName  = regexp.MustCompile(`\b[a-z]+_\w+=`)
	address4   = regexp.MustCompile(`sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]*)"\)`)
	address6   = regexp.MustCompile(`sin6_port=htons\((\d+)\), .*inet_pton\(AF_INET6, "([^"]*)"`)
	addressUn  = regexp.MustCompile(`sun_path=(@?"[^"]*")`)
	pollFD     = regexp.MustCompile(`\{fd=(\d+)(?:<[^}]*>)?, (?:events=\w+(?:\|\w+)*, )?revents=([^}]+)\}`)
	pollAsked  = regexp.MustCompile(`\{fd=(\d+)`)
	seconds    = regexp.MustCompile(`^\{tv_sec=(\d+), tv_nsec=(\d+)\}$`)
)

// number returns the number at the beginning of a result.
func number(s string) int {
	s, _, _ = strings.Cut(s, "<")
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

func (c *call) arg(n int) string {
	if n < len(c.args) {
		return c.args[n]
	}
	return ""
}

// fd returns the descriptor that is the call's first argument, and the name that strace gives it.
func (c *call) fd() (fd, name string) {
	m := descriptor.FindStringSubmatch(c.arg(0))
	if m == nil {
		return "", ""
	}
	return m[1], m[2]
}

// shown tells whether a call belongs to a listing, by what it is and what it is made on.
func (c *call) shown() bool {
	if slices.Contains(forkCalls, c.name) {
		return !c.makesThread()
	} else if slices.Contains(onAnyDescriptor, c.name) {
		return true
	}
	fd, name := c.fd()
	for _, kind := range []string{"TCP", "UDP", "UNIX", "socket:"} {
		if strings.HasPrefix(name, kind) {
			return true
		}
	}
	return slices.Contains([]string{"read", "write", "readv", "writev"}, c.name) && slices.Contains([]string{"0", "1", "2"}, fd)
}

// slow tells whether a call may block.
func (c *call) slow() bool {
	return slices.Contains(slowCalls, c.name) && !strings.Contains(c.arg(2), "WNOHANG")
}

// begins is the event of a call that begins.
func (c *call) begins() string { return c.head() + " …" }

// text is the event of a call that has returned.
func (c *call) text() string {
	switch {
	case c.errno != "":
		return c.head() + " = -1 " + c.errno
	case c.name == "read" || c.name == "recvfrom":
		if data := c.arg(1); number(c.result) > 0 {
			return strings.TrimSuffix(c.head(), ")") + ", " + data + ") = " + c.result
		}
	case c.name == "poll" || c.name == "ppoll":
		if found := pollFD.FindAllStringSubmatch(c.detail, -1); found != nil {
			var list []string
			for _, f := range found {
				list = append(list, f[1]+" "+f[2])
			}
			return c.head() + ": " + strings.Join(list, ", ")
		}
	case c.name == "select" || c.name == "pselect6":
		if c.detail != "" {
			return c.head() + ": " + c.detail
		}
	case !c.returned:
		return c.head() + " …"
	case c.result == "0" && !c.slow():
		return c.head()
	}
	return fmt.Sprintf("%s = %d", c.head(), number(c.result))
}

// head is a call with the arguments that matter, short enough for a column.
func (c *call) head() string {
	name, args := c.name, strings.Join(c.mainArgs(), ", ")
	switch {
	case name == "wait4" && args == "":
		name = "wait"
	case name == "clock_nanosleep" && number(args) >= 0:
		name = "sleep"
	case names[name] != "":
		name = names[name]
	}
	return name + "(" + args + ")"
}

func (c *call) mainArgs() []string {
	fd, _ := c.fd()
	switch c.name {
	case "clone", "clone3", "fork", "vfork":
		return nil
	case "socket":
		return c.args[:min(2, len(c.args))]
	case "bind", "connect", "getsockname", "getpeername":
		return []string{fd, address(c.arg(1))}
	case "accept", "accept4", "read", "recvfrom":
		return []string{fd}
	case "write", "sendto":
		return []string{fd, c.arg(1)}
	case "wait4":
		if options := c.arg(2); options != "0" {
			return []string{c.arg(0), options}
		} else if c.arg(0) == "-1" {
			return nil
		}
		return []string{c.arg(0)}
	case "poll", "ppoll":
		var fds []string
		for _, m := range pollAsked.FindAllStringSubmatch(c.arg(0), -1) {
			fds = append(fds, m[1])
		}
		return fds
	case "clock_nanosleep":
		if m := seconds.FindStringSubmatch(c.arg(2)); m != nil && c.arg(1) == "0" {
			return []string{strings.TrimSuffix(m[1]+"."+m[2], ".0")}
		}
		return []string{c.arg(1)}
	case "setsockopt":
		return []string{fd, c.arg(2), fieldName.ReplaceAllString(c.arg(3), "")}
	}
	var list []string
	for _, a := range c.args {
		if a != "NULL" {
			list = append(list, unreadable.ReplaceAllString(fdName.ReplaceAllString(a, "$1"), "…"))
		}
	}
	return list
}

// address is a socket's address as it is in the arguments of a call.
func address(arg string) string {
	if m := address4.FindStringSubmatch(arg); m != nil {
		return m[2] + ":" + m[1]
	} else if m := address6.FindStringSubmatch(arg); m != nil {
		return "[" + m[2] + "]:" + m[1]
	} else if m := addressUn.FindStringSubmatch(arg); m != nil {
		return m[1]
	}
	return "…"
}
