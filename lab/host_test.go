// Package lab tests the experiments of the chapter, across its programs.
package lab

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	ossignal "os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

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
	if bin != "" || flag.Lookup("test.list").Value.String() != "" {
		os.Exit(m.Run()) // on a host of its own, or of no test
	}
	useMemory()
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		panic(err)
	}
	bin = filepath.Join(dir, "bin")
	os.Setenv("LAB_BIN", bin)
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin") // an ordinary user's may lack them
	os.Unsetenv("LISTENQ")
	unix.Umask(0o022) // some tests run as other users, who read these files
	for _, signo := range []os.Signal{unix.SIGHUP, unix.SIGINT} {
		if ossignal.Ignored(signo) { // under nohup, for example: what the tests start does not inherit it
			ossignal.Notify(make(chan os.Signal, 1), signo)
		}
	}
	// Fish leaves signal 32 ignored, which is none of os/signal's.
	var defaultAction [4]uint64 // a struct sigaction
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, 32, uintptr(unsafe.Pointer(&defaultAction)), 0, 8, 0, 0)
	status := 1
	if reasons := prepare(dir); len(reasons) > 0 {
		fmt.Fprintf(os.Stderr, "The tests cannot run here:\n%s\n", strings.Join(reasons, "\n"))
	} else {
		status = run(m)
	}
	os.RemoveAll(dir)
	os.Exit(status)
}

// useMemory has the tests keep their many small files in memory, if there is room, unless TMPDIR
// names a directory. That takes a sixth off their time.
func useMemory() {
	const shm, room, noexec = "/dev/shm", 2 << 30, 8
	var fs unix.Statfs_t
	if os.Getenv("TMPDIR") != "" || unix.Access(shm, unix.W_OK) != nil || unix.Statfs(shm, &fs) != nil {
		return
	}
	if fs.Type == unix.TMPFS_MAGIC && fs.Flags&noexec == 0 && fs.Bavail*uint64(fs.Bsize) > room {
		os.Setenv("TMPDIR", shm)
	}
}

// run runs the tests, and the benchmarks after them, all on one host.
func run(m *testing.M) (status int) {
	if !isSet("test.parallel") {
		flag.Set("test.parallel", strconv.Itoa(8*runtime.NumCPU())) // they wait, most of the time
	}
	bench := flag.Lookup("test.bench").Value.String()
	flag.Set("test.bench", "")
	status = m.Run()
	for reason, count := range skipped.count {
		are := "tests were"
		if count == 1 {
			are = "test was"
		}
		fmt.Printf("%d %s skipped, because %s\n", count, are, reason)
	}
	if bench != "" && status == 0 {
		here, _ := os.Getwd()
		cmd := exec.Command("./host", append(append([]string{"env", "--chdir=" + here}, os.Args...), "-test.run=^$")...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if cmd.Run() != nil {
			status = 1
		}
	}
	return status
}

// isSet tells whether the command line sets a flag.
func isSet(name string) (set bool) {
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// skipped counts the tests that were skipped, by the reason.
var skipped = struct {
	sync.Mutex
	count map[string]int
}{count: map[string]int{}}

// skip skips the test that calls it: what it does, why that is not done now, and what
// changes that.
func skip(t testing.TB, what, reason string, advice ...string) {
	t.Helper()
	skipped.Lock()
	skipped.count[strings.Join(append([]string{reason}, advice...), " ")]++
	skipped.Unlock()
	if os.Getenv("LAB_TEST") != "" { // the test that has started this one counts it too
		fmt.Printf("skipped\t%s\t%s\t%s\n", t.Name(), what, reason)
	}
	t.Skipf("%s, and %s", what, reason)
}

// noHost is what lab/host says where it cannot make a host: why, and how to allow it.
// Then the tests that need none run on the machine as it is, one after the other, and the
// others are skipped.
var noHost []string

// needsHost skips the test that calls it where lab/host cannot make a host.
func needsHost(t testing.TB, why string) {
	t.Helper()
	if noHost != nil {
		skip(t, why, noHost[0], noHost[1:]...)
	}
}

// takesLong skips the test that calls it under -short.
func takesLong(t testing.TB, why string) {
	t.Helper()
	if testing.Short() {
		skip(t, why, "-short leaves out what takes long")
	}
}

// times returns how often a test repeats something: n times, or a tenth of that under -short.
func times(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

// packages names Debian's package of each tool that the tests need, as lab/test lists
// them.
var packages = sync.OnceValue(func() map[string]string {
	script, _ := os.ReadFile("test")
	_, list, _ := strings.Cut(string(script), "\npackages='\n")
	list, _, _ = strings.Cut(list, "\n'\n")
	m := map[string]string{}
	for line := range strings.Lines(list) {
		names := strings.Fields(line)
		for _, tool := range names[1:] {
			m[tool] = names[0]
		}
	}
	return m
})

// needsTools skips the test that calls it where a tool is not installed.
func needsTools(t testing.TB, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			skip(t, "it runs "+tool, notInstalled(tool))
		}
	}
}

// tool is the command of one, for what the programs themselves do not need.
func tool(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	needsTools(t, name)
	return exec.Command(name, args...)
}

func notInstalled(tool string) string {
	name := packages()[tool]
	if name == "" {
		name = tool
	}
	return fmt.Sprintf("%s is not installed: apt-get install %s", tool, name)
}

// prepare builds what the tests run, and returns what keeps them from running.
func prepare(dir string) (reasons []string) {
	// With -trimpath, as the blocks build: on a new machine that takes a while, the first
	// time, and no block waits for it.
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", bin+"/", "./...",
		"./lab/testdata/forks", "./lab/testdata/empty", "./lab/testdata/netecho", "./lab/testdata/waiting", "./lab/testdata/signals")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return append(reasons, fmt.Sprintf("go build: %v\n%s", err, out))
	}
	if out, err := exec.Command("./host", "true").CombinedOutput(); err != nil {
		noHost = strings.Split(strings.TrimSpace(strings.ReplaceAll(string(out), "lab/host: ", "")), "\n")
		os.Setenv("GODEBUG", "asyncpreemptoff=1") // as lab/host does
		os.Setenv("LC_ALL", "C.UTF-8")
		if owner := portOwner(); owner != "" {
			reasons = append(reasons, append(noHost, owner)...)
		}
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
	for _, pattern := range []string{"host", "demo", "test", "*/*.go", "testdata/*/*.go", "../go.*", "../*.md", "../*/*.go", "../unp/sys/*.go"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			os.Stat(name)
		}
	}
}

// onOwnHost tells whether the test that calls it runs on a host of its own. If
// not, it runs the test there, and returns when all is done. Where no host can be made,
// the test runs on the machine as it is; what it does that only a host of its own allows,
// it does after needsHost.
func onOwnHost(t *testing.T) bool {
	t.Helper()
	if os.Getenv("LAB_TEST") == t.Name() {
		return true
	}
	if noHost != nil {
		lookAtSources()
		awaitPort(t)
		t.Cleanup(func() {
			if t.Failed() {
				t.Log(processLimits())
			}
		})
		return true
	}
	t.Parallel()
	lookAtSources()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"env", "--chdir=" + here, os.Args[0], "-test.run=^" + t.Name() + "$" + subtests(), "-test.v"}
	for _, arg := range os.Args[1:] {
		if name, _, _ := strings.Cut(arg, "="); !strings.HasPrefix(arg, "-test.") || slices.Contains([]string{"-test.timeout", "-test.short", "-test.skip"}, name) {
			args = append(args, arg)
		}
	}
	cmd := exec.Command("./host", args...)
	cmd.Env = append(os.Environ(), "LAB_TEST="+t.Name(), "TMPDIR="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s%s", err, out, processLimits())
	} else if isSet("test.run") {
		t.Logf("on its host:\n%s", out) // who asks for a few tests wants to see all of them
	}
	for _, m := range regexp.MustCompile(`(?m)^skipped\t(.*)\t(.*)\t(.*)$`).FindAllStringSubmatch(string(out), -1) {
		if name, isSubtest := strings.CutPrefix(m[1], t.Name()+"/"); isSubtest {
			t.Run(name, func(t *testing.T) { skip(t, m[2], m[3]) })
		} else {
			skip(t, m[2], m[3])
		}
	}
	return false
}

// subtests is what -run says after the name of the test, if it names one test.
func subtests() string {
	pattern := flag.Lookup("test.run").Value.String()
	_, below, found := strings.Cut(pattern, "/")
	if !found || strings.Contains(pattern, "|") {
		return ""
	}
	return "/" + below
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
		probe := *cmd
		probe.Args = []string{"host", "true"}
		if probe.Run() != nil {
			skip(t, "an ordinary user runs it on a host", "only root can make one here")
		}
	}
	return cmd
}

// processLimits tells what keeps a user from having the thousands of processes and
// threads that 500 clients take.
func processLimits() (said string) {
	var limit unix.Rlimit
	unix.Getrlimit(unix.RLIMIT_NPROC, &limit)
	if limit.Cur < manyProcesses {
		said = fmt.Sprintf("RLIMIT_NPROC (ulimit -u) allows this user %d processes and threads.\n", limit.Cur)
	}
	cgroups, _ := os.ReadFile("/proc/self/cgroup")
	return said + cgroupLimits(string(cgroups), "/sys/fs/cgroup")
}

const manyProcesses = 5000 // 500 clients take some 2800 on two processors

// cgroupLimits tells which pids.max of the cgroups in /proc/self/cgroup, or above them,
// is too low.
func cgroupLimits(cgroups, mount string) (said string) {
	for _, line := range strings.Split(cgroups, "\n") {
		f := strings.SplitN(line, ":", 3) // 0::/path, and before version 2, 8:pids:/path
		if len(f) < 3 || f[1] != "" && f[1] != "pids" {
			continue
		}
		for dir := filepath.Join("/", f[2]); ; dir = filepath.Dir(dir) {
			name := filepath.Join(mount, f[1], dir, "pids.max")
			b, _ := os.ReadFile(name)
			if n, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && n < manyProcesses {
				said += fmt.Sprintf("%s allows %d processes and threads.\n", name, n)
			}
			if dir == "/" {
				break
			}
		}
	}
	return said
}

// await polls until the state that a test waits for is there. If it does not come,
// the processes of the moment tell why.
func await(t testing.TB, what string, reached func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !reached(); {
		if time.Now().After(end) {
			tree, _ := exec.Command("ps", "-eo", "pid,ppid,stat,wchan:20,args", "--forest").Output()
			t.Fatalf("waited 60 seconds in vain: %s\n%s", what, tree)
		}
		time.Sleep(2 * time.Millisecond)
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
	if !strings.Contains(name, "/") {
		needsTools(t, name)
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
		await(p.t, fmt.Sprintf("%s has ended", p.cmd.Args), func() bool { return !killSession(p.pid()) })
		<-p.done
	})
	return p
}

// killSession kills the processes of a session, and tells whether there were any. One
// that has ended but has a thread left still has its descriptors, such as the server's
// port.
func killSession(sid int) (found bool) {
	for _, s := range processes() {
		if s.session == sid && s.state != "Z" {
			unix.Kill(s.pid, unix.SIGKILL)
			found = true
		}
	}
	return found
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
	case <-time.After(120 * time.Second):
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
	pid, ppid, session int
	started            int // after the machine, in hundredths of a second
	comm, state        string
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
	session, _ := strconv.Atoi(fields[3])
	started, _ := strconv.Atoi(fields[19])
	state := fields[0]
	if state == "Z" && fields[17] != "1" {
		state = "Zl" // as ps says it: threads are left, so the parent does not know yet
	}
	return procStat{pid, ppid, session, started, s[open+1 : end], state}
}

// processes lists all processes, oldest first.
func processes() (list []procStat) {
	names, _ := filepath.Glob("/proc/[0-9]*")
	for _, name := range names {
		pid, _ := strconv.Atoi(filepath.Base(name))
		if s := stat(pid); s.pid != 0 {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b procStat) int { // process ids begin again after the highest
		return cmp.Or(a.started-b.started, a.pid-b.pid)
	})
	return list
}

// children lists the children of a process, oldest first.
func children(ppid int) []procStat {
	return slices.DeleteFunc(processes(), func(s procStat) bool { return s.ppid != ppid })
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

// withoutNice is an output of ps without what it adds to STAT where the tests run under
// nice: N, or < for a negative one.
func withoutNice(out string) string {
	const usual = 20 // the kernel counts from 40 down to 1
	if priority, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err != nil || priority == usual {
		return out
	}
	return niceAtEnd.ReplaceAllString(niceInColumn.ReplaceAllString(out, "$1$2  "), "$1$2")
}

// A column stays as wide as it is.
var (
	niceInColumn = regexp.MustCompile(`(?m)\b([DIRSTtXZ])[N<]([Lsl]*\+?) `)
	niceAtEnd    = regexp.MustCompile(`(?m)\b([DIRSTtXZ])[N<]([Lsl]*\+?)$`)
)

// nowhere is an address to which no route leads on a host of its own, and to which TCP
// refuses to connect on a machine with a network, before it sends anything.
const nowhere = "255.255.255.255"

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

// A tcpLine is a line of /proc/net/tcp.
type tcpLine struct{ local, remote, state string }

func tcpLines() (list []tcpLine) {
	names := []string{"", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT",
		"CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING"}
	b, _ := os.ReadFile("/proc/net/tcp")
	for _, line := range strings.Split(string(b), "\n") {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		if state, err := strconv.ParseUint(f[3], 16, 8); err == nil {
			list = append(list, tcpLine{f[1], f[2], names[state]})
		}
	}
	return list
}

const hexPort = ":2695" // 9877

// earlier are the sockets that a test on the machine as it is has found there: the
// clients' ends of the tests before, in TIME_WAIT.
var earlier []tcpLine

// tcpStates lists the states of the sockets whose local port is the server's,
// and of those whose remote port is.
func tcpStates() (local, remote []string) {
	for _, s := range tcpLines() {
		if slices.Contains(earlier, s) {
			continue
		}
		if strings.HasSuffix(s.local, hexPort) {
			local = append(local, s.state)
		}
		if strings.HasSuffix(s.remote, hexPort) {
			remote = append(remote, s.state)
		}
	}
	return local, remote
}

// bindPort binds the server's port as a server does, and closes it again.
func bindPort() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrInet4{Port: 9877})
}

// portOwner tells what keeps the server's port, unless that is only what a connection
// leaves that has ended.
func portOwner() string {
	if bindPort() != unix.EADDRINUSE {
		return ""
	}
	ended := []string{"FIN_WAIT1", "FIN_WAIT2", "CLOSING", "LAST_ACK", "TIME_WAIT"}
	if local, _ := tcpStates(); len(local) > 0 && !slices.ContainsFunc(local, func(state string) bool { return !slices.Contains(ended, state) }) {
		return ""
	}
	out, _ := exec.Command("ss", "-Htanp", "sport", "=", "9877").Output()
	return strings.TrimSpace("So they run on the machine as it is, and there another program has their port, 9877. " + strings.Join(strings.Fields(string(out)), " "))
}

// awaitPort waits until the test may bind the server's port: one before may have left
// the server's end of a connection in TIME_WAIT, for a minute.
func awaitPort(t testing.TB) {
	t.Helper()
	began := time.Now()
	for bindPort() != nil {
		if owner := portOwner(); owner != "" {
			t.Fatal(owner)
		}
		if time.Since(began) > 2*time.Minute {
			t.Fatalf("port 9877 does not become free: %v", tcpLines())
		}
		time.Sleep(100 * time.Millisecond)
	}
	if waited := time.Since(began); waited > time.Second {
		t.Logf("waited %v for the port", waited.Round(time.Second))
	}
	earlier = tcpLines()
}

// awaitFreePort waits until no socket has the server's port.
func awaitFreePort(t testing.TB) {
	t.Helper()
	await(t, "the port is free", func() bool { local, _ := tcpStates(); return len(local) == 0 })
}
