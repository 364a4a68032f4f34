// Package lab tests the experiments of the chapter, across its programs.
package lab

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	ossignal "os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// root is the project's directory, and bin holds the programs, built once for each
// run of the tests.
var (
	root, _ = filepath.Abs("..")
	bin     = os.Getenv("LAB_BIN")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if bin != "" {
		os.Exit(m.Run()) // on a host of its own
	}
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		panic(err)
	}
	bin = filepath.Join(dir, "bin")
	os.Setenv("LAB_BIN", bin)
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin") // an ordinary user's may lack them
	os.Unsetenv("LISTENQ")
	for _, signo := range []os.Signal{unix.SIGHUP, unix.SIGINT} {
		if ossignal.Ignored(signo) { // under nohup, for example: what the tests start does not inherit it
			ossignal.Notify(make(chan os.Signal, 1), signo)
		}
	}
	status := 1
	if reasons := prepare(dir); len(reasons) > 0 {
		fmt.Fprintf(os.Stderr, "The tests cannot run here:\n%s\n", strings.Join(reasons, "\n"))
	} else {
		flag.Set("test.parallel", strconv.Itoa(2*runtime.NumCPU())) // they wait, most of the time
		bench := flag.Lookup("test.bench").Value.String()
		flag.Set("test.bench", "")
		status = m.Run()
		if bench != "" && status == 0 { // all benchmarks, on one host
			here, _ := os.Getwd()
			cmd := exec.Command("./host", append(append([]string{"env", "--chdir=" + here}, os.Args...), "-test.run=^$")...)
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			if cmd.Run() != nil {
				status = 1
			}
		}
	}
	os.RemoveAll(dir)
	os.Exit(status)
}

// prepare builds what the tests run, and returns what keeps them from running.
func prepare(dir string) (reasons []string) {
	for _, tool := range []string{"strace", "tcpdump", "ss", "ip", "ps", "pkill", "pgrep", "sysctl", "prlimit", "unshare", "nsenter", "setpriv", "mount"} {
		if _, err := exec.LookPath(tool); err != nil {
			reasons = append(reasons, tool+" is not installed; the test command in README.md installs it")
		}
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-o", bin+"/", "./...",
		"./lab/testdata/forks", "./lab/testdata/empty", "./lab/testdata/netecho", "./lab/testdata/waiting")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return append(reasons, fmt.Sprintf("go build: %v\n%s", err, out))
	}
	if out, err := exec.Command("./host", "true").CombinedOutput(); err != nil && len(reasons) == 0 {
		reasons = append(reasons, strings.TrimSpace(string(out)))
	}
	// A user other than root needs a copy that everybody can read.
	if out, err := exec.Command("bash", "-c", `mkdir -p "$0/lab" && cp host "$0/lab" && cd .. && cp -r --parents --no-preserve=mode go.mod go.sum unp tcp*/ lab/poll "$0" && chmod -R a+rX "$0"`, dir).CombinedOutput(); err != nil {
		reasons = append(reasons, fmt.Sprintf("%v: %s", err, out))
	}
	return reasons
}

// lookAtSources touches every file that TestMain builds, so that go test does not
// show a cached result after one has changed: it knows which files a test looks at.
func lookAtSources() {
	for _, pattern := range []string{"host", "poll/*.go", "testdata/*/*.go", "../go.*", "../*.md", "../*/*.go"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			os.Stat(name)
		}
	}
}

// onOwnHost tells whether the test that calls it runs on a host of its own. If
// not, it runs the test there, and returns when all is done.
func onOwnHost(t *testing.T) bool {
	t.Helper()
	if os.Getenv("LAB_TEST") == t.Name() {
		return true
	}
	t.Parallel()
	lookAtSources()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"env", "--chdir=" + here, os.Args[0], "-test.run=^" + t.Name() + "$", "-test.v"}
	for _, arg := range os.Args[1:] {
		if !strings.HasPrefix(arg, "-test.") || strings.HasPrefix(arg, "-test.timeout") {
			args = append(args, arg)
		}
	}
	cmd := exec.Command("./host", args...)
	cmd.Env = append(os.Environ(), "LAB_TEST="+t.Name(), "TMPDIR="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// asOrdinaryUser returns a command on a new host that root, too, runs as an
// ordinary user: the kernel does not hold root to RLIMIT_NPROC.
func asOrdinaryUser(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(filepath.Join(root, "lab/host"), args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	if os.Getuid() == 0 {
		const nobody = 65534
		cmd.Path = filepath.Join(filepath.Dir(bin), "lab/host")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		for _, path := range []string{filepath.Dir(bin), filepath.Dir(dir)} {
			if err := os.Chmod(path, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	return cmd
}

// await polls until the state that a test waits for is there. If it does not come,
// the processes of the moment tell why.
func await(t testing.TB, what string, reached func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !reached(); {
		if time.Now().After(end) {
			processes, _ := exec.Command("ps", "-eo", "pid,ppid,stat,wchan:20,args", "--forest").Output()
			t.Fatalf("waited 30 seconds in vain: %s\n%s", what, processes)
		}
		time.Sleep(time.Millisecond)
	}
}

// A process is one that a test has started.
type process struct {
	t        testing.TB
	cmd      *exec.Cmd
	stdin    io.WriteCloser
	out, err output
	done     chan struct{}
}

// An output is the file that a process and its children write to.
type output struct{ *os.File }

func newOutput(t testing.TB) output {
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "output"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return output{f}
}

func (o output) String() string {
	b, _ := os.ReadFile(o.Name())
	return string(b)
}

// command prepares a process, which start starts. A name without a slash is that
// of a program in bin, if there is one.
func command(t testing.TB, name string, args ...string) *process {
	p := &process{t: t, out: newOutput(t), err: newOutput(t), done: make(chan struct{})}
	if path := filepath.Join(bin, name); !strings.Contains(name, "/") {
		if _, err := os.Stat(path); err == nil {
			name = path
		}
	}
	p.cmd = exec.Command(name, args...)
	p.cmd.Stdout, p.cmd.Stderr = p.out.File, p.err.File
	return p
}

func (p *process) start() *process {
	p.t.Helper()
	if p.cmd.Stdin == nil {
		p.stdin, _ = p.cmd.StdinPipe()
	}
	if p.cmd.SysProcAttr == nil {
		p.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	p.cmd.SysProcAttr.Setsid = true // nothing depends on the terminal of the tests, if there is one
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.done)
	}()
	p.t.Cleanup(func() {
		unix.Kill(-p.pid(), unix.SIGKILL) // its session: a host has several processes
		<-p.done
	})
	return p
}

func start(t testing.TB, name string, args ...string) *process {
	t.Helper()
	return command(t, name, args...).start()
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) signal(signo unix.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signo); err != nil {
		p.t.Fatal(err)
	}
}

// stop stops the process and waits until it has stopped.
func (p *process) stop() {
	p.t.Helper()
	p.signal(unix.SIGSTOP)
	await(p.t, "the process stops", func() bool { return stat(p.pid()).state == "T" })
}

// typed sends a line to the process, as if typed.
func (p *process) typed(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, line); err != nil {
		p.t.Fatal(err)
	}
}

// printed waits until standard output holds exactly this.
func (p *process) printed(out string) {
	p.t.Helper()
	await(p.t, fmt.Sprintf("%s prints %q", p.cmd.Args, out), func() bool { return p.out.String() == out })
}

// end waits for the end of the process and returns its status as a shell does.
func (p *process) end() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(60 * time.Second):
		p.t.Fatalf("%s does not end; standard output %q, standard error %q", p.cmd.Args, p.out.String(), p.err.String())
	}
	if status := p.cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		return 128 + int(status.Signal())
	}
	return p.cmd.ProcessState.ExitCode()
}

// ends checks how the process ended: its status and all its output.
func (p *process) ends(status int, stdout, stderr string) {
	p.t.Helper()
	got := p.end()
	if got != status || p.out.String() != stdout || p.err.String() != stderr {
		p.t.Errorf("%s: status %d, standard output %q, standard error %q; want %d, %q, %q",
			p.cmd.Args, got, p.out.String(), p.err.String(), status, stdout, stderr)
	}
}

// A procStat is what a test wants to know from /proc/PID/stat.
type procStat struct {
	pid, ppid   int
	comm, state string
}

func stat(pid int) procStat {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	s := string(b)
	open, end := strings.IndexByte(s, '('), strings.LastIndexByte(s, ')')
	if open < 0 || end < 0 {
		return procStat{}
	}
	fields := strings.Fields(s[end+1:])
	ppid, _ := strconv.Atoi(fields[1])
	state := fields[0]
	if state == "Z" && fields[17] != "1" {
		state = "Zl" // as ps says it: threads are left, so the parent does not know yet
	}
	return procStat{pid, ppid, s[open+1 : end], state}
}

// children lists the children of a process, oldest first.
func children(ppid int) []procStat {
	var list []procStat
	names, _ := filepath.Glob("/proc/[0-9]*")
	for _, name := range names {
		pid, _ := strconv.Atoi(filepath.Base(name))
		if s := stat(pid); s.pid != 0 && s.ppid == ppid {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b procStat) int { return a.pid - b.pid })
	return list
}

// states tells how many children of a process are in each state.
func states(ppid int) map[string]int {
	m := map[string]int{}
	for _, s := range children(ppid) {
		m[s.state]++
	}
	// The kernel's lock that a wait takes is held from the end of a process until
	// its parent has the signal: a zombie seen above has sent its SIGCHLD now.
	unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return m
}

// inCall tells whether the main thread of a process sleeps in the system call.
func inCall(pid, call int) bool {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", pid))
	return strings.HasPrefix(string(b), strconv.Itoa(call)+" ") && stat(pid).state == "S"
}

// server starts a server and waits until it is in accept.
func server(t testing.TB, name string, args ...string) *process {
	t.Helper()
	p := start(t, name, args...)
	p.accepts()
	return p
}

func (p *process) accepts() {
	p.t.Helper()
	awaitAccept(p.t, p.pid())
}

func awaitAccept(t testing.TB, pid int) {
	t.Helper()
	await(t, "the server is in accept", func() bool { return inCall(pid, unix.SYS_ACCEPT) })
}

// childless waits until the process has no child left, not even a zombie.
func (p *process) childless() {
	p.t.Helper()
	await(p.t, "no child is left", func() bool { return len(children(p.pid())) == 0 })
}

// listens tells whether a server takes connections at the address.
func listens(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// client starts a client, sends a line through it and waits for the echo, so
// that the connection and the server's child are there, and the server is in
// accept again.
func client(t testing.TB, name string, srv *process) *process {
	t.Helper()
	p := start(t, name, "127.0.0.1")
	p.typed("hello\n")
	p.printed("hello\n")
	if srv != nil {
		srv.accepts()
	}
	return p
}

// tcpStates lists the states of the sockets whose local port is the server's,
// and of those whose remote port is.
func tcpStates() (local, remote []string) {
	names := []string{"", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT",
		"CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING"}
	b, _ := os.ReadFile("/proc/net/tcp")
	for _, line := range strings.Split(string(b), "\n") {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		state, err := strconv.ParseUint(f[3], 16, 8)
		if err != nil {
			continue
		}
		if strings.HasSuffix(f[1], ":2695") {
			local = append(local, names[state])
		}
		if strings.HasSuffix(f[2], ":2695") {
			remote = append(remote, names[state])
		}
	}
	return local, remote
}

// awaitFreePort waits until no socket has the server's port.
func awaitFreePort(t testing.TB) {
	t.Helper()
	await(t, "the port is free", func() bool { local, _ := tcpStates(); return len(local) == 0 })
}
