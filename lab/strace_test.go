package lab

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// runtimeCalls are those that the Go runtime makes on the main thread between
// the calls of a listing: it wakes threads and waits for them (futex, sched_yield),
// starts one (clone with CLONE_THREAD), asks one to let others run (getpid and
// tgkill) and is asked itself (SIGURG, which ends in rt_sigreturn), gets memory
// (mmap), blocks signals around a fork (rt_sigprocmask), and asks what time it is, which
// is a call on machines whose clock the kernel does not share (clock_gettime).
var runtimeCalls = regexp.MustCompile(`^(futex|sched_yield|getpid|tgkill|rt_sigreturn|mmap|rt_sigprocmask|clock_gettime)\(|^clone\(.*CLONE_THREAD|^(---|\+\+\+) `)

// A trace is what strace wrote: a file for each thread, or one for the main
// thread only.
type trace struct {
	t      *testing.T
	prefix string
}

// straced runs a program under strace, with its threads and children.
func straced(t *testing.T, name string, args ...string) (*process, trace) {
	t.Helper()
	tr := trace{t, filepath.Join(t.TempDir(), "trace")}
	p := command(t, "strace", append([]string{"-ff", "-o", tr.prefix, filepath.Join(bin, name)}, args...)...)
	return p.start(), tr
}

// thread returns the lines of one thread.
func (tr trace) thread(tid int) []string {
	b, err := os.ReadFile(fmt.Sprintf("%s.%d", tr.prefix, tid))
	if err != nil {
		tr.t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// want compares the calls of a thread, from the first line that begins with start
// and without the runtime's, with a string in the notation of the tables below.
func (tr trace) want(tid int, start, want string) {
	tr.t.Helper()
	lines := tr.thread(tid)
	first := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, start) })
	if first < 0 {
		tr.t.Fatalf("no %s in %q", start, lines)
	}
	var got []string
	for _, line := range lines[first:] {
		if !runtimeCalls.MatchString(line) {
			got = append(got, short(line))
		}
	}
	// An accept that a signal interrupts and the kernel restarts is one call, and
	// what comes in two segments may take two reads.
	got = slices.CompactFunc(got, func(a, b string) bool { return b == a && (a == "accept(3)" || a == "read(3)") })
	if got := strings.Join(got, " "); got != want {
		tr.t.Errorf("\n got %s\nwant %s\n%s", got, want, strings.Join(lines[first:], "\n"))
	}
}

var (
	call     = regexp.MustCompile(`^(\w+)\((.*)\) += (.*)$`)
	number   = regexp.MustCompile(`^-?\d+`)
	restarts = regexp.MustCompile(`SA_RESTART\b`)
	wait4    = regexp.MustCompile(`^wait4\((-?\d+), .*, (\w+), NULL\) += (-?\w+(?: E\w+)?)`)
)

// short brings a line of strace into the notation of the tests' tables: the
// call, its descriptor, the argument that matters and the result that matters.
func short(line string) string {
	m := call.FindStringSubmatch(line)
	if m == nil {
		return line
	}
	name, args, result := m[1], strings.Split(m[2], ", "), number.FindString(m[3])
	switch name {
	case "socket":
		return fmt.Sprintf("socket(%s)=%s", m[2], result)
	case "connect", "bind", "close":
		return fmt.Sprintf("%s(%s)", name, args[0])
	case "listen":
		return fmt.Sprintf("listen(%s)", m[2])
	case "accept":
		if result == "" {
			return "accept(" + args[0] + ")"
		}
		return fmt.Sprintf("accept(%s)=%s", args[0], result)
	case "read":
		if result == "0" {
			return fmt.Sprintf("read(%s)=0", args[0])
		}
		return fmt.Sprintf("read(%s)", args[0])
	case "write":
		return fmt.Sprintf("write(%s,%s)", args[0], result)
	case "prctl":
		return fmt.Sprintf("prctl(%s)", args[0])
	case "setsockopt":
		return fmt.Sprintf("setsockopt(%s,%s,%s)", args[0], args[2], strings.Join(args[3:5], ","))
	case "rt_sigaction":
		return fmt.Sprintf("rt_sigaction(%s,%s)", args[0], restarts.FindString(args[3]))
	case "clone":
		return "clone"
	case "getresuid", "getresgid", "newfstatat":
		return name
	case "fcntl":
		return fmt.Sprintf("fcntl(%s)", args[0])
	case "exit_group":
		return fmt.Sprintf("exit_group(%s)", m[2])
	case "pipe2":
		return "pipe2(" + args[0] + "," + args[1] + ")"
	case "clock_nanosleep":
		return fmt.Sprintf("clock_nanosleep(%s,%s,%s)", args[0], args[1], args[2]+","+args[3])
	}
	return line
}

// main finds the process id of the program that strace has started: strace
// gives its main thread the file that begins with the execve of the program.
func (tr trace) main() int {
	var pid int
	await(tr.t, "strace has started the program", func() bool {
		names, _ := filepath.Glob(tr.prefix + ".*")
		for _, name := range names {
			f, err := os.Open(name)
			if err != nil {
				return false
			}
			line, _ := bufio.NewReader(f).ReadString('\n')
			f.Close()
			if strings.HasPrefix(line, "execve(") && strings.Contains(line, bin) {
				fmt.Sscanf(strings.TrimPrefix(filepath.Ext(name), "."), "%d", &pid)
				return true
			}
		}
		return false
	})
	return pid
}

// The calls of the runtime do not count as the listing's.
func TestRuntimeCalls(t *testing.T) {
	tr := trace{t, filepath.Join(t.TempDir(), "trace")}
	err := os.WriteFile(tr.prefix+".1", []byte(`clock_gettime(CLOCK_MONOTONIC, {tv_sec=1, tv_nsec=1}) = 0
socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3
futex(0x5f9f08, FUTEX_WAKE_PRIVATE, 1)  = 1
clock_gettime(CLOCK_MONOTONIC, {tv_sec=2, tv_nsec=1}) = 0
clone(child_stack=0xc000056000, flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD) = 7
clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=1, tv_nsec=0}, NULL) = 0
clock_gettime(CLOCK_REALTIME, {tv_sec=3, tv_nsec=1}) = 0
exit_group(0)                           = ?
+++ exited with 0 +++
`), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	tr.want(1, "socket(", tcpSocket+"3 clock_nanosleep(CLOCK_REALTIME,0,{tv_sec=1,tv_nsec=0}) exit_group(0)")
}

const tcpSocket = "socket(AF_INET, SOCK_STREAM, IPPROTO_IP)="

// Each client makes the calls of its listing, from socket on, on its main thread.
func TestSystemCallsOfClients(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	server(t, "tcpserv04")
	many := ""
	for fd := 3; fd <= 7; fd++ {
		many += fmt.Sprintf("%s%d connect(%d) ", tcpSocket, fd, fd)
	}
	for _, c := range []struct{ name, input, want string }{
		{"tcpcli01", "one\nfour\n", tcpSocket + "3 connect(3) read(0) write(3,4) read(3) write(1,4) write(3,5) read(3) write(1,5) read(0)=0 exit_group(0)"},
		{"tcpcli04", "one\nfour\n", many + "read(0) write(3,4) read(3) write(1,4) write(3,5) read(3) write(1,5) read(0)=0 exit_group(0)"},
		{"tcpcli10", "", tcpSocket + "3 connect(3) read(0)=0 setsockopt(3,SO_LINGER,{l_onoff=1,l_linger=0}) exit_group(0)"},
		{"tcpcli11", "one\n", tcpSocket + "3 connect(3) read(0) write(3,1) clock_nanosleep(CLOCK_REALTIME,0,{tv_sec=1,tv_nsec=0}) write(3,3) read(3) write(1,4) read(0)=0 exit_group(0)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cli, tr := straced(t, c.name, "127.0.0.1")
			pid := tr.main()
			cli.typed(c.input)
			cli.stdin.Close()
			cli.ends(0, c.input, "")
			tr.want(pid, "socket(", c.want)
		})
	}
}

// Each server makes the calls of its listing, and its child those of the child:
// none for Socket, Bind, Listen and Accept.
func TestSystemCallsOfServers(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	const (
		listen  = tcpSocket + "3 bind(3) listen(3, 1024) "
		fork    = "accept(3)=4 getresuid getresgid fcntl(0) fcntl(1) fcntl(2) newfstatat pipe2([5,6]) clone close(6) read(5)=0 close(5) close(4) "
		serve   = "close(3) read(4) write(4,6) read(4) write(4,5) read(4)=0 exit_group(0)"
		name    = "prctl(PR_GET_NAME) "
		restart = "rt_sigaction(SIGCHLD,SA_RESTART) "
		intr    = "rt_sigaction(SIGCHLD,) "
	)
	for _, s := range []struct{ name, parent, child, handler string }{
		{"tcpserv01", listen + fork + "accept(3)", serve, ""},
		{"tcpserv02", "", serve, "wait4(-1,0)=pid"},
		{"tcpserv03", listen + restart + fork + "accept(3)", serve, "wait4(-1,0)=pid"},
		{"tcpserv04", listen + restart + fork + "accept(3)", serve, "wait4(-1,WNOHANG)=-1 ECHILD wait4(-1,WNOHANG)=pid"},
	} {
		t.Run(s.name, func(t *testing.T) {
			srv, tr := straced(t, s.name)
			parent := tr.main()
			child := serveOne(t, parent)
			if s.handler == "" {
				await(t, "the child is a zombie", func() bool { return states(parent)["Z"] == 1 })
			} else {
				await(t, "the handler makes the calls "+s.handler, func() bool { return tr.waits(child) == s.handler })
			}
			if s.parent != "" {
				awaitAccept(t, parent)
			}
			unix.Kill(parent, unix.SIGKILL)
			srv.end()
			if s.parent != "" {
				tr.want(parent, "socket(", s.parent)
			}
			tr.want(child, "prctl(PR_GET_NAME", name+s.child)
		})
	}
	// Under strace -f the kernel may give a signal to another thread than the one
	// in accept, so this one is traced without: strace sees the main thread.
	t.Run("tcpserv02 interrupted", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "trace")
		srv := start(t, "strace", "-o", file+".1", filepath.Join(bin, "tcpserv02"))
		parent := 0
		await(t, "strace has started the server", func() bool {
			for _, c := range children(srv.pid()) {
				if c.comm == "tcpserv02" {
					parent = c.pid
				}
			}
			return parent != 0
		})
		child := serveOne(t, parent)
		srv.ends(1, fmt.Sprintf("child %d terminated\n", child), "accept error: Interrupted system call\n")
		trace{t, file}.want(1, "socket(", listen+intr+fork+"accept(3) write(2,38) exit_group(1)")
	})
}

// serveOne has a server that runs under strace serve a client with two lines,
// and returns the child.
func serveOne(t *testing.T, parent int) int {
	awaitAccept(t, parent)
	cli := client(t, "tcpcli01", nil)
	awaitAccept(t, parent)
	child := children(parent)[0].pid
	cli.typed("four\n")
	cli.printed("hello\nfour\n")
	cli.stdin.Close()
	cli.ends(0, "hello\nfour\n", "")
	return child
}

// Linux's accept does not fail on a connection that was reset; strace makes it
// fail. tcpserv01 then calls it again, tcpserv04 ends.
func TestAcceptAgain(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	inject := func(name, errno string) *process {
		return start(t, "strace", "-o", "/dev/null", "-e", "inject=accept:error="+errno+":when=1..3", filepath.Join(bin, name))
	}
	for name, again := range map[string]map[string]bool{
		"tcpserv01": {"ECONNABORTED": true, "EPROTO": true, "EINTR": false, "EMFILE": false},
		"tcpserv04": {"ECONNABORTED": false, "EPROTO": false, "EINTR": true, "EMFILE": false},
	} {
		for errno, again := range again {
			srv := inject(name, errno)
			if again {
				await(t, name+" accepts after "+errno, func() bool { return listens("127.0.0.1:9877") })
				cli := client(t, "tcpcli01", nil)
				cli.stdin.Close()
				cli.ends(0, "hello\n", "")
				srv.signal(unix.SIGKILL)
				tool(t, "pkill", "-KILL", "-s", fmt.Sprint(srv.pid()), name).Run()
				srv.end()
				awaitFreePort(t)
			} else if status := srv.end(); status != 1 || !strings.HasPrefix(srv.err.String(), "accept error: ") {
				t.Errorf("%s after %s: status %d, %q", name, errno, status, srv.err.String())
			}
		}
	}
}

// waits lists all calls of wait4, by whichever threads and so in alphabetical
// order; "pid" is the child's.
func (tr trace) waits(child int) string {
	var list []string
	names, _ := filepath.Glob(tr.prefix + ".*")
	for _, name := range names {
		b, _ := os.ReadFile(name)
		for _, line := range strings.Split(string(b), "\n") {
			if m := wait4.FindStringSubmatch(line); m != nil {
				result := m[3]
				if result == fmt.Sprint(child) {
					result = "pid"
				}
				list = append(list, fmt.Sprintf("wait4(%s,%s)=%s", m[1], m[2], result))
			}
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}
