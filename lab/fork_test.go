package lab

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// What it takes more to see of the programs in testdata/forks than to start them.

// What main prints before Fork is not printed again by the child.
func TestPrintedOnce(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := forkingServer(t, "prints")
	want := "before socket\nafter listen\n"
	for range 3 {
		client(t, "tcpcli01", srv.process)
		want += "after accept\nin the child\n"
	}
	srv.printed(want)
}

// A daemon forks twice: its parent is init.
func TestDaemon(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	p := forks(t, "daemon")
	p.end()
	p.printed(p.program.Prints.Stdout)
}

// A server that forgets Close(connfd) serves every client, and keeps the end of
// each connection.
func TestLeak(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := forkingServer(t, "leak")
	for n := 1; n <= 20; n++ {
		cli := client(t, "tcpcli01", srv.process)
		cli.stdin.Close()
		await(t, "CLOSE_WAIT for each client", func() bool {
			local, _ := tcpStates()
			slices.Sort(local)
			return slices.Equal(local, append(slices.Repeat([]string{"CLOSE_WAIT"}, n), "LISTEN"))
		})
	}
}

// said is what the server says to a client, until it closes.
func said(t *testing.T, port int) string {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	b, _ := io.ReadAll(conn)
	return string(b)
}

// noTimeWait lets the next server have the port at once.
func noTimeWait(t testing.TB) {
	t.Helper()
	needsHost(t, "it sets net.ipv4.tcp_max_tw_buckets")
	if out, err := tool(t, "sysctl", "-qw", "net.ipv4.tcp_max_tw_buckets=0").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// A server that accepts twice in each round, before it forks.
func TestPairsOfClients(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	noTimeWait(t)
	for _, name := range []string{"two accepts", "one line"} {
		t.Run(name, func(t *testing.T) {
			srv := forkingServer(t, name)
			for range 3 {
				first, err := dial()
				if err != nil {
					t.Fatal(err)
				}
				if second := said(t, 9877); second != "second, at 5\n" {
					t.Errorf("second client: %q", second)
				}
				if b, _ := io.ReadAll(first); string(b) != "first, at 4\n" {
					t.Errorf("first client: %q", b)
				}
			}
			killSession(srv.pid())
		})
		awaitFreePort(t)
	}
}

// A server that accepts three times in a loop, before it forks once.
func TestThreeAtOnce(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	noTimeWait(t)
	forkingServer(t, "three accepts")
	var conns [2]*net.TCPConn
	for i := range conns {
		var err error
		conns[i], err = dial()
		if err != nil {
			t.Fatal(err)
		}
	}
	third := said(t, 9877)
	for _, conn := range conns {
		if b, _ := io.ReadAll(conn); string(b) != "[4 5 6]\n" || third != "[4 5 6]\n" {
			t.Errorf("%q and %q", b, third)
		}
	}
}

// A server with a child for each of its two ports.
func TestTwoPorts(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	noTimeWait(t)
	srv := forks(t, "two listen")
	await(t, "two children", func() bool { return len(children(srv.pid())) == 2 })
	for i, port := range []int{9877, 9878} {
		for range 2 {
			if got, want := said(t, port), fmt.Sprintln("child", i); got != want {
				t.Errorf("port %d: %q, want %q", port, got, want)
			}
		}
	}
}

// Three children accept on one socket, and fork in their turn.
func TestPrefork(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	noTimeWait(t)
	srv := forks(t, "prefork")
	await(t, "three children in accept", func() bool {
		list := children(srv.pid())
		return len(list) == 3 && !slices.ContainsFunc(list, func(s procStat) bool { return !inCall(s.pid, unix.SYS_ACCEPT) })
	})
	seen := map[string]int{}
	for range 30 {
		seen[said(t, 9877)]++
	}
	if len(seen) != 3 || seen["child 0\n"]+seen["child 1\n"]+seen["child 2\n"] != 30 {
		t.Errorf("served by %v", seen)
	}
}

// A session of FTP: its child keeps the name of the user and the directory, while a child of
// its own sends each file. What the client sends ahead is not lost.
func TestFTP(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	noTimeWait(t)
	srv := forksCommand(t, "FTP")
	for name, content := range map[string]string{"one": "the first file\n", "sub/one": "the second file\n"} {
		os.MkdirAll(filepath.Join(srv.cmd.Dir, filepath.Dir(name)), 0o700)
		if err := os.WriteFile(filepath.Join(srv.cmd.Dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	srv.start()
	srv.accepts()
	for _, user := range []string{"alice", "bob"} {
		control := srv.dial()
		defer control.Close()
		fmt.Fprintf(control, "USER %s\nPASV\n", user)
		got := ""
		for _, content := range []string{"the first file\n", "the second file\n"} {
			var port, code int
			if got == "" {
				fmt.Fscanln(control, &code)
			}
			if n, err := fmt.Fscanln(control, &code, &port); n != 2 || code != 227 {
				t.Fatalf("PASV: %d %d, %v", code, port, err)
			}
			data, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
			if err != nil {
				t.Fatal(err)
			}
			defer data.Close()
			fmt.Fprint(control, "RETR one\n")
			b, _ := io.ReadAll(data)
			if got = string(b); got != user+" gets "+content {
				t.Errorf("RETR: %q, standard error %q", got, srv.err.String())
			}
			fmt.Fscanln(control, &code)
			fmt.Fprint(control, "CWD sub\nPASV\n")
			fmt.Fscanln(control, &code)
		}
	}
}

// The path of a server does not grow with its connections, however it closes them.
func TestPathOfServer(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	for _, c := range []struct {
		program string
		args    []string
		late    int // one that closes late needs some rounds
	}{
		{"tcpserv04", nil, 0},
		{"forks", []string{"unix.Close(connfd)"}, 0},
		{"forks", []string{"late Close"}, 3},
		{"forks", []string{"socket of each round"}, 3},
	} {
		srv := server(t, c.program, c.args...)
		var lengths []int
		for range times(50) {
			cli := client(t, "tcpcli01", srv)
			list := children(srv.pid())
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", list[len(list)-1].pid))
			if err != nil {
				t.Fatal(err)
			}
			lengths = append(lengths, len(b))
			cli.stdin.Close()
			await(t, "the child ends", func() bool { return states(srv.pid())["S"] == 0 })
		}
		if lengths = lengths[c.late:]; slices.Max(lengths) != slices.Min(lengths) {
			t.Errorf("%s %v: the environments of its children have %v bytes", c.program, c.args, lengths)
		}
		srv.signal(unix.SIGKILL)
		srv.end()
		awaitFreePort(t)
	}
}

// Main stands still at Fork while a handler runs.
func TestStandsStillAtFork(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	p := forks(t, "stands still at Fork")
	p.printed("ready\n")
	p.signal(unix.SIGUSR1)
	p.endsAsListed()
}

// What a handler has counted in a variable that nobody keeps, the child does not have.
func TestCountedByHandler(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	p := forks(t, "counted by a handler")
	p.end()
	if out := p.out.String(); !strings.Contains(out, "in the child: 0\n") || !strings.Contains(out, "in the parent: 1\n") { // C: 1, 1
		t.Errorf("counted by a handler: %q", out)
	}
}

// What a round of a server has counted, and nobody keeps, later children do not have; what it
// has done about a signal, they have.
func TestSetInARound(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := forkingServer(t, "round", filepath.Join(t.TempDir(), "first"))
	for range 3 {
		client(t, "tcpcli01", srv.process)
	}
	srv.printed("1 SIG_IGN\n1 SIG_IGN\n1 SIG_IGN\n") // C: 1 SIG_IGN, 2 SIG_IGN, 3 SIG_IGN
}

// Without /proc there is no Fork. A child is in its parent's directory even if another file system
// has been mounted there.
func TestMounts(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	needsHost(t, "it mounts a file system")
	for _, name := range []string{"noexec", "directory under another"} {
		p := forksCommand(t, name)
		p.cmd.Args = append([]string{"unshare", "--mount"}, p.cmd.Args...)
		p.cmd.Path = tool(t, "unshare").Path
		p.start()
		p.endsAsListed()
	}
	forks(t, "chroot", t.TempDir()).endsAsListed()
}

// What ends a program in Go, ends it with the runtime's words.
func TestCrash(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	for name, says := range map[string]string{
		"SIGSEGV":                "\ngoroutine 1 ", // C: 139
		"handler that panics":    "panic: the handler's",
		"SIG_IGN called":         "panic: SIG_IGN is a disposition, and cannot be called",
		"closes all descriptors": "fatal error: ", // C: it runs
	} {
		p := forks(t, name)
		if status := p.end(); status != 2 || !strings.Contains(p.err.String(), says) {
			t.Errorf("%s: status %d, %q", name, status, p.err.String())
		}
	}
}

// With few descriptors left, Fork works or says so; whatever it prints on its way, and
// wherever there is room for its own.
func TestFewDescriptors(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	for _, limit := range []int{5, 6, 7, 8, 16, 58, 59, 60, 61, 62, 63, 64, 65} { // two are free, or more
		start(t, "prlimit", fmt.Sprint("--nofile=", limit), filepath.Join(bin, "forks"), "few files, elsewhere").ends(0, "child in /\n", "")
	}
	for _, c := range []struct {
		limit int
		out   string
	}{{5, "printed\nprinted\n"}, {6, "printed\n"}} {
		start(t, "prlimit", fmt.Sprint("--nofile=", c.limit), filepath.Join(bin, "forks"), "few files, elsewhere, printed").ends(0, c.out, "")
	}
	failed, worked := 0, 0
	for _, limit := range []int{3, 4, 5, 6, 7, 8, 16, 32, 33, 58, 59, 60, 61, 62, 63, 64, 65, 66, 256} {
		p := start(t, "prlimit", fmt.Sprint("--nofile=", limit), filepath.Join(bin, "forks"), "few files")
		switch status := p.end(); {
		case status == 1 && limit < 6 && p.out.String() == "printed\n" && p.err.String() == "fork error: Too many open files\n":
			failed++
		case status == 0 && p.out.String() == "printed\nchild\nparent\n" && p.err.String() == "":
			worked++
		default:
			t.Errorf("with %d descriptors: status %d, %q, %q", limit, status, p.out.String(), p.err.String())
		}
	}
	if failed == 0 || worked == 0 {
		t.Errorf("failed %d times, worked %d times", failed, worked)
	}
}

// A program that runs with the privileges of another user believes nothing that its
// environment says, and does not fork. One that has given up privileges has no child that
// takes them again. One that its user may execute, but not read, forks.
func TestPrivileges(t *testing.T) {
	if os.Getuid() != 0 {
		skip(t, "it runs a program with the privileges of another user", "only root can make one")
	}
	lookAtSources()
	dir := t.TempDir()
	for path := dir; path != "/" && path != os.TempDir(); path = filepath.Dir(path) {
		os.Chmod(path, 0o755)
	}
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) == nil && fs.Flags&unix.ST_NOSUID != 0 {
		skip(t, "it runs a program with the privileges of another user", dir+" is mounted nosuid")
	}
	const nobody = 65534
	program := filepath.Join(dir, "forks")
	b, err := os.ReadFile(filepath.Join(bin, "forks"))
	if err != nil {
		t.Fatal(err)
	}
	install := func(mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(program, b, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(program, mode); err != nil {
			t.Fatal(err)
		}
	}
	run := func(name string, asNobody bool, env ...string) forked {
		t.Helper()
		p := forksCommand(t, name)
		p.cmd.Path, p.cmd.Env = program, env
		if asNobody {
			p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
			p.cmd.Dir = "/"
		}
		p.start()
		return p
	}

	install(0o755)
	trace, err := tool(t, "strace", "-f", "-s", "100000", "-e", "trace=execve", "-v", program, "set-user-ID").CombinedOutput()
	m := regexp.MustCompile(`"UNP_FORK=((?:[^"\\]|\\.)*)"`).FindSubmatch(trace)
	if m == nil {
		t.Fatalf("no UNP_FORK in %v, %s", err, trace)
	}
	text, err := strconv.Unquote(`"` + string(m[1]) + `"`)
	if err != nil {
		t.Fatal(err)
	}
	forged := "UNP_FORK=" + strings.Replace(text, "Once() = 0 (1)", "Once() = 0 (666)", 1)
	if p := run("set-user-ID", true, forged); p.end() != 0 || p.out.String() != "child of 666\n" {
		t.Fatalf("the forged path makes no child of the program: %q, %q", p.out.String(), p.err.String())
	}
	install(0o755 | os.ModeSetuid)
	run("set-user-ID", true, forged).endsAsListed()
	install(0o755 | os.ModeSetgid)
	run("set-user-ID", true, forged).endsAsListed()

	install(0o700)
	run("program that may not be executed again", false).endsAsListed()
	install(0o711)
	run("program that may not be read", true, "SETTING=first").endsAsListed()
	run("environment cleared", true).endsAsListed()
	install(0o755)
	run("directory that cannot be reached", false).endsAsListed()
	run("directory that cannot be searched", false).endsAsListed()
	if p := run("directory to which there is no way back", false); p.end() != 0 || p.out.String() != "parent\n" || !strings.HasPrefix(p.err.String(), "fork error: the child cannot return to its parent's directory: ") {
		t.Errorf("directory to which there is no way back: %q, %q", p.out.String(), p.err.String())
	}
	if p := run("privileges given up", false); p.end() != 1 || p.out.String() != "" || !strings.HasPrefix(p.err.String(), "fork error: ") {
		t.Errorf("privileges given up: %q, %q", p.out.String(), p.err.String())
	}
}

// Started as an argument of another program, Fork does not execute that.
func TestRunners(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	takesLong(t, "it builds two programs")
	loaders, _ := filepath.Glob("/lib*/ld-linux-*.so.*")
	if len(loaders) == 0 {
		skip(t, "it runs ld.so", "this machine has none where it is looked for")
	}
	dir := t.TempDir()
	for name, flags := range map[string][]string{"pie": {"-buildmode=pie"}, "cgo": {"-ldflags=-linkmode=external"}} {
		t.Run(name, func(t *testing.T) {
			if name == "cgo" {
				needsTools(t, "gcc")
			}
			program := filepath.Join(dir, name)
			build := exec.Command("go", slices.Concat([]string{"build", "-trimpath", "-buildvcs=false", "-o", program}, flags, []string{"./testdata/forks"})...)
			build.Env = append(os.Environ(), "CGO_ENABLED=1")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			start(t, program, "ld.so").ends(0, "child\nparent\n", "")
			start(t, program, "interrupted").ends(0, "interrupted system call\ninterrupted system call\n", "")
			p := start(t, loaders[0], program, "ld.so")
			if status := p.end(); status != 1 || p.out.String() != "" || !regexp.MustCompile(`^fork error: \S+/ld-linux-\S+ is another program: start this one by its own name\n$`).MatchString(p.err.String()) {
				t.Errorf("under ld.so: status %d, %q, %q", status, p.out.String(), p.err.String())
			}
		})
	}
}

// The path takes a bounded amount of memory, even if main keeps and reads without end; and what
// is not on the path takes none.
func TestMemory(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	for name, most := range map[string]int{"kept beyond the bound": 400, "many stacks": 100} {
		p := forks(t, name)
		megabytes := 0
		status := p.end()
		fmt.Sscan(p.out.String(), &megabytes)
		if status != 0 || megabytes == 0 || megabytes > most {
			t.Errorf("%s: status %d, %q, %q", name, status, p.out.String(), p.err.String())
		}
	}
}

// What a call takes does not depend on how many there have been.
func TestInProportion(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	takesLong(t, "it makes 56,000 sockets")
	for _, name := range []string{"ratio of many sockets", "ratio of accepts", "ratio of pairs", "ratio of idle rounds"} {
		p := forks(t, name)
		ratio := 0.0
		if status := p.end(); status != 0 {
			t.Errorf("%s: status %d, %q", name, status, p.err.String())
		}
		if fmt.Sscan(p.out.String(), &ratio); ratio <= 0 || ratio > 4 {
			t.Errorf("%s: %q", name, p.out.String())
		}
	}
}

// A write that has written nothing ends Writen, as in the book.
func TestWriteOfNothing(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	p := forksCommand(t, "writes")
	strace := tool(t, "strace", "-qqq", "-o", os.DevNull, "-e", "inject=write:retval=0:when=1")
	p.cmd.Path, p.cmd.Args = strace.Path, slices.Concat(strace.Args, p.cmd.Args)
	p.start()
	p.endsAsListed()
}

// A child that is stopped makes the handler wait for it, and the server with it.
func TestHandlerHoldsMain(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := server(t, "tcpserv03")
	first := client(t, "tcpcli01", srv)
	child := children(srv.pid())[0].pid
	unix.Kill(child, unix.SIGSTOP)
	await(t, "a thread of the server waits", func() bool { return anyThreadInCall(srv.pid(), unix.SYS_WAIT4) })
	second := start(t, "tcpcli01", "127.0.0.1")
	second.typed("second\n")
	await(t, "the second client waits for its echo", func() bool { return inCall(second.pid(), unix.SYS_READ) })
	await(t, "the server has left accept", func() bool { return !inCall(srv.pid(), unix.SYS_ACCEPT) && stat(srv.pid()).state == "S" })
	if n := len(children(srv.pid())); n != 1 || second.out.String() != "" {
		t.Errorf("%d children, and the second client has %q", n, second.out.String())
	}
	unix.Kill(child, unix.SIGCONT)
	first.stdin.Close()
	first.ends(0, "hello\n", "")
	second.printed("second\n")
}

func anyThreadInCall(pid, call int) bool {
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	return slices.ContainsFunc(names, func(name string) bool {
		b, _ := os.ReadFile(name)
		return strings.HasPrefix(string(b), strconv.Itoa(call)+" ")
	})
}

// With SIGPIPE ignored or caught, a program whose standard output nobody reads continues.
func TestBrokenStandardOutput(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	for how, want := range map[string]struct {
		status int
		stderr string
	}{
		"default":            {128 + 13, ""},
		"ignored":            {1, "printf fails: true\n"},
		"caught":             {1, "caught\n"},
		"ignored in a child": {1, "printf fails: true\n"},
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		p := forksCommand(t, "broken standard output", how).process
		if how == "default" { // even if the shell ignores it
			p = command(t, "bash", "-c", `trap "" PIPE; exec "$0" "broken standard output" default`, filepath.Join(bin, "forks"))
		}
		p.cmd.Stdout = w
		p.start()
		w.Close()
		p.ends(want.status, "", want.stderr)
	}
}

// Sleep ends early for a handler, and for nothing else.
func TestSleep(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	asleep := func(p *process) {
		await(t, "it sleeps", func() bool {
			return inCall(p.pid(), unix.SYS_CLOCK_NANOSLEEP) || inCall(p.pid(), unix.SYS_RESTART_SYSCALL)
		})
		quiet(t, p.pid()) // a thread that is just starting may take the signal instead
	}
	p := forks(t, "sleep").process
	for _, signo := range []unix.Signal{unix.SIGWINCH, unix.SIGURG, unix.SIGCONT} {
		asleep(p)
		p.signal(signo)
	}
	asleep(p)
	p.stop()
	p.signal(unix.SIGCONT)
	asleep(p)
	p.signal(unix.SIGUSR1)
	if status := p.end(); status != 0 || !regexp.MustCompile(`^left: (9\d|100)\n$`).MatchString(p.out.String()) {
		t.Errorf("status %d, %q", status, p.out.String())
	}
	years := forks(t, "sleep for years")
	asleep(years.process)
	years.signal(unix.SIGUSR1)
	years.endsAsListed()
}

// When a call fails with EINTR, the handler has returned.
func TestInterruptedConnect(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	needsHost(t, "it makes network interfaces")
	// The kernel sends to 192.0.2.2, where nobody is.
	if out, err := exec.Command("bash", "-c", `ip link add eth0 type veth peer name eth1 && ip link set eth0 up && ip link set eth1 up && ip addr add 192.0.2.1/24 dev eth0 &&
		ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:01 dev eth0`).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for range times(20) {
		p := forks(t, "connect")
		await(t, "it is in connect", func() bool { return inCall(p.pid(), unix.SYS_CONNECT) })
		quiet(t, p.pid())
		p.signal(unix.SIGUSR1)
		p.endsAsListed()
	}
}

// str_echo reads again after EINTR; a Fork after an accept that was interrupted
// finds its way.
func TestInterruptedServer(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := forkingServer(t, "interrupted echo")
	cli := client(t, "tcpcli01", nil)
	child := children(srv.pid())[0].pid
	await(t, "the child is in read", func() bool { return inCall(child, unix.SYS_READ) })
	quiet(t, child)
	unix.Kill(child, unix.SIGUSR1)
	srv.printed("caught\n")
	cli.typed("again\n")
	cli.printed("hello\nagain\n")
	cli.stdin.Close()
	srv.endsAsListed()
	awaitFreePort(t)

	p := forks(t, "interrupted in the child")
	await(t, "the child is in read", func() bool {
		list := children(p.pid())
		return len(list) == 1 && inCall(list[0].pid, unix.SYS_READ)
	})
	quiet(t, p.pid())
	unix.Kill(children(p.pid())[0].pid, unix.SIGTSTP)
	p.endsAsListed()

	srv = forkingServer(t, "failed accept")
	quiet(t, srv.pid())
	srv.signal(unix.SIGUSR1)
	srv.endsAsListed()

	srv = forkingServer(t, "interrupted accept")
	quiet(t, srv.pid())
	srv.signal(unix.SIGUSR1)
	srv.printed("caught\nEINTR\n")
	srv.accepts()
	conn, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetLinger(0) // no TIME_WAIT
	srv.endsAsListed()
}

// A handler closes the socket on which main accepts, and main finds out at once.
func TestClosedByHandler(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := forkingServer(t, "closed by a handler")
	quiet(t, srv.pid())
	srv.signal(unix.SIGUSR1)
	srv.endsAsListed()
}

// Nothing but what should interrupts main: not the runtime's own signal, while the
// collector works; and the path does not grow.
func TestInterruptedOnPurpose(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	for program, rounds := range map[string]int{"collecting": 200, "interrupted accepts": 30} {
		srv := forks(t, program)
		want := ""
		for i := range rounds {
			await(t, "it is in accept", func() bool { return inCall(srv.pid(), unix.SYS_ACCEPT) && srv.out.String() == want })
			srv.signal(unix.SIGUSR1)
			want += fmt.Sprintln(i + map[string]int{"collecting": 1}[program])
			await(t, "it says so", func() bool { return strings.HasPrefix(srv.out.String(), want) })
		}
		if program == "interrupted accepts" {
			srv.ends(0, want+"true\n", "")
		} else {
			srv.signal(unix.SIGKILL)
			srv.end()
		}
		awaitFreePort(t)
	}
}

// The runtime's own signal is in no trace, also where nothing switches it off.
func TestNoSIGURG(t *testing.T) {
	takesLong(t, "it polls 2000 times")
	if !onOwnHost(t) {
		return
	}
	file := filepath.Join(t.TempDir(), "trace")
	p := command(t, "strace", "-o", file, filepath.Join(bin, "forks"), "polling", "2000")
	p.cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "GODEBUG=") })
	p.start()
	p.end()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, b, _ = bytes.Cut(b, []byte("pipe2(")) // main's first call; before it the runtime starts
	if n := strings.Count(string(b), "--- SIGURG"); n > 0 {
		t.Errorf("%d of SIGURG", n)
	}
}

// A reader may give the module a name of their own.
func TestRenamedModule(t *testing.T) {
	takesLong(t, "it builds unp and a program")
	if !onOwnHost(t) {
		return
	}
	dir := t.TempDir()
	build := exec.Command("bash", "-c", `cp -r --no-preserve=mode ../go.mod ../go.sum ../unp ../tcpserv01 "$0" && cd "$0" &&
		sed -i 's/^module tcpcliserv/module mine/' go.mod && sed -i 's,"tcpcliserv/unp,"mine/unp,' */*.go */*/*.go && go build -buildvcs=false -o renamed ./tcpserv01`, dir)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	client(t, "tcpcli01", server(t, filepath.Join(dir, "renamed")))
}

// A reader's own module follows the steps of changing.md, but has go.sum already, so that go
// asks no other machine.
func TestOwnModule(t *testing.T) {
	takesLong(t, "it builds unp and a program")
	if !onOwnHost(t) {
		return
	}
	dir := t.TempDir()
	clone, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("bash", "-c", `cp --no-preserve=mode ../tcpserv01/tcpserv01.go ../go.sum "$0" && cd "$0" && go mod init mine &&
		go mod edit -replace=tcpcliserv="$1" && go mod tidy && go mod edit -godebug=containermaxprocs=0 -godebug=updatemaxprocs=0 &&
		go build -o own .`, dir, clone)
	build.Env = append(os.Environ(), "GOPROXY=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	srv := server(t, filepath.Join(dir, "own"))
	client(t, "tcpcli01", srv)
	socket, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/3", srv.pid()))
	if !strings.HasPrefix(socket, "socket:") {
		t.Errorf("descriptor 3 is %q, want the listening socket", socket)
	}
}

// Where the kernel allows no further process, Fork says so and ends the server. Where
// it allows the child but not its threads, the child's runtime says so, and the
// server continues. Where it allows those too, all is well.
func TestProcessLimit(t *testing.T) {
	takesLong(t, "it makes a host for each limit")
	needsHost(t, "it counts the processes of a user")
	t.Parallel()
	lookAtSources()
	seen := map[string]int{}
	for limit := 1; seen["served"] < 3 && limit < 100; limit++ {
		cmd := asOrdinaryUser(t, "bash", "-c", `bin/tcpserv01 2> said & server=$!
			until echo first | bin/tcpcli01 127.0.0.1 2> /dev/null; do sleep .01; done
			prlimit --pid $server --nproc=$0
			echo second | bin/tcpcli01 127.0.0.1 2> /dev/null
			kill $server 2> /dev/null; wait $server 2> /dev/null; echo $?; cat said`, strconv.Itoa(limit))
		out, err := cmd.CombinedOutput()
		switch s := string(out); {
		case err != nil:
			t.Errorf("%v\n%s", err, out)
		case s == "first\n1\nfork error: Resource temporarily unavailable\n":
			seen["no process"]++
		case strings.HasPrefix(s, "first\n143\nruntime: failed to create new OS thread"):
			seen["no thread"]++
		case s == "first\nsecond\n143\n":
			seen["served"]++
		default:
			t.Errorf("with a limit of %d:\n%s", limit, s)
		}
	}
	if seen["no process"] == 0 || seen["no thread"] == 0 || seen["served"] == 0 {
		t.Errorf("seen: %v", seen)
	}
}
