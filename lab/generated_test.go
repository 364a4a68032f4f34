package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// In lab: go test -run TestGeneratedServers -servers 5000 -seed 1 .
var (
	generated = flag.Int("servers", 100, "how many servers TestGeneratedServers writes")
	scripts   = flag.Int("scripts", 100, "how many scripts TestSignalScripts plays")
	firstSeed = flag.Uint64("seed", 1, "the seed of the first of them")
)

// A node is a statement of a server, or several with a body.
type node struct {
	open  string // the statement, or its beginning
	body  []*node
	close string
	local string // the variables that it declares
	fork  string // the name of the fork, in front of which parent and child are compared
}

// A writer writes a server at random.
type writer struct {
	*rand.Rand
	names  int // how many names it has made
	loops  int // how many of the kept counters of loops are in use
	depth  int
	child  bool   // it writes what a child does
	helper bool   // it writes a helper
	keep   string // the call of Keep at the head of each loop in which main accepts
}

const writtenClients = 12

// kept are the variables that a server keeps.
var kept = []string{"round", "forks", "kids", "n0", "n1", "n2", "j0", "j1", "j2", "pid", "w", "x", "f0", "f1", "f2", "f3", "f4", "f5",
	"e", "st", "sa", "salen", "b", "s", "pair", "when", "fds", "set", "mask"}

const variables = `	var round, forks, kids, n0, n1, n2, j0, j1, j2, pid, w, x int
	f0, f1, f2, f3, f4, f5 := -1, -1, -1, -1, -1, -1
	var e error
	var st unix.WaitStatus
	var sa sys.SockaddrIn
	var salen sys.Socklen
	var b []byte
	var s string
	var pair [2]int
	var when unix.Timeval
	var fds [1]unix.PollFd
	var set unix.FdSet
	var mask unix.Sigset_t
	var listenfd, l2 int
	l0, l1 := -1, -1
	var self sys.SockaddrIn
	var h0 func()
	var h1 func(n int)
	accepted := func() (int, error) { return sys.Accept(listenfd, &sa, &salen) }
	closed := func(fd int) { e = sys.Close(fd) }
	connected := func(f *int) {
		*f, e = sys.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if e == nil {
			e = sys.Connect(*f, &self, sys.Sizeof(self))
			sys.Shutdown(*f, unix.SHUT_WR)
			sys.FcntlInt(uintptr(*f), unix.F_SETFL, unix.O_NONBLOCK) // nobody answers
		}
	}
	_, _, _, _, _, _, _, _ = h0, h1, accepted, closed, connected, l0, l1, l2
`

func (w *writer) name(prefix string) string {
	w.names++
	return fmt.Sprint(prefix, w.names)
}

func (w *writer) one(of ...string) string { return of[w.IntN(len(of))] }

func (w *writer) counter() string { return w.one("n0", "n1", "n2") }

func (w *writer) fd() string { return fmt.Sprint("f", w.IntN(6)) }

// condition is one that differs from round to round.
func (w *writer) condition() string {
	switch w.IntN(6) {
	case 0:
		return "round == " + fmt.Sprint(w.IntN(4))
	case 1:
		return w.fd() + " < 0"
	case 2:
		return "e == nil"
	}
	m := 2 + w.IntN(3)
	return fmt.Sprintf("%s%%%d == %d", w.one("n0", "n1", "n2", "round"), m, w.IntN(m))
}

// statements are those of a body. A loop may be left in its own body only.
func (w *writer) statements(n int, inLoop bool) (list []*node) {
	for range n {
		list = append(list, w.statement(inLoop)...)
	}
	return list
}

func (w *writer) statement(inLoop bool) []*node {
	w.depth++
	defer func() { w.depth-- }()
	deep := w.depth > 3
	switch k := w.IntN(37); {
	case k < 5:
		return w.opens()
	case k < 8:
		return w.closes()
	case k < 12:
		return w.accepts()
	case k < 16:
		return w.talks()
	case k < 18:
		return w.fails()
	case k < 20:
		return w.asks()
	case k < 22:
		c := w.counter()
		return leaf(w.one(c+"++", fmt.Sprintf("%s = (%s*3 + %d) %% 50", c, c, w.IntN(9))))
	case k < 23:
		v := w.name("v")
		call := w.one("sys.Getpid()", "sys.Umask(0o22)", "n0 + n1", "sys.Once(func() int { return os.Getpid() })")
		return []*node{{open: fmt.Sprintf("%s := %s; _ = %s", v, call, v), local: v}}
	case k < 25 && !deep:
		return []*node{{open: "if " + w.condition() + " {", body: w.statements(1+w.IntN(3), inLoop), close: "}"}}
	case k < 26 && !deep:
		return []*node{
			{open: "if " + w.condition() + " {", body: w.statements(1+w.IntN(2), inLoop), close: "} else {"},
			{body: w.statements(1+w.IntN(2), inLoop), close: "}"}}
	case k < 28 && !deep && w.loops < 3:
		j := fmt.Sprint("j", w.loops)
		w.loops++
		defer func() { w.loops-- }()
		body := w.statements(1+w.IntN(4), true)
		if code := written(body, nil); strings.Contains(code, "ccept") || strings.Contains(code, "h0()") || strings.Contains(code, "h1(") {
			body = append(leaf(w.keep), body...)
		}
		return []*node{{open: fmt.Sprintf("for %s = 0; %s < 1+(n0+%d)%%3; %s++ {", j, j, w.IntN(3), j), body: body, close: "}"}}
	case k < 29 && inLoop:
		return leaf("if " + w.condition() + " { " + w.one("continue", "continue", "break") + " }")
	case k < 30 && !w.helper:
		return leaf(w.one("h0()", "h1(1)", "h1(2)"))
	case k < 31:
		return leaf("if kids > 0 { " + w.one("w, e = sys.Waitpid(-1, &st, 0)", "w, e = sys.Waitpid(-1, &st, unix.WNOHANG)", "w, e = sys.Wait(&st)") + "; if w > 0 { kids-- } }")
	case k < 33 && !w.helper:
		return w.serves(inLoop)
	case k < 34:
		return w.lazy()
	}
	return w.forks()
}

// serves is what a server does with a client. Nobody keeps these variables, because each round sets
// them.
func (w *writer) serves(inLoop bool) []*node {
	c, sa := w.name("c"), w.name("sa")
	list := []*node{{open: fmt.Sprintf("var %s sys.SockaddrIn; %slen := sys.Sizeof(%s)\n%s, %serr := sys.Accept(listenfd, &%s, &%slen); _, _ = %s, %serr", sa, sa, sa, c, c, sa, sa, c, c), local: c + " " + sa + " " + c + "err"}}
	list = append(list, w.statements(w.IntN(2), inLoop)...)
	list = append(list, w.forks()...)
	list = append(list, w.statements(w.IntN(2), inLoop)...)
	return append(list, leaf("sys.Close("+c+")")...)
}

// lazy makes what a server needs only once. Nobody keeps these variables, because only a call sets
// them.
func (w *writer) lazy() []*node {
	return leaf("if " + w.condition() + " { " + w.one(
		"if l0 < 0 { l0, _ = sys.Socket(unix.AF_INET, unix.SOCK_STREAM, 0) }",
		"if l1 < 0 { l1 = sys.Once(func() int { fd, _ := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0); return fd }) }",
		"if l2 == 0 { l2 = sys.Once(func() int { return 1 + rand.IntN(1000) }) }",
	) + " }")
}

func leaf(code string) []*node { return []*node{{open: code}} }

func (w *writer) opens() []*node {
	f := w.fd()
	code := w.one(
		"@, e = sys.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)",
		"@, e = sys.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0)",
		`@, e = sys.Open("/proc/version", unix.O_RDONLY, 0)`,
		`@, e = sys.Open("/dev/null", unix.O_RDWR, 0)`,
		"@, e = sys.Dup(listenfd)",
		"@, e = sys.FcntlInt(uintptr(listenfd), unix.F_DUPFD, 20)",
		"if e = sys.Dup2(0, 30); e == nil { @ = 30 }",
		"@ = sys.Once(func() int { fd, _ := sys.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); return fd })",
		"if e = sys.Pipe2(pair[:], unix.O_NONBLOCK); e == nil { @ = pair[0]; e = sys.Close(pair[1]) }",
		"if pair, e = sys.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0); e == nil { @ = pair[1]; e = sys.Close(pair[0]) }",
		"connected(&@)",
	)
	return leaf("if " + f + " < 0 { " + strings.ReplaceAll(code, "@", f) + " }")
}

func (w *writer) closes() []*node {
	f := w.fd()
	return leaf("if " + f + " >= 0 { " + w.one("e = sys.Close("+f+")", "unp.Close("+f+")", "sys.OnceFunc(func() { unix.Close("+f+") })", "closed("+f+")") + "; " + f + " = -1 }")
}

func (w *writer) accepts() []*node {
	f := w.fd()
	call := w.one("sys.Accept(listenfd, &sa, &salen)", "sys.Accept(listenfd, &sa, &salen)", "sys.Accept(listenfd, nil, nil)", "accepted()")
	code := fmt.Sprintf("if %s < 0 { salen = sys.Sizeof(sa); %s, e = %s", f, f, call)
	if w.IntN(2) == 0 {
		code += fmt.Sprintf("; b = make([]byte, %d); if %s >= 0 { w, e = sys.Read(%s, b) }", 1+w.IntN(6), f, f)
	}
	return leaf(code + " }")
}

// talks reads and writes.
func (w *writer) talks() []*node {
	f := w.fd()
	code := w.one(
		"b = make([]byte, 7); w, e = sys.Read(@, b)",
		"b = make([]byte, 7); w, e = sys.Read(@, b[2:5]); s = string(b)",
		"b = make([]byte, 5); w, e = sys.Recv(@, b, unix.MSG_PEEK|unix.MSG_DONTWAIT)",
		"b = make([]byte, 5); salen = sys.Sizeof(sa); w, e = sys.Recvfrom(@, b, unix.MSG_DONTWAIT, &sa, &salen)",
		`w, e = sys.Write(@, []byte("written"))`,
		`w, e = sys.Send(@, []byte("sent"), unix.MSG_DONTWAIT)`,
		"fds[0] = unix.PollFd{Fd: int32(@), Events: unix.POLLIN}; w, e = sys.Poll(fds[:], 0)",
		"set.Zero(); if @ >= 0 { set.Set(@) }; w, e = sys.Select(@+1, &set, nil, nil, &unix.Timeval{})",
		"set.Zero(); if @ >= 0 { set.Set(@) }; w, e = sys.Pselect(@+1, nil, &set, nil, &unix.Timespec{}, &mask)",
		"e = sys.Shutdown(@, unix.SHUT_WR)",
	)
	return leaf(strings.ReplaceAll(code, "@", f))
}

// fails makes calls that fail, most of the time.
func (w *writer) fails() []*node {
	return leaf(strings.ReplaceAll(w.one(
		"e = sys.Close(-1)",
		"w, e = sys.Dup(-1)",
		"e = sys.Bind(@, &sa, sys.Sizeof(sa))",
		"e = sys.Listen(@, 1000)",
		"w, e = sys.GetsockoptInt(@, unix.SOL_SOCKET, unix.SO_ERROR)",
		"e = sys.SetsockoptInt(@, unix.SOL_SOCKET, unix.SO_KEEPALIVE, n0&1)",
		`w, e = sys.Open("/no such file", unix.O_RDONLY, 0)`,
		"{ fd, _ := sys.Open(os.Args[2], unix.O_CREAT, 0o600); sys.Close(fd); for range 3 { e = sys.Unlink(os.Args[2]); n1 += int(errno(e)) } }",
		`w, e = sys.Write(-1, []byte("x"))`,
		"w, e = sys.Wait(nil); if w > 0 { kids-- }",
	), "@", w.fd()))
}

// asks makes calls that return what differs from process to process or from time to time.
func (w *writer) asks() []*node {
	return leaf(strings.ReplaceAll(w.one(
		"e = sys.Gettimeofday(&when)",
		"w = sys.Getppid()",
		"salen = sys.Sizeof(sa); e = sys.Getpeername(@, &sa, &salen)",
		"salen = sys.Sizeof(sa); e = sys.Getsockname(@, &sa, &salen)",
		"x = sys.Once(func() int { return rand.IntN(1000) })",
		"s = sys.Once(func() string { return fmt.Sprint(rand.IntN(1000), `\"( )}\n`) })",
		"sys.OnceFunc(func() { time.Sleep(time.Microsecond) })",
		`e = sys.Chdir("`+w.one("/", "/tmp", "/no such directory", "/proc")+`")`,
		fmt.Sprintf("w = sys.Umask(%#o)", w.IntN(64)),
		"sys.Sigemptyset(&mask); sys.Sigaddset(&mask, unix.SIGUSR2); e = sys.Sigprocmask("+w.one("unix.SIG_BLOCK", "unix.SIG_UNBLOCK", "unix.SIG_SETMASK")+", &mask, nil)",
		"w = int(sys.Alarm(0))",
		"{ offset, err := sys.Lseek(@, 3, unix.SEEK_CUR); w, e = int(offset), err }",
	), "@", w.fd()))
}

func (w *writer) forks() []*node {
	name := w.name("fork")
	body := []*node{{open: "forks++; pid = unp.Fork()", fork: name}}
	if w.child {
		body = append(body, &node{open: "if pid == 0 { kids = 0; exit() }; kids++"})
	} else {
		w.child = true
		loops := w.loops
		body = append(body, &node{open: "if pid == 0 { kids = 0", body: w.statements(w.IntN(6), false), close: "exit() }; kids++"})
		w.child, w.loops = false, loops
	}
	return []*node{{open: "if forks < 10 {", body: body, close: "}"}}
}

// writtenServer is what a seed makes.
func writtenServer(seed uint64) []*node {
	w := &writer{Rand: rand.New(rand.NewPCG(seed, 0))}
	keep := slices.Clone(kept)
	w.Shuffle(len(keep), func(i, j int) { keep[i], keep[j] = keep[j], keep[i] })
	w.keep = "sys.Keep(&" + strings.Join(keep, ", &") + ")"

	w.depth, w.loops, w.helper = 2, 3, true // simple ones
	list := []*node{
		{open: "h0 = func() {", body: w.statements(1+w.IntN(3), false), close: "}"},
		{open: "h1 = func(n int) {", body: w.statements(1+w.IntN(3), false), close: "if n > 0 { h1(n-1) } }"},
	}
	w.depth, w.loops, w.helper = 0, 0, false
	list = append(list, leaf("listenfd = listening(&sa); self = sa")...)
	list = append(list, w.statements(w.IntN(3), false)...)

	body := leaf(w.keep)
	open := fmt.Sprintf("for ; round < %d; round++ {", 3+w.IntN(8))
	inLoop := w.IntN(2) == 0
	if w.IntN(3) == 0 {
		open = fmt.Sprintf("for round < %d {", 3+w.IntN(8))
		body = append(body, leaf("round++")...)
	}
	body = append(body, w.statements(w.IntN(7), inLoop)...)
	body = append(body, w.forks()...)
	body = append(body, w.statements(w.IntN(5), inLoop)...)
	return append(list, &node{open: open, body: body, close: "}"}, &node{open: "exit()"})
}

// source is the function that is the server.
func sourceOf(list []*node, number int) string {
	return fmt.Sprintf("func server%d() {\n%s%s}\n", number, variables, written(list, nil))
}

// written returns the code of statements, in whose scope these local variables are.
func written(list []*node, locals []string) string {
	locals = slices.Clone(locals)
	var b strings.Builder
	for _, n := range list {
		b.WriteString(n.open + "\n")
		if n.local != "" {
			locals = append(locals, strings.Fields(n.local)...)
		}
		if n.fork != "" {
			vars := slices.Concat(slices.DeleteFunc(slices.Clone(kept), func(v string) bool { return v == "pid" }), []string{"l0", "l1", "l2"}, locals)
			fmt.Fprintf(&b, "forked(%q, pid, %q, %s)\n", n.fork, strings.Join(vars, " "), strings.Join(vars, ", "))
		}
		b.WriteString(written(n.body, locals))
		if n.close != "" {
			b.WriteString(n.close + "\n")
		}
	}
	return b.String()
}

// built builds a program of some servers.
func built(t *testing.T, servers [][]*node) (program string) {
	t.Helper()
	dir := t.TempDir()
	var code bytes.Buffer
	code.WriteString("package main\nimport (\"fmt\"; \"math/rand/v2\"; \"os\"; \"time\"; \"golang.org/x/sys/unix\"; \"tcpcliserv/unp\"; \"tcpcliserv/unp/sys\")\nvar _, _, _, _ = fmt.Sprint, rand.IntN, time.Sleep, os.Getpid\n")
	code.WriteString("var _, _, _ = unix.Getpid, unp.Close, sys.Close\nfunc init() { servers = []func(){")
	for i := range servers {
		fmt.Fprintf(&code, "server%d, ", i)
	}
	code.WriteString("} }\n")
	for i, s := range servers {
		code.WriteString(sourceOf(s, i))
	}
	file := filepath.Join(dir, "servers.go")
	if err := os.WriteFile(file, code.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	replace, _ := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "lab/testdata/generated/servers.go"): file}})
	if err := os.WriteFile(overlay, replace, 0o644); err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(dir, "generated")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-gcflags=-N -l", "-overlay", overlay, "-o", program, "./lab/testdata/generated")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s\n%s", err, out, code.Bytes())
	}
	return program
}

// serves runs a server, and returns what is wrong with it, if anything is, and how many forks
// there were.
func serves(program string, number int) (forks int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, fmt.Sprint(number), fmt.Sprint(program, "file", number))
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	cmd.Env = append([]string{"A=1"}, slices.DeleteFunc(os.Environ(), func(s string) bool { return !strings.HasPrefix(s, "GO") })...)
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, _ := cmd.StdinPipe()
	stdout, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	var port int
	fmt.Fscanln(stdout, &port)
	for i := range writtenClients {
		conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
		if err != nil {
			break // it has ended
		}
		defer conn.Close()
		fmt.Fprintf(conn, "client %d, %s", i, strings.Repeat("abc\n", i))
		conn.(*net.TCPConn).CloseWrite()
	}
	stdin.Write([]byte("x"))
	stdin.Close()
	out, _ := io.ReadAll(stdout)
	err = cmd.Wait()
	if ctx.Err() != nil {
		err = errors.New("it hangs")
	}
	said := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		pid, _, _ := strings.Cut(line, "\t")
		said[pid] = append(said[pid], line)
	}
	for pid, lines := range said {
		if len(lines) != 2 {
			err = errors.Join(err, fmt.Errorf("of parent and child %s, %d speak: %s", pid, len(lines), lines[0]))
		} else if lines[0] != lines[1] {
			err = errors.Join(err, fmt.Errorf("parent and child %s differ:%s", pid, difference(lines[0], lines[1])))
		}
	}
	if stderr.Len() > 0 {
		err = errors.Join(err, errors.New(stderr.String()))
	}
	return len(said), err
}

// difference returns the variables that are not the same in two lines.
func difference(one, other string) (differ string) {
	a, b := strings.Split(one, "\t"), strings.Split(other, "\t")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			differ += fmt.Sprintf("\n%s, %s", a[i], b[i])
		}
	}
	return differ
}

// without returns a server without its nth node, and whether there is one.
func without(list []*node, n *int) (shorter []*node, found bool) {
	for i, s := range list {
		if *n == 0 && !strings.HasPrefix(s.open, "sys.Keep(") {
			if strings.HasSuffix(s.close, "else {") { // with what stands behind
				return slices.Delete(slices.Clone(list), i, i+2), true
			}
			return slices.Delete(slices.Clone(list), i, i+1), true
		}
		*n--
		if body, found := without(s.body, n); found {
			c := *s
			c.body = body
			shorter = slices.Clone(list)
			shorter[i] = &c
			return shorter, true
		}
	}
	return nil, false
}

// shrunk leaves out what a server does not need to fail.
func shrunk(t *testing.T, server []*node, why error) ([]*node, error) {
	for {
		var shorter [][]*node
		for i := 0; ; i++ {
			n := i
			s, found := without(server, &n)
			if !found {
				break
			}
			if needsAll(sourceOf(s, 0)) {
				shorter = append(shorter, s)
			}
		}
		program := built(t, shorter)
		failing := -1
		for i := range shorter {
			if _, err := serves(program, i); err != nil {
				failing, why = i, err
				break
			}
		}
		if failing < 0 {
			return server, why
		}
		server = shorter[failing]
	}
}

// needsAll tells whether a shorter server still has what a server cannot do without: it
// listens, ends, and keeps what its loops carry from round to round.
func needsAll(code string) bool {
	return strings.Contains(code, "listening(") && strings.HasSuffix(code, "exit()\n}\n") && strings.Count(code, "func(n int) {") == 1 && strings.Contains(code, "h0 = func") &&
		strings.Contains(code, "round++") && !strings.Contains(code, "round++ {\n}") && loopsKeep(code) && declares(code)
}

// declares tells whether all local variables are declared.
func declares(code string) bool {
	file, err := parser.ParseFile(token.NewFileSet(), "", "package main\n"+code, 0)
	return err == nil && !slices.ContainsFunc(file.Unresolved, func(name *ast.Ident) bool {
		return strings.ContainsAny(name.Name, "123456789") && name.Name != "uint64"
	})
}

// loopsKeep tells whether the loop over the rounds keeps its variables.
func loopsKeep(code string) bool {
	_, loop, _ := strings.Cut(code, "for ; round < ")
	if loop == "" {
		_, loop, _ = strings.Cut(code, "for round < ")
	}
	_, body, _ := strings.Cut(loop, "{\n")
	return strings.HasPrefix(body, "sys.Keep(")
}

// In servers written at random, each child has the variables, the descriptors and the rest of
// what its parent had at Fork.
func TestGeneratedServers(t *testing.T) {
	takesLong(t, "it writes many servers and runs them")
	if !onOwnHost(t) {
		return
	}
	const batch = 200
	all := 0
	for from := 0; from < *generated; from += batch {
		var servers [][]*node
		for i := from; i < min(from+batch, *generated); i++ {
			servers = append(servers, writtenServer(*firstSeed+uint64(i)))
		}
		program := built(t, servers)
		failed := make([]error, len(servers))
		forks := make([]int, len(servers))
		work := make(chan int)
		done := make(chan bool)
		const workers = 3
		for range workers {
			go func() {
				for i := range work {
					forks[i], failed[i] = serves(program, i)
				}
				done <- true
			}()
		}
		for i := range servers {
			work <- i
		}
		close(work)
		for range workers {
			<-done
		}
		for i, err := range failed {
			all += forks[i]
			if err != nil {
				t.Errorf("%v\nagain, and shorter: go test -run TestGeneratedServers -servers 1 -seed %d .", err, *firstSeed+uint64(from+i))
			}
			if err != nil && *generated == 1 {
				least, why := shrunk(t, servers[i], err)
				code, _ := format.Source([]byte(sourceOf(least, 0)))
				t.Errorf("this fails, too:\n%s%v", code, why)
			}
		}
	}
	t.Logf("%d servers, %d forks", *generated, all)
	if all < *generated {
		t.Errorf("%d servers have forked %d times", *generated, all)
	}
}
