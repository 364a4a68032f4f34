package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the pictures in testdata anew")

// records are of real runs: tcpserv04 and tcpcli01, in Go and in C; tcpserv02, which EINTR ends;
// a server's host that crashes; tcpserv01, which ignores that its child has ended.
var records = []string{"go", "c", "eintr", "thread", "reset", "poll", "lost", "ignored"}

func loadRecord(t testing.TB, name string) *timeline {
	t.Helper()
	tl, err := load(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return tl
}

func TestPictures(t *testing.T) {
	for _, record := range records {
		for form, draw := range map[string]func(*timeline, io.Writer){
			"picture": func(tl *timeline, w io.Writer) { tl.draw(w, false) },
			"times":   func(tl *timeline, w io.Writer) { tl.draw(w, true) },
			"mermaid": (*timeline).mermaid,
		} {
			var got bytes.Buffer
			draw(loadRecord(t, record), &got)
			file := filepath.Join("testdata", record, form)
			if *update {
				os.WriteFile(file, got.Bytes(), 0o644)
			} else if want, err := os.ReadFile(file); err != nil || string(want) != got.String() {
				t.Errorf("%s: %v; got\n%s", file, err, &got)
			}
			for line := range strings.Lines(got.String()) {
				if n := len([]rune(line)) - 1; n > width && form != "mermaid" {
					t.Errorf("%s: a line of %d columns", file, n)
				}
			}
		}
	}
}

// The same program in C does the same, but its output, which is no terminal, waits in a buffer
// until it ends.
func TestGoAndC(t *testing.T) {
	varies := regexp.MustCompile(`\d{5}| +|-+`)
	lines := func(record string) (list []string) {
		var b bytes.Buffer
		loadRecord(t, record).draw(&b, false)
		for line := range strings.Lines(b.String()) {
			if !strings.Contains(line, "write(1, ") {
				list = append(list, varies.ReplaceAllStringFunc(line, func(s string) string { return s[:1] }))
			}
		}
		return list
	}
	if inGo, inC := lines("go"), lines("c"); !slices.Equal(inGo, inC) {
		t.Errorf("in Go:\n%s\nin C:\n%s", strings.Join(inGo, ""), strings.Join(inC, ""))
	}
}

// Only what has no cause in the record is put in order by time.
func TestOrder(t *testing.T) {
	want := loadRecord(t, "go").steps()
	late := loadRecord(t, "go")
	for _, p := range late.processes {
		for _, e := range p.events {
			if !e.outside {
				e.at = -e.at
			}
		}
	}
	got := late.steps()
	if !slices.EqualFunc(want, got, func(a, b step) bool { return a.text == b.text }) {
		t.Errorf("the order of events depends on their times: %v, %v", want, got)
	}
}

// A signal that is ignored has the same place, whatever its process does when it arrives.
func TestIgnoredSignal(t *testing.T) {
	want := loadRecord(t, "ignored").steps()
	early := loadRecord(t, "ignored")
	moved := false
	for _, p := range early.processes {
		i := slices.IndexFunc(p.events, func(e *event) bool { return e.text == "SIGCHLD: ignored" })
		fork := slices.IndexFunc(p.events, func(e *event) bool { return strings.HasPrefix(e.text, "fork()") })
		if i > fork && fork >= 0 {
			e := p.events[i]
			p.events = slices.Insert(slices.Delete(p.events, i, i+1), fork+1, e)
			moved = true
		}
	}
	got := early.steps()
	if !moved || !slices.EqualFunc(want, got, func(a, b step) bool { return a.text == b.text }) {
		t.Errorf("the order depends on when SIGCHLD arrives: %v, %v", want, got)
	}
}

const aCall = "20001 1795888781.000001 "

func TestBadTraces(t *testing.T) {
	for text, want := range map[string]string{
		"execve(\"bin/tcpserv04\", [\"bin/tcpserv04\"], 0x7ffe /* 43 vars */) = 0\n": "line 1 is not what strace writes for record",
		"\n": "line 1 is not what strace writes for record",
		aCall + "read(0, \"\", 1) = 0 <0.000001>\nhello\n":                 "line 2 is not what strace writes for record",
		aCall + "read(0, \"\", 1) = 0 <0.000001>\n20001 17958887":          "line 2 is cut short",
		aCall + "read(0, \"\", 1) = ":                                      "line 1 is cut short",
		aCall + "read(0, \"\", 1) = zero\n":                                "line 1 is not what strace writes for record",
		aCall + "<... read resumed>\"\", 1) = 0 <0.000001>\n":              "line 1 is not what strace writes for record",
		aCall + "--- SIGCHLD":                                              "line 1 is cut short",
		aCall + "+++ gone +++\n":                                           "line 1 is not what strace writes for record",
		"99999999999999999999 1.000001 pause()\n":                          "line 1 has a number that is too large",
		"20001 1795888781999999.000001 pause()\n":                          "line 1 has a number that is too large",
		"20001 [vpid 1] 1795888781.000001 read(0, \"\", 1) = 0\n":          "line 1 is not what strace writes for record",
		aCall + "read(0,  <unfinished ...>\n" + aCall + "<... write resum": "line 2 is cut short",
	} {
		if _, err := readTrace(strings.NewReader(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	entries, err := readTrace(strings.NewReader(aCall + "accept(3<TCP:[0.0.0.0:9877]>, "))
	if err != nil || len(entries) != 1 || processes(entries)[0].events[0].text != "accept(3) …" {
		t.Errorf("a call that has not returned: %v, %v", entries, err)
	}
}

func TestBadCaptures(t *testing.T) {
	capture, err := os.ReadFile("testdata/go/tcpdump.1")
	if err != nil {
		t.Fatal(err)
	}
	text := string(capture)
	first, _, _ := strings.Cut(text, "\n")
	for text, want := range map[string]string{
		text[:len(text)-5]:  "line 53 is cut short",
		first:               "line 1 is cut short",
		first + "\n":        "line 2: the packet before it is cut short",
		"hello\n":           "line 1 is not what tcpdump writes for record",
		first[20:] + "\n":   "line 1 is not what tcpdump writes for record",
		text + "\t0x0000\n": "line 54 is not what tcpdump writes for record",
		strings.Replace(first, "9877", "987777", 1) + "\n": "line 1 is not what tcpdump writes for record",
	} {
		if _, err := readCapture(strings.NewReader(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.80q: %v, want %s", text, err, want)
		}
	}
}

func TestNoRecord(t *testing.T) {
	for _, dir := range []string{t.TempDir(), "testdata/nothing"} {
		if _, err := load(dir); err == nil || err.Error() != "nothing has been recorded yet: start a program with record" {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// A process that has no end in the record must be there, and traced.
func TestLive(t *testing.T) {
	const cut = "the record of tcpserv04 (process 20002) is cut short: strace has ended before it"
	for _, c := range []struct {
		status, want string
		computes     bool
	}{
		{status: "", want: cut},
		{status: "TracerPid:\t0\n", want: cut},
		{status: "TracerPid:\t200\n"},
		{status: "TracerPid:\t200\n", computes: true, want: "tcpserv04 (process 20002) is still running"},
	} {
		tl, proc := loadRecord(t, "go"), t.TempDir()
		if c.computes {
			server := tl.byPID[20002]
			server.events = slices.DeleteFunc(server.events, func(e *event) bool { return e.slow })
		}
		if c.status != "" {
			os.Mkdir(filepath.Join(proc, "20002"), 0o755)
			os.WriteFile(filepath.Join(proc, "20002", "status"), []byte("Name:\ttcpserv04\n"+c.status), 0o644)
		}
		notes, err := tl.live(proc)
		if err != nil {
			notes = append(notes, err.Error())
		}
		if said := strings.Join(notes, ", "); said != c.want {
			t.Errorf("%q: %q, want %q", c.status, said, c.want)
		}
	}
}

// Whatever the files hold, timeline draws it or says what is wrong.
func FuzzRecord(f *testing.F) {
	for _, record := range records {
		traces, _ := filepath.Glob(filepath.Join("testdata", record, "strace.*"))
		captures, _ := filepath.Glob(filepath.Join("testdata", record, "tcpdump.*"))
		for i, name := range traces {
			trace, _ := os.ReadFile(name)
			capture, _ := os.ReadFile(captures[i%len(captures)])
			f.Add(string(trace), string(capture))
		}
	}
	f.Fuzz(func(t *testing.T, trace, capture string) {
		entries, err := readTrace(strings.NewReader(trace))
		if err != nil && !strings.HasPrefix(err.Error(), "line ") {
			t.Error(err)
		}
		packets, err := readCapture(strings.NewReader(capture))
		if err != nil && !strings.HasPrefix(err.Error(), "line ") {
			t.Error(err)
		}
		list := processes(entries)
		events := 0
		for _, p := range list {
			events += len(p.events)
		}
		tl := newTimeline(list, packets)
		for _, c := range tl.connections {
			events += len(c.client.sent) + len(c.server.sent)
		}
		if n := len(tl.sequence()); n != events {
			t.Errorf("%d of %d events are drawn", n, events)
		}
		tl.draw(io.Discard, true)
		tl.mermaid(io.Discard)
	})
}

// An RST is left out if it only answers a duplicate that arrives when both ends have closed, and
// so is a FIN that a host has sent itself twice. The ACK of its second arrival is drawn.
func TestLateSegments(t *testing.T) {
	const client, server = "127.0.0.1:40000", "127.0.0.1:9877"
	packets := []*packet{
		{at: 1, from: client, to: server, flags: "S", seq: 100},
		{at: 2, from: server, to: client, flags: "S.", seq: 500, ack: 101},
		{at: 3, from: client, to: server, flags: ".", seq: 101, ack: 501},
		{at: 4, from: client, to: server, flags: "F.", seq: 101, ack: 501},
		{at: 5, from: server, to: client, flags: "F.", seq: 501, ack: 102},
		{at: 6, from: client, to: server, flags: ".", seq: 102, ack: 502},
		{at: 7, from: server, to: client, flags: "R", seq: 502},
	}
	again := *packets[4]
	again.at, again.id = 6, 1
	for _, c := range []struct {
		name       string
		packets    []*packet
		loop       bool
		wantClient string
		wantServer string
	}{
		{"RST when both have closed", packets, true, "SYN, ACK, FIN ACK, ACK", "SYN ACK, FIN ACK"},
		{"RST before", append(packets[:4:4], packets[6]), true, "SYN, ACK, FIN ACK", "SYN ACK, RST"},
		{"FIN again", append(packets[:5:5], &again, packets[5]), true, "SYN, ACK, FIN ACK, ACK", "SYN ACK, FIN ACK"},
		{"FIN again between two hosts", append(packets[:5:5], &again, packets[5]), false, "SYN, ACK, FIN ACK, ACK", "SYN ACK, FIN ACK, FIN ACK again"},
	} {
		var own []*packet
		for _, p := range c.packets {
			p := *p
			p.loop, p.out = c.loop, !c.loop
			own = append(own, &p)
		}
		connection := connections(own)[0]
		if got := texts(connection.client); got != c.wantClient {
			t.Errorf("%s: the client sends %s, want %s", c.name, got, c.wantClient)
		}
		if got := texts(connection.server); got != c.wantServer {
			t.Errorf("%s: the server sends %s, want %s", c.name, got, c.wantServer)
		}
	}
}

func texts(e *end) string {
	var list []string
	for _, ev := range e.sent {
		list = append(list, ev.segment.text())
	}
	return strings.Join(list, ", ")
}
