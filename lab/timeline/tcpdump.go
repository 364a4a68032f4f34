package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A packet is a TCP segment as tcpdump saw it on one host.
type packet struct {
	at       micros
	out      bool   // it left the host
	loop     bool   // it stayed there
	from, to string // 127.0.0.1:9877
	flags    string // as tcpdump writes them: S, F, P, R, and a dot for ACK
	seq, ack uint32
	id       uint16 // IPv4's identification
	length   int    // of the data
	data     []byte // the beginning of it, if there is much
}

// snap is how many bytes of a packet tcpdump keeps, with as many as 20 of the link's header.
const snap = 256

var (
	packetLine = regexp.MustCompile(`^(\d+\.\d{6}) (\S+) +(In|Out|[A-Z]+) +IP6? (\S+) > (\S+): Flags \[([^\]]+)\](?:, seq (\d+)(?::\d+)?)?(?:, ack (\d+))?,.* length (\d+)`)
	otherLine  = regexp.MustCompile(`^\d+\.\d{6} \S+ +\S+ +IP6? .*: UDP, length`)
	hexLine    = regexp.MustCompile(`^\t0x[0-9a-f]{4}:  ((?:[0-9a-f]{2,4} ?)+)$`)
)

// A capture reads what tcpdump -ttnS -x -i any has written.
type capture struct {
	packets []*packet
	last    *packet // whose bytes follow
	bytes   []byte  // from its IP header on
}

// readCapture reads a capture. tcpdump may be writing it, but not in the middle of a packet. With
// an error come the packets before it.
func readCapture(r io.Reader) ([]*packet, error) {
	var c capture
	in := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := in.ReadString('\n')
		if err != nil && err != io.EOF {
			return c.packets, err
		}
		text, complete := strings.CutSuffix(line, "\n")
		if !strings.HasPrefix(line, "\t") && !c.finish() {
			return c.packets, fmt.Errorf("line %d: the packet before it is cut short", n)
		}
		if line == "" {
			return c.packets, nil
		} else if !complete {
			return c.packets, fmt.Errorf("line %d is cut short: %.60q", n, text)
		} else if !c.line(text) {
			return c.packets, fmt.Errorf("line %d is not what tcpdump writes for record: %.60q", n, text)
		}
	}
}

// line takes one line, and tells whether tcpdump can have written it.
func (c *capture) line(line string) bool {
	if m := hexLine.FindStringSubmatch(line); m != nil {
		b, err := hex.DecodeString(strings.ReplaceAll(m[1], " ", ""))
		c.bytes = append(c.bytes, b...)
		return err == nil
	}
	m := packetLine.FindStringSubmatch(line)
	if m == nil {
		return otherLine.MatchString(line)
	} else if m[3] != "In" && m[3] != "Out" {
		return true // another host's
	}
	at, ok := parseTime(m[1])
	from, okFrom := endpoint(m[4])
	to, okTo := endpoint(m[5])
	seq, errSeq := strconv.ParseUint("0"+m[7], 10, 32)
	ack, errAck := strconv.ParseUint("0"+m[8], 10, 32)
	length, errLength := strconv.Atoi(m[9])
	if !ok || !okFrom || !okTo || errSeq != nil || errAck != nil || errLength != nil {
		return false
	}
	c.last = &packet{at: at, out: m[3] == "Out", loop: m[2] == "lo", from: from, to: to,
		flags: m[6], seq: uint32(seq), ack: uint32(ack), length: length}
	return true
}

// finish gives the last packet its data, and tells whether all of it is there.
func (c *capture) finish() bool {
	p, b := c.last, c.bytes
	c.last, c.bytes = nil, nil
	if p == nil {
		return true
	} else if len(b) < 40 {
		return false
	}
	whole := 40 + int(b[4])<<8 + int(b[5])
	if b[0]>>4 == 4 {
		whole = int(b[2])<<8 + int(b[3])
		p.id = uint16(b[4])<<8 + uint16(b[5])
	}
	if len(b) != whole && len(b) < snap-20 || p.length > whole-40 {
		return false
	}
	p.data = slices.Clone(b[min(whole-p.length, len(b)):])
	c.packets = append(c.packets, p)
	return true
}

// endpoint turns tcpdump's 127.0.0.1.9877 into 127.0.0.1:9877.
func endpoint(s string) (string, bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 1 {
		return "", false
	}
	if _, err := strconv.ParseUint(s[i+1:], 10, 16); err != nil {
		return "", false
	}
	if strings.Contains(s, ":") {
		return "[" + s[:i] + "]:" + s[i+1:], true
	}
	return s[:i] + ":" + s[i+1:], true
}
