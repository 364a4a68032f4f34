package lab

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// withDiagrams adds to the blocks of a page the diagrams that timeline has drawn of their runs:
// each stands behind this comment, after its block.
func withDiagrams(t *testing.T, page string, list []session) []session {
	const comment = "<!-- timeline -mermaid -->"
	lines := readPage(t, page)
	for i, line := range lines {
		if line != comment {
			continue
		}
		first := i + 1
		if lines[first] == "" {
			first++
		}
		end := slices.Index(lines[i:], "```") + i
		of := slices.IndexFunc(list, func(s session) bool { return s.first > i }) - 1
		if of == -2 {
			of = len(list) - 1
		}
		if of < 0 || end < i || lines[first] != "```mermaid" {
			t.Fatalf("%s:%d: a diagram stands here, and before it the block of its run", page, i+1)
		}
		list[of].commands = append(list[of].commands, typed{line: first + 1, command: "timeline -mermaid", output: lines[first+1 : end]})
	}
	return list
}

// TestSamePicture makes the picture of tcpserv04 and tcpcli01 twenty times, beside a busy core.
func TestSamePicture(t *testing.T) {
	takesLong(t, "it draws a picture twenty times")
	needsHost(t, "each run has a host of its own")
	lookAtSources()
	needsTools(t, "strace", "tcpdump")
	start(t, "sh", "-c", "while :; do :; done")
	all := sessions(t, "lab/README.md")
	of := slices.IndexFunc(all, func(s session) bool {
		return strings.HasPrefix(s.section, "5.17 ") && slices.ContainsFunc(s.commands, func(c typed) bool { return c.command == "timeline" })
	})
	if of < 0 {
		t.Fatal("section 5.17 has no picture")
	}
	t.Run("runs", func(t *testing.T) {
		for run := range 20 {
			t.Run(fmt.Sprint(run), func(t *testing.T) {
				t.Parallel()
				all[of].compare(t, all[of].piped(t))
			})
		}
	})
}

// TestBadRecords holds what record and timeline say of what they cannot draw.
func TestBadRecords(t *testing.T) {
	takesLong(t, "it records many runs")
	needsHost(t, "it runs on a host of its own")
	t.Parallel()
	lookAtSources()
	needsTools(t, "strace", "tcpdump")
	var s session
	say := func(command string, output ...string) {
		s.commands = append(s.commands, typed{command: command + "; echo $?", output: output})
	}
	say("timeline", "timeline: nothing has been recorded yet: start a program with record", "1")
	say("timeline -x", "timeline: usage: timeline [-t] [-mermaid]", "1")
	say("record", "usage: record [on HOST] COMMAND ...", "1")
	say("record bin/tcpserv05", "record: there is no program bin/tcpserv05", "1")
	for _, tool := range []string{"strace", "tcpdump"} {
		say("mkdir without; for t in strace tcpdump; do ln -s $(type -P $t) without; done; rm without/"+tool, "0")
		say("(PATH=without; record bin/tcpserv04)", "record: "+tool+" is not installed: apt-get install "+tool, "1")
		say("rm -r without", "0")
	}
	say("record bin/tcpcli01 127.0.0.1", "connect error: Connection refused", "1")
	say("timeline",
		" tcpcli01                                             |",
		" socket(AF_INET, SOCK_STREAM) = 3                     |",
		" connect(3, 127.0.0.1:9877) …                         |  --- SYN --->",
		" … connect(3, 127.0.0.1:9877) = -1 ECONNREFUSED       | <- RST ACK -",
		` write(2, "connect error: Connection refused\n") = 34 |`,
		" exit(1)                                              |", "0")
	const problem = " 2>&1 | sed 's/.*record.[a-z]*[.][^:]*: line [0-9]*/line/; s/:.*//'"
	say("trace=$(ls record/strace.*); cp $trace kept; truncate -s -40 $trace", "0")
	say("timeline"+problem, "line is cut short", "0")
	say("strace -o $trace true", "0")
	say("timeline"+problem, "line is not what strace writes for record", "0")
	say("mv kept $trace; truncate -s -10 record/tcpdump.*", "0")
	say("timeline"+problem, "line is not what tcpdump writes for record", "0")
	say("pkill tcpdump", "0")
	say("timeline", "timeline: tcpdump has ended or been stopped, so segments are missing", "1")
	say("rm -r record", "0")
	say("record bin/tcpserv04 & server=$!", "0")
	say("pkill -KILL strace", "0")
	say(`timeline 2>&1 | sed "s/process $server/process PID/"`,
		"timeline: the record of tcpserv04 (process PID) is cut short: strace has ended before it", "0")
	s.compare(t, s.piped(t))
}
