package lab

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What tcpcli01 prints is what it was given, whatever that is.
func TestEcho(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := server(t, "tcpserv04")
	random := rand.New(rand.NewPCG(5, 9877))
	line := func(n int, alphabet string) string { // n bytes with the newline
		b := make([]byte, n-1, n)
		for i := range b {
			b[i] = alphabet[random.IntN(len(alphabet))]
		}
		return string(append(b, '\n'))
	}
	printable := ""
	for c := byte(' '); c <= '~'; c++ {
		printable += string(c)
	}
	every := []byte{}
	for c := range 256 {
		every = append(every, byte(c))
	}
	inputs := map[string]string{"empty input": "", "one long line": line(1_000_003, printable)}
	for range 3000 {
		inputs["3000 random lines"] += line(1+random.IntN(200), printable)
	}
	for range 200 {
		inputs["200 lines of random bytes"] += line(1+random.IntN(300), string(every)) + "\x00\xff\n\x00\n\xff\n"
	}
	for _, n := range []int{4093, 4094, 4095, 4096, 4097, 8190, 8191, 8192} {
		inputs[fmt.Sprintf("a line of %d bytes", n)] = line(n, printable) + line(n+1, printable)
	}
	for name, input := range inputs {
		t.Run(name, func(t *testing.T) {
			cli := command(t, "tcpcli01", "127.0.0.1")
			cli.cmd.Stdin = strings.NewReader(input)
			cli.start()
			if status := cli.end(); status != 0 || cli.err.String() != "" {
				t.Errorf("status %d, standard error %q", status, cli.err.String())
			}
			if out := cli.out.String(); out != input {
				at := 0
				for at < len(out) && at < len(input) && out[at] == input[at] {
					at++
				}
				t.Errorf("%d bytes in, %d bytes out, different from byte %d on", len(input), len(out), at)
			}
		})
	}
	await(t, "the server has no child left", func() bool { return len(children(srv.pid())) == 0 })
}

// Two clients at once, and each gets its own lines.
func TestNormalStartup(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := server(t, "tcpserv01")
	if local, _ := tcpStates(); !slices.Equal(local, []string{"LISTEN"}) {
		t.Errorf("before the client starts: %v", local)
	}
	one, two := client(t, "tcpcli01", srv), client(t, "tcpcli01", srv)
	local, remote := tcpStates()
	slices.Sort(local)
	if !slices.Equal(local, []string{"ESTABLISHED", "ESTABLISHED", "LISTEN"}) || !slices.Equal(remote, []string{"ESTABLISHED", "ESTABLISHED"}) {
		t.Errorf("two clients: server's end %v, clients' end %v", local, remote)
	}
	two.typed("second\n")
	one.typed("first\n")
	one.printed("hello\nfirst\n")
	two.printed("hello\nsecond\n")
	for _, p := range []struct {
		who       string
		pid, call int
	}{
		{"the server in accept", srv.pid(), unix.SYS_ACCEPT},
		{"its first child in read", children(srv.pid())[0].pid, unix.SYS_READ},
		{"its second child in read", children(srv.pid())[1].pid, unix.SYS_READ},
		{"the client in read", one.pid(), unix.SYS_READ},
	} {
		await(t, p.who, func() bool { return inCall(p.pid, p.call) })
	}
}

// The client's end goes to TIME_WAIT, the child becomes a zombie.
func TestNormalTermination(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := server(t, "tcpserv01")
	for n := 1; n <= 3; n++ {
		cli := client(t, "tcpcli01", srv)
		cli.stdin.Close()
		cli.ends(0, "hello\n", "")
		await(t, "one zombie for each client", func() bool { return states(srv.pid())["Z"] == n })
		if local, remote := tcpStates(); !slices.Equal(local, []string{"LISTEN"}) || len(remote) != n || slices.ContainsFunc(remote, func(s string) bool { return s != "TIME_WAIT" }) {
			t.Errorf("server's end %v, clients' end %v", local, remote)
		}
	}
	out, _ := tool(t, "ps", "-o", "stat=,args=", "--ppid", fmt.Sprint(srv.pid())).Output()
	if want := strings.Repeat("Z    [tcpserv01] <defunct>\n", 3); withoutNice(string(out)) != want {
		t.Errorf("ps shows %q, want %q", out, want)
	}
	srv.signal(unix.SIGTERM)
	srv.ends(128+15, "", "")
}

// A child has its parent's name and its parent's code, also after the binary has
// been rebuilt or removed.
func TestChildOfRemovedBinary(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "tcpserv01")
	program, err := os.ReadFile(filepath.Join(bin, "tcpserv01"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
	srv := start(t, path)
	srv.accepts()
	for n, change := range []func() error{
		func() error { return nil },
		func() error { os.Remove(path); return os.WriteFile(path, []byte("#!/bin/false\n"), 0o755) },
		func() error { return os.Remove(path) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		client(t, "tcpcli01", srv)
		out, _ := tool(t, "ps", "-o", "comm=", "--ppid", fmt.Sprint(srv.pid())).Output()
		if want := strings.Repeat("tcpserv01\n", n+1); string(out) != want {
			t.Errorf("ps -o comm shows %q, want %q", out, want)
		}
		if out, _ := tool(t, "pgrep", "-c", "-s", fmt.Sprint(srv.pid()), "-x", "tcpserv01").Output(); string(out) != fmt.Sprintf("%d\n", n+2) {
			t.Errorf("pgrep -c finds %q, want %d", out, n+2)
		}
	}
}

// Where signal() does not restart, the handler runs and accept fails: 100 times
// out of 100 the handler has printed its line before the call fails.
func TestInterruptedAccept(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	for run := range times(100) {
		srv := command(t, "tcpserv02")
		srv.cmd.Stderr = srv.cmd.Stdout // in their order
		srv.start()
		srv.accepts()
		cli := client(t, "tcpcli01", srv)
		child := children(srv.pid())[0].pid
		cli.stdin.Close()
		cli.ends(0, "hello\n", "")
		status := srv.end()
		if want := fmt.Sprintf("child %d terminated\naccept error: Interrupted system call\n", child); status != 1 || srv.out.String() != want {
			t.Fatalf("run %d: status %d, %q; want 1, %q", run, status, srv.out.String(), want)
		}
		// The child's end has the server's port; the next server has to wait.
		awaitFreePort(t)
	}
}

// With SA_RESTART the kernel restarts accept, and the server continues.
func TestRestartedAccept(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	for _, name := range []string{"tcpserv03", "tcpserv04"} {
		srv := server(t, name)
		want := ""
		for range 3 {
			cli := client(t, "tcpcli01", srv)
			want += fmt.Sprintf("child %d terminated\n", children(srv.pid())[0].pid)
			cli.stdin.Close()
			cli.ends(0, "hello\n", "")
			srv.printed(want)
		}
		srv.signal(unix.SIGKILL)
		srv.ends(128+9, want, "")
	}
}

// Five children end while their parent cannot handle a signal: it gets one.
func TestSignalsAreNotQueued(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	for name, zombies := range map[string]int{"tcpserv03": 4, "tcpserv04": 0} {
		for range 5 {
			srv := server(t, name)
			cli := client(t, "tcpcli04", srv)
			await(t, "five children", func() bool { return len(children(srv.pid())) == 5 })
			srv.accepts()
			srv.stop()
			cli.stdin.Close()
			cli.ends(0, "hello\n", "")
			await(t, "five zombies", func() bool { return states(srv.pid())["Z"] == 5 })
			srv.signal(unix.SIGCONT)
			await(t, fmt.Sprintf("%d zombies", zombies), func() bool { return states(srv.pid())["Z"] == zombies })
			srv.accepts()
			last := client(t, "tcpcli01", srv) // the server has been through its loop since
			if n := states(srv.pid())["Z"]; n != zombies {
				t.Errorf("%s: %d zombies, want %d", name, n, zombies)
			}
			if n := strings.Count(srv.out.String(), " terminated\n"); n != 5-zombies {
				t.Errorf("%s printed %d lines, want %d", name, n, 5-zombies)
			}
			last.stdin.Close()
			last.ends(0, "hello\n", "")
			srv.signal(unix.SIGKILL)
			srv.end()
			awaitFreePort(t)
		}
	}
}

// Five children end while their parent can handle signals. Each is reported or
// stays a zombie, and at least one of the five is reported.
func TestSignalsComeApart(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := server(t, "tcpserv03")
	reaped, zombies := 0, 0
	for range 10 {
		cli := client(t, "tcpcli04", srv)
		await(t, "five children", func() bool { return states(srv.pid())["S"] == 5 })
		cli.stdin.Close()
		cli.ends(0, "hello\n", "")
		await(t, "five children have ended", func() bool {
			m := states(srv.pid())
			return m["S"]+m["R"]+m["D"]+m["Zl"] == 0
		})
		await(t, "each is reported or a zombie", func() bool {
			reaped, zombies = reported(srv), states(srv.pid())["Z"]
			return (reaped+zombies)%5 == 0 && inCall(srv.pid(), unix.SYS_ACCEPT)
		})
	}
	if reaped+zombies != 50 || reaped < 10 {
		t.Errorf("%d children reported, %d zombies; want 50 in all, and at least one reported of each five", reaped, zombies)
	}
}

// tcpserv04 reports each of a hundred children, and keeps none of them.
func TestHundredChildren(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := server(t, "tcpserv04")
	for range 20 {
		cli := start(t, "tcpcli04", "127.0.0.1")
		cli.typed("hello\n")
		cli.printed("hello\n")
		cli.stdin.Close()
		cli.ends(0, "hello\n", "")
	}
	await(t, "100 lines", func() bool { return strings.Count(srv.out.String(), "\n") == 100 })
	await(t, "no child", func() bool { return len(children(srv.pid())) == 0 })
	reported := strings.Split(strings.TrimSuffix(srv.out.String(), "\n"), "\n")
	slices.Sort(reported)
	if n := len(slices.Compact(reported)); n != 100 {
		t.Errorf("%d different children reported, want 100", n)
	}
}

// Linux's accept returns a connection that has been reset before, and the child
// finds out. Twenty of them do the parent no harm.
func TestConnectionAbortBeforeAcceptReturns(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := server(t, "tcpserv04")
	srv.stop()
	for range 20 {
		cli := command(t, "tcpcli10", "127.0.0.1")
		cli.cmd.Stdin = strings.NewReader("")
		cli.start().ends(0, "", "")
	}
	srv.signal(unix.SIGCONT)
	client(t, "tcpcli01", nil)
	await(t, "20 children reported", func() bool { return strings.Count(srv.out.String(), " terminated\n") == 20 })
	if want := strings.Repeat("str_echo: read error: Connection reset by peer\n", 20); srv.err.String() != want {
		t.Errorf("the children say %q, want %q", srv.err.String(), want)
	}
}

// killed starts a server and a client, and kills the server's child. The client's
// kernel has the FIN; the client does not know.
func killed(t *testing.T, name string) *process {
	srv := server(t, "tcpserv04")
	cli := client(t, name, srv)
	if err := unix.Kill(children(srv.pid())[0].pid, unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, "CLOSE_WAIT at the client, FIN_WAIT2 at the server", func() bool {
		local, remote := tcpStates()
		return slices.Contains(local, "FIN_WAIT2") && slices.Equal(remote, []string{"CLOSE_WAIT"})
	})
	await(t, "the child is reaped", func() bool { return len(children(srv.pid())) == 0 })
	await(t, "the client sleeps in read", func() bool { return inCall(cli.pid(), unix.SYS_READ) })
	return cli
}

func TestTerminationOfServerProcess(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	cli := killed(t, "tcpcli01")
	cli.typed("another line\n")
	cli.ends(1, "hello\n", "str_cli: server terminated prematurely\n")
}

// The first write is answered with an RST; the second raises the signal.
func TestSIGPIPE(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	for name, variant := range map[string]struct {
		init   string
		status int
		stderr string
	}{
		"default": {"", 128 + 13, ""},
		"ignored": {"unp.Signal(unix.SIGPIPE, sys.SIG_IGN)", 1, "writen error: Broken pipe\n"},
		"handled": {`unp.Signal(unix.SIGPIPE, func(unix.Signal) { println("caught SIGPIPE") })`, 1,
			"caught SIGPIPE\nwriten error: Broken pipe\n"},
		"default again": {`unp.Signal(unix.SIGPIPE, func(unix.Signal) { println("caught SIGPIPE") })
			unp.Signal(unix.SIGPIPE, sys.SIG_DFL)`, 128 + 13, ""},
	} {
		t.Run(name, func(t *testing.T) {
			program := "tcpcli11"
			if variant.init != "" {
				takesLong(t, "it builds a program")
				program = buildWith(t, "tcpcli11", variant.init)
			}
			cli := killed(t, program)
			cli.typed("another line\n")
			cli.ends(variant.status, "hello\n", variant.stderr)
		})
	}
}

// buildWith builds a program of the chapter with statements that run before its
// main, and returns its path.
func buildWith(t *testing.T, program, statements string) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "init.go")
	code := "package main\nimport (\"golang.org/x/sys/unix\"; \"tcpcliserv/unp\"; \"tcpcliserv/unp/sys\")\nvar _, _ = unix.SIGPIPE, sys.SIG_IGN\nfunc init() {\n" + statements + "\n}\n"
	if err := os.WriteFile(source, []byte(code), 0o644); err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	json := fmt.Sprintf(`{"Replace": {%q: %q}}`, filepath.Join(root, program, "init.go"), source)
	if err := os.WriteFile(overlay, []byte(json), 0o644); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, program)
	build := exec.Command("go", "build", "-buildvcs=false", "-overlay", overlay, "-o", path, "./"+program)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// Messages and exit statuses when something is wrong from the start.
func TestWords(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	for _, name := range []string{"tcpcli01", "tcpcli04", "tcpcli10", "tcpcli11"} {
		start(t, name).ends(1, "", "usage: tcpcli <IPaddress>\n")
		start(t, name, "127.0.0.1", "127.0.0.1").ends(1, "", "usage: tcpcli <IPaddress>\n")
		for _, bad := range []string{"foo", "1.2.3.400", "::1", "", "127.0.0.1 ", "\xff%d\n", strings.Repeat("1", 100_000)} {
			start(t, name, bad).ends(1, "", "inet_pton error for "+bad+"\n")
		}
		start(t, name, "127.0.0.1").ends(1, "", "connect error: Connection refused\n")
		start(t, name, nowhere).ends(1, "", "connect error: Network is unreachable\n")
	}
	for _, name := range []string{"tcpserv01", "tcpserv02", "tcpserv03", "tcpserv04"} {
		for _, bad := range []string{"", "ten", "1024x", "99999999999999999999"} {
			srv := command(t, name)
			srv.cmd.Env = append(os.Environ(), "LISTENQ="+bad)
			srv.start().ends(1, "", "LISTENQ is not a number: "+bad+"\n")
		}
		srv := server(t, name)
		start(t, name).ends(1, "", "bind error: Address already in use\n")
		srv.signal(unix.SIGKILL)
		srv.end()
	}
}

// Descriptors that are not what they should be: a clear message, or service.
func TestOddDescriptors(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := server(t, "tcpserv04")
	dir, err := os.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cli := command(t, "tcpcli01", "127.0.0.1")
	cli.cmd.Stdin = dir
	cli.start().ends(1, "", "fgets error: Is a directory\n")
	cli = command(t, "tcpcli01", "127.0.0.1")
	cli.cmd.Stdin, cli.cmd.Stdout = strings.NewReader("hello\n"), full
	cli.start().ends(1, "", "fputs error: No space left on device\n")
	for _, redirection := range []string{"<&-", "</dev/null >&-", "</dev/null 2>&-", "<&- >&- 2>&-"} {
		start(t, "bash", "-c", bin+"/tcpcli01 127.0.0.1 "+redirection).ends(0, "", "")
	}
	start(t, "bash", "-c", "echo hello | "+bin+"/tcpcli01 127.0.0.1 >&-").ends(0, "", "")
	srv.childless()
	quiet(t, srv.pid()) // the last one is reported
	reported := srv.out.String()
	srv.signal(unix.SIGQUIT) // no goroutines are printed
	srv.ends(128+3, reported, "")
	for _, redirection := range []string{"<&-", ">&-", "2>&-", "<&- >&- 2>&-"} {
		srv := start(t, "bash", "-c", "exec "+bin+"/tcpserv01 "+redirection)
		srv.accepts()
		client(t, "tcpcli01", srv).stdin.Close()
		await(t, "the child ends", func() bool { return states(srv.pid())["Z"] == 1 })
		srv.signal(unix.SIGKILL)
		srv.end()
		awaitFreePort(t)
	}
}

// LISTENQ sets the number of connections that wait for accept.
func TestListenBacklog(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := command(t, "tcpserv01")
	srv.cmd.Env = append(os.Environ(), "LISTENQ=7")
	srv.start()
	srv.accepts()
	out, err := tool(t, "ss", "-Hltn").Output()
	if fields := strings.Fields(string(out)); err != nil || len(fields) < 5 || fields[2] != "7" || fields[3] != "0.0.0.0:9877" {
		t.Errorf("ss -ltn shows %q, %v; want a backlog of 7 at 0.0.0.0:9877", out, err)
	}
}

// A server that is restarted at once may find its address in use: while a child has
// a connection, and in TIME_WAIT, unless an RST has come between.
func TestRestartedServer(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := server(t, "tcpserv04")
	cli := client(t, "tcpcli01", srv)
	srv.signal(unix.SIGKILL)
	srv.end()
	start(t, "tcpserv04").ends(1, "", "bind error: Address already in use\n")
	cli.typed("the child serves on\n")
	cli.printed("hello\nthe child serves on\n")
	tool(t, "pkill", "-TERM", "-s", fmt.Sprint(srv.pid()), "tcpserv04").Run()
	await(t, "the server's end has closed", func() bool { local, _ := tcpStates(); return slices.Equal(local, []string{"FIN_WAIT2"}) })
	cli.typed("another line\n")
	cli.ends(1, "hello\nthe child serves on\n", "str_cli: server terminated prematurely\n")
	if local, _ := tcpStates(); len(local) != 0 {
		t.Errorf("after the RST: %v", local)
	}
}

// A last line without newline leaves the client waiting, for its echo has none.
func TestLastLineWithoutNewline(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := server(t, "tcpserv04")
	cli := client(t, "tcpcli01", srv)
	cli.typed("no newline")
	cli.stdin.Close()
	child := children(srv.pid())[0].pid
	await(t, "the child has sent the echo and reads on", func() bool {
		_, remote := tcpStates()
		return slices.Equal(remote, []string{"ESTABLISHED"}) && inCall(child, unix.SYS_READ) && inCall(cli.pid(), unix.SYS_READ)
	})
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", cli.pid()))
	if f := bytes.Fields(b); len(f) < 2 || string(f[1]) != "0x3" {
		t.Errorf("the client sleeps in %q, want read(3)", b)
	}
	cli.signal(unix.SIGKILL)
	cli.ends(128+9, "hello\n", "")
}
