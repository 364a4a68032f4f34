package lab

import (
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
	"testing"

	"golang.org/x/sys/unix"
)

// forks starts the program in testdata that does what its argument says.
func forks(t *testing.T, program ...string) *process {
	return start(t, "forks", program...)
}

// A listing that a reader has changed prints what the same change prints in C.
func TestChangedListings(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	defaults := ""
	for signo := 1; signo <= 64; signo++ {
		switch signo {
		case 17, 18, 23, 27, 28: // CHLD, CONT, URG, PROF, WINCH
			defaults += "0 "
		case 7, 8, 11, 19, 20, 21, 22, 32, 33, 34: // not asked for
		default:
			defaults += fmt.Sprint(128+signo, " ")
		}
	}
	for program, stdout := range map[string]string{
		"two":                     "first child\nsecond child\n",
		"loop":                    "child 0\nchild 1\nchild 2\n",
		"tree":                    "child 0 of child 0\nchild 1 of child 0\nchild 0\nchild 0 of child 1\nchild 1 of child 1\nchild 1\n",
		"sockets":                 "3 4\n3 4 3 stream datagram\n",
		"remade in the child":     "3 3 datagram\n3 stream\n",
		"grandchildren":           "great-grandchild: 3 3 4 bad file descriptor stream\nits status is 3\nits status is 2\nits status is 1\nparent: 3\n",
		"linger":                  "3 3 0 <nil>\n",
		"socket 0":                "0 stream\n",
		"close-on-exec":           "3 stream\n",
		"collected":               "",
		"caught while it echoes":  "caught\nStrEcho returns\n",
		"caught while it reads":   "caught\nReadline returns line\n",
		"signalled by a handler":  "2\n",
		"again while it runs":     strings.Repeat("2 ", 20),
		"unix.Close":              "the child runs\n",
		"arguments":               "the child runs\n",
		"blocked":                 "0x200\n",
		"handler":                 "its status is 7\nits status is 6\n",
		"handler in the child":    "caught\n",
		"default":                 defaults,
		"dispositions":            strings.Repeat("SIG_DFL SIG_IGN f\n", 6) + "SIG_DFL\n",
		"the handler before":      "1000\n",
		"struck at once":          strings.Repeat("its status is 11\n", 100),
		"sleep a second":          "left: 0\n",
		"struck before Close":     "caught\n",
		"installed as it strikes": "",
		"stale line":              "true two\n",
		"caught":                  fmt.Sprintf("SigCgt:\t%016x\n", 1<<(7-1)|1<<(8-1)|1<<(11-1)|1<<(27-1)|1<<(33-1)), // BUS, FPE, SEGV, PROF, 33
	} {
		t.Run(program, func(t *testing.T) { forks(t, program).ends(0, stdout, "") })
	}
	forks(t, "closed standard descriptors").ends(7, "", "")
	forks(t, "caught before the end").ends(1, "", "caught\nthe end\n")
}

// What main prints before Fork is not printed again by the child. A writer that
// main made before Fork works in the child too.
func TestPrintedOnce(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	forks(t, "printers").ends(0, "once\nonce by Fputs\nchild\n",
		"once on standard error\nonce by println\nchild on standard error\n")
	srv := server(t, "forks", "prints")
	want := "before socket\nafter listen\n"
	for range 3 {
		client(t, "tcpcli01", srv)
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
	p.printed("the daemon's parent is 1\n")
}

// A server that forgets Close(connfd) serves every client, and keeps the end of
// each connection.
func TestLeak(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := server(t, "forks", "leak")
	for n := 1; n <= 20; n++ {
		cli := client(t, "tcpcli01", srv)
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
func noTimeWait(t *testing.T) {
	t.Helper()
	needsHost(t, "it sets net.ipv4.tcp_max_tw_buckets")
	if out, err := tool(t, "sysctl", "-qw", "net.ipv4.tcp_max_tw_buckets=0").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// Servers that differ from the listing in where they accept and fork.
func TestChangedServers(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	noTimeWait(t)
	for _, program := range []string{"two accepts", "one line"} {
		t.Run(program, func(t *testing.T) {
			server(t, "forks", program)
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
		})
		awaitFreePort(t)
	}
	t.Run("three accepts", func(t *testing.T) {
		server(t, "forks", "three accepts")
		var conns [2]*net.TCPConn
		for i := range conns {
			var err error
			if conns[i], err = dial(); err != nil {
				t.Fatal(err)
			}
		}
		third := said(t, 9877)
		for _, conn := range conns {
			if b, _ := io.ReadAll(conn); string(b) != "[4 5 6]\n" || third != "[4 5 6]\n" {
				t.Errorf("%q and %q", b, third)
			}
		}
	})
	awaitFreePort(t)
	t.Run("two listen", func(t *testing.T) {
		srv := start(t, "forks", "two listen")
		await(t, "two children", func() bool { return len(children(srv.pid())) == 2 })
		for i, port := range []int{9877, 9878} {
			for range 2 {
				if got, want := said(t, port), fmt.Sprintln("child", i); got != want {
					t.Errorf("port %d: %q, want %q", port, got, want)
				}
			}
		}
	})
	awaitFreePort(t)
	t.Run("prefork", func(t *testing.T) {
		srv := start(t, "forks", "prefork")
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
	})
	awaitFreePort(t)
	t.Run("greeting", func(t *testing.T) {
		server(t, "forks", "greeting")
		for range 3 {
			if got := said(t, 9877); got != "greeting\nchild\n" {
				t.Errorf("%q", got)
			}
		}
	})
	awaitFreePort(t)
	t.Run("echo before", func(t *testing.T) {
		srv := server(t, "forks", "echo before")
		for range 2 {
			cli := client(t, "tcpcli01", nil)
			cli.stdin.Close()
			cli.ends(0, "hello\n", "")
		}
		srv.ends(0, "", "")
	})
	awaitFreePort(t)
	t.Run("peer", func(t *testing.T) { // the child knows its address without asking the kernel
		srv := server(t, "forks", "peer")
		conn, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		srv.ends(0, fmt.Sprintf("4 [127 0 0 1] %d 16\n", conn.LocalAddr().(*net.TCPAddr).Port), "")
	})
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
		for range 50 {
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

// While a handler runs, main stands still at its next call of unp.
func TestMainStandsStill(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	forks(t, "stands still").ends(0, "line\n", "")
	p := forks(t, "stands still at Fork")
	p.printed("ready\n")
	p.signal(unix.SIGUSR1)
	p.ends(0, "ready\ntrue\n", "")
}

// Where Go differs from C, it does so as README.md says.
func TestDifferences(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	for program, stdout := range map[string]string{
		"repeated":           "false false true no child processes\n",             // C: true true false <nil>
		"written again":      "written\nslept again: true\n",                      // C: written, slept again: false
		"closed again":       "3 3 bad file descriptor\n",                         // C: 3 3 stream
		"two handlers":       "met\n",                                             // C: never
		"outside unp":        "main goes on\nthe handler ends\nmain has waited\n", // C: main never goes on
		"blocked by main":    "true\n",                                            // C: the signal stays pending
		"SIGPROF":            "slept\n",                                           // C: caught, slept
		"terminated at once": "true\n",                                            // C: false
	} {
		t.Run(program, func(t *testing.T) { forks(t, program).ends(0, stdout, "") })
	}
	p := forks(t, "counted by a handler")
	p.end()
	if out := p.out.String(); !strings.Contains(out, "in the child: 0\n") || !strings.Contains(out, "in the parent: 1\n") { // C: 1, 1
		t.Errorf("counted by a handler: %q", out)
	}
	p = command(t, "forks", "SIGURG")
	p.cmd.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=0")
	p.start().ends(0, "caught\n", "")              // C: never
	forks(t, "SIGCHLD").ends(128+9, "slept\n", "") // C: caught, slept
	program := filepath.Join(bin, "forks")
	start(t, "bash", "-c", `trap "" HUP INT TERM; exec "$0" inherited`, program).ends(0, "SIG_IGN\nSIG_IGN\nSIG_DFL\n", "")                                  // C: the third too
	start(t, "bash", "-c", `trap "" TSTP TTIN TTOU; exec "$0" ignored`, program).ends(0, fmt.Sprintf("SigIgn:\t%016x\n", 1<<(20-1)|1<<(21-1)|1<<(22-1)), "") // as in C
	start(t, "prlimit", "--nofile=64:256", program, "files").ends(0, "true 256\n", "")                                                                       // C: false 256
	start(t, "prlimit", "--nofile=256", program, "two").ends(0, "first child\nsecond child\n", "")                                                           // as in C

	p = forks(t, "set by a handler")
	await(t, "it sleeps", func() bool { return inCall(p.pid(), unix.SYS_CLOCK_NANOSLEEP) })
	quiet(t, p.pid())
	p.signal(unix.SIGUSR1)
	p.ends(0, "SIG_DFL\nSIG_IGN\n", "") // C: SIG_IGN, SIG_IGN

	srv := server(t, "forks", "round", filepath.Join(t.TempDir(), "first"))
	for range 3 {
		client(t, "tcpcli01", srv)
	}
	srv.printed("1 SIG_DFL\n1 SIG_DFL\n1 SIG_DFL\n") // C: 1 SIG_IGN, 2 SIG_IGN, 3 SIG_IGN
}

// The child's environment is its parent's, and what it starts starts afresh.
func TestForkEnvironment(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	p := command(t, "forks", "environment")
	p.cmd.Env = []string{"A=1", "B=2"}
	p.start().ends(0, "in the child: \"\"\nA=1\nB=2\nafter exec: 4\n", "")
}

// Where Fork cannot do what it does in C, it says so, and names the lines.
func TestForkErrors(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	source, err := os.ReadFile("testdata/forks/forks.go")
	if err != nil {
		t.Fatal(err)
	}
	line := func(program, code string) int { // the first with this code in the program
		before, rest, _ := strings.Cut(string(source), strconv.Quote(program)+": ")
		between, _, _ := strings.Cut(rest, code)
		return 1 + strings.Count(before+between, "\n")
	}
	anotherPath := func(line int, call string, parentsLine int, parentsCall string) string {
		return fmt.Sprintf("fork error: the child came to forks.go:%d %s, where its parent was at forks.go:%d %s.\n"+
			"Something on main's way to Fork differs in the child: see sys.Once and sys.Keep.\n", line, call, parentsLine, parentsCall)
	}
	const stream, datagram = "socket(AF_INET, SOCK_STREAM, 0)", "socket(AF_INET, SOCK_DGRAM, 0)"
	differs := func(program, want string) {
		t.Helper()
		forks(t, program, filepath.Join(t.TempDir(), "file")).ends(0, "its status is 1\n", want)
	}
	differs("another way", anotherPath(line("another way", "\t\t\tunp.Socket("), stream, line("another way", "unp.Fork("), "fork()"))
	socket := line("another call", "unp.Socket(")
	differs("another call", anotherPath(socket, stream, socket, datagram))
	fork := line("another caller", "unp.Fork(")
	callers := func(code string) string {
		return fmt.Sprintf("forks.go:%d<forks.go:%d<forks.go:%d fork()", fork, 1+line("another caller", code), 1+strings.Count(string(source)[:strings.Index(string(source), "programs[os.Args[1]]()")], "\n"))
	}
	differs("another caller", fmt.Sprintf("fork error: the child came to %s, where its parent was at %s.\n"+
		"Something on main's way to Fork differs in the child: see sys.Once and sys.Keep.\n",
		callers("err == nil {\n\t\t\tfork()"), callers("} else {\n\t\t\tfork()")))
	sleep := line("waits for a handler", "sys.Sleep(1)")
	differs("waits for a handler", anotherPath(sleep, "sleep(1)", line("waits for a handler", "unp.Fork() == 0 {\n\t\t\tfmt"), "fork()")) // C: the child runs
	p := command(t, "forks", "read before")
	p.cmd.Stdin = strings.NewReader("line\n")
	p.start().ends(0, "the child runs\n", "")
	for _, program := range []string{"in a handler", "in a goroutine"} {
		forks(t, program).ends(1, "", "fork error: only main can call Fork, not a signal handler, another goroutine, or Once\n")
	}
	for _, steps := range []string{"1000", "2000", "10000"} { // the last two do not fit into one variable
		forks(t, "path", steps).ends(0, "", "")
	}
	t.Run("without /proc", func(t *testing.T) {
		needsHost(t, "it mounts a file system")
		start(t, "unshare", "--mount", filepath.Join(bin, "forks"), "noexec").ends(1, "", "fork error: No such file or directory\n")
		forks(t, "chroot", t.TempDir()).ends(1, "", "fork error: No such file or directory\n")
	})
}

// What the package comment of unp says of its limits.
func TestLimits(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	forks(t, "shared memory").ends(0, "0\n", "")           // C: 1
	forks(t, "setpgid").ends(0, "permission denied\n", "") // C: <nil>
	forks(t, "descriptor 63").ends(0, "false\nfalse\n", "")
	forks(t, "closed standard files").ends(0, "", "<nil> false\n")
	p := forks(t, "SIGSEGV")
	if status := p.end(); status != 2 || !strings.Contains(p.err.String(), "\ngoroutine 1 ") { // C: 139
		t.Errorf("SIGSEGV: status %d, %q", status, p.err.String())
	}
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

// With SIGPIPE ignored or caught, a program whose standard output nobody reads
// goes on.
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
		p := command(t, "forks", "broken standard output", how)
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
	p := forks(t, "sleep")
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
	p = forks(t, "sleep for years")
	asleep(p)
	p.signal(unix.SIGUSR1)
	p.ends(0, "true\n", "")
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
	for range 20 {
		p := forks(t, "connect")
		await(t, "it is in connect", func() bool { return inCall(p.pid(), unix.SYS_CONNECT) })
		quiet(t, p.pid())
		p.signal(unix.SIGUSR1)
		p.ends(1, "", "caught\nconnect error: Interrupted system call\n")
	}
}

// str_echo reads again after EINTR; a Fork after an accept that was interrupted
// finds its way.
func TestInterruptedServer(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := server(t, "forks", "interrupted echo")
	cli := client(t, "tcpcli01", nil)
	child := children(srv.pid())[0].pid
	await(t, "the child is in read", func() bool { return inCall(child, unix.SYS_READ) })
	quiet(t, child)
	unix.Kill(child, unix.SIGUSR1)
	srv.printed("caught\n")
	cli.typed("again\n")
	cli.printed("hello\nagain\n")
	cli.stdin.Close()
	srv.ends(0, "caught\n", "")
	awaitFreePort(t)

	p := forks(t, "interrupted in the child")
	await(t, "the child is in read", func() bool {
		list := children(p.pid())
		return len(list) == 1 && inCall(list[0].pid, unix.SYS_READ)
	})
	quiet(t, p.pid())
	unix.Kill(children(p.pid())[0].pid, unix.SIGTSTP)
	p.ends(0, "interrupted system call\n", "")

	srv = server(t, "forks", "failed accept")
	quiet(t, srv.pid())
	srv.signal(unix.SIGUSR1)
	srv.ends(0, "-1 true\n", "")

	srv = server(t, "forks", "interrupted accept")
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
	srv.ends(0, "caught\nEINTR\nthe child runs\n", "")
}

// A handler closes the socket on which main accepts, and main finds out at once.
func TestClosedByHandler(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := server(t, "forks", "closed by a handler")
	quiet(t, srv.pid())
	srv.signal(unix.SIGUSR1)
	srv.ends(1, "", "accept error: Bad file descriptor\n")
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

// A handler that has set the signal to its default does not get it again.
func TestDefaultAgain(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	forks(t, "default again").ends(128+10, "", "")
}

// Where the kernel allows no further process, Fork says so and ends the server. Where
// it allows the child but not its threads, the child's runtime says so, and the
// server goes on. Where it allows those too, all is well.
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
