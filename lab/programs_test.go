package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The programs in testdata/forks, by theme. Each prints what stands beside it there, which
// is what its twin in C prints, unless a comment says otherwise.

func TestChildren(t *testing.T)     { testTheme(t, "children") }
func TestDescriptors(t *testing.T)  { testTheme(t, "descriptors") }
func TestBeforeFork(t *testing.T)   { testTheme(t, "before") }
func TestReading(t *testing.T)      { testTheme(t, "reading") }
func TestFailing(t *testing.T)      { testTheme(t, "failing") }
func TestSelecting(t *testing.T)    { testTheme(t, "selecting") }
func TestServers(t *testing.T)      { testTheme(t, "servers") }
func TestKeep(t *testing.T)         { testTheme(t, "keep") }
func TestOnce(t *testing.T)         { testTheme(t, "once") }
func TestDirectories(t *testing.T)  { testTheme(t, "directories") }
func TestEnvironment(t *testing.T)  { testTheme(t, "environment") }
func TestPrinting(t *testing.T)     { testTheme(t, "printing") }
func TestSignals(t *testing.T)      { testTheme(t, "signals") }
func TestSigaction(t *testing.T)    { testTheme(t, "sigaction") }
func TestInterrupting(t *testing.T) { testTheme(t, "interrupting") }
func TestBlocking(t *testing.T)     { testTheme(t, "blocking") }
func TestDiffering(t *testing.T)    { testTheme(t, "differing") }
func TestLimits(t *testing.T)       { testTheme(t, "limits") }
func TestDifferences(t *testing.T)  { testTheme(t, "differences") }

// testTheme runs the programs of a file of testdata/forks, in their order; under -short, every
// second one.
func testTheme(t *testing.T, theme string) {
	if !onOwnHost(t) {
		return
	}
	n := 0
	for _, p := range listed(t) {
		if p.Theme != theme || p.Prints.Test != "" {
			continue
		}
		n++
		t.Run(p.Name, func(t *testing.T) {
			if n%2 == 0 {
				takesLong(t, "it is every second program of "+theme)
			}
			p.test(t)
		})
	}
}

// A program is one that forks -list names, and what it must print.
type program struct {
	Name, Theme string
	Line        int
	Prints      struct {
		Stdout, Stderr string
		Status         int

		Args    []string
		Stdin   string
		Under   []string
		Test    string
		Long    string
		Clients []struct{ Sends, Gets string }
		Network string
	}
}

// list asks forks for its programs.
var list = sync.OnceValues(func() (programs []*program, err error) {
	byName := map[string]*program{}
	out, err := exec.Command(filepath.Join(bin, "forks"), "-list").Output()
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(out, &byName)
	for _, p := range byName {
		programs = append(programs, p)
	}
	slices.SortFunc(programs, func(a, b *program) int { return a.Line - b.Line })
	return programs, err
})

func listed(t testing.TB) []*program {
	t.Helper()
	programs, err := list()
	if err != nil {
		t.Fatal(err)
	}
	return programs
}

// Every program is run by a test, and no test is named that is not there.
func TestEveryProgramIsRun(t *testing.T) {
	var tests bytes.Buffer
	names, _ := filepath.Glob("*_test.go")
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(b)
	}
	for _, p := range listed(t) {
		run := fmt.Sprintf("{ testTheme(t, %q) }", p.Theme)
		if p.Prints.Test != "" {
			run = "func " + p.Prints.Test + "("
			if !strings.Contains(tests.String(), fmt.Sprintf("%q", p.Name)) {
				t.Errorf("no test names the program %q", p.Name)
			}
		}
		if !strings.Contains(tests.String(), run) {
			t.Errorf("the program %q of %s.go needs %s", p.Name, p.Theme, run)
		}
	}
}

// A forked is a process that runs a program of testdata/forks.
type forked struct {
	*process
	program *program
}

// forks starts a program of testdata/forks, in a directory of its own, with these arguments
// or with those that stand beside it.
func forks(t testing.TB, name string, args ...string) forked {
	t.Helper()
	p := forksCommand(t, name, args...)
	p.start()
	return p
}

func forksCommand(t testing.TB, name string, args ...string) forked {
	t.Helper()
	i := slices.IndexFunc(listed(t), func(p *program) bool { return p.Name == name })
	if i < 0 {
		t.Fatalf("no program is named %q", name)
	}
	return listed(t)[i].command(t, args...)
}

// forkingServer starts a program of testdata/forks and waits until it is in accept.
func forkingServer(t testing.TB, name string, args ...string) forked {
	t.Helper()
	p := forks(t, name, args...)
	p.accepts()
	return p
}

func (p *program) command(t testing.TB, args ...string) forked {
	t.Helper()
	if args == nil {
		args = p.Prints.Args
	}
	line := slices.Concat(p.Prints.Under, []string{filepath.Join(bin, "forks"), p.Name}, args)
	started := command(t, line[0], line[1:]...)
	started.cmd.Dir = t.TempDir()
	if p.Prints.Stdin != "" {
		name := filepath.Join(t.TempDir(), "input")
		if err := os.WriteFile(name, []byte(p.Prints.Stdin), 0o600); err != nil {
			t.Fatal(err)
		}
		input, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { input.Close() })
		started.cmd.Stdin = input
	}
	return forked{started, p}
}

// test runs a program: it prints what stands beside it.
func (p *program) test(t *testing.T) {
	if p.Prints.Long != "" {
		takesLong(t, p.Prints.Long)
	}
	if len(p.Prints.Clients) > 0 {
		noTimeWait(t)
	}
	run := p.command(t)
	run.start()
	for i, c := range p.Prints.Clients {
		if got := run.tells(c.Sends); got != c.Gets {
			t.Fatalf("client %d gets %q, want %q; standard error %q", i+1, got, c.Gets, run.err.String())
		}
	}
	const terminated = 128 + int(unix.SIGTERM)
	if len(p.Prints.Clients) > 0 && p.Prints.Status == terminated {
		stderr := p.lines(t, p.Prints.Stderr)
		await(t, "it has printed all", func() bool {
			return len(run.out.String()) >= len(p.Prints.Stdout) && len(run.err.String()) >= len(stderr)
		})
		run.signal(unix.SIGTERM)
	}
	run.endsAsListed()
	if len(p.Prints.Clients) > 0 {
		killSession(run.pid())
		awaitFreePort(t)
	}
}

// tells returns what a server tells a client that sends it something and closes its end.
func (p forked) tells(sends string) string {
	p.t.Helper()
	conn := p.dial()
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(60 * time.Second))
	io.WriteString(conn, sends)
	half, stream := conn.(interface{ CloseWrite() error })
	if !stream {
		datagram := make([]byte, 65536)
		n, err := conn.Read(datagram)
		if err != nil {
			p.t.Error(err)
		}
		return string(datagram[:n])
	}
	half.CloseWrite()
	b, _ := io.ReadAll(conn)
	return string(b)
}

// dial connects to a server as soon as it listens.
func (p forked) dial() (conn net.Conn) {
	p.t.Helper()
	network, address := p.program.Prints.Network, "127.0.0.1:9877"
	switch network {
	case "":
		network = "tcp"
	case "tcp6":
		address = "[::1]:9877"
	case "unix":
		address = filepath.Join(p.cmd.Dir, "socket")
	case "udp":
		await(p.t, "the server has its port", func() bool {
			b, _ := os.ReadFile("/proc/net/udp")
			return strings.Contains(string(b), hexPort)
		})
	}
	await(p.t, fmt.Sprintf("%q listens", p.program.Name), func() bool {
		select {
		case <-p.done:
			p.t.Fatalf("%q has ended: %q, %q", p.program.Name, p.out.String(), p.err.String())
		default:
		}
		var err error
		conn, err = net.Dial(network, address)
		return err == nil
	})
	return conn
}

// endsAsListed checks how a program ended, and what it printed.
func (p forked) endsAsListed() {
	p.t.Helper()
	want := p.program.Prints
	p.ends(want.Status, p.program.lines(p.t, want.Stdout), p.program.lines(p.t, want.Stderr))
}

var lineName = regexp.MustCompile(`\b(\w+\.go):(<\w+>)`)

// lines puts the number of a line in the place of its name. In the program's own file the
// search begins with the program.
func (p *program) lines(t testing.TB, text string) string {
	return lineName.ReplaceAllStringFunc(text, func(s string) string {
		m := lineName.FindStringSubmatch(s)
		file, name := m[1], m[2]
		b, err := os.ReadFile(filepath.Join("testdata/forks", file))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(b), "\n")
		first := 0
		if file == p.Theme+".go" {
			first = p.Line
		}
		for i, line := range lines[first:] {
			if strings.HasSuffix(line, "// "+name) {
				return fmt.Sprint(file, ":", first+i+1)
			}
		}
		t.Fatalf("no line of %s ends with // %s", file, name)
		return ""
	})
}
