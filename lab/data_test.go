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
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A client that closes its end before the child has answered twice has the child killed.
func TestChildKilledBySIGPIPE(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv, tr := straced(t, "tcpserv08")
	pid := tr.main()
	awaitAccept(t, pid)
	unix.Kill(srv.pid(), unix.SIGSTOP) // strace, and so the server: the child starts only when the client has closed
	client, err := net.Dial("tcp", "127.0.0.1:9877")
	if err != nil {
		t.Fatal(err)
	}
	client.Write([]byte("1 2\n3 4\n"))
	client.Close()
	unix.Kill(srv.pid(), unix.SIGCONT)
	await(t, "the server reports the child", func() bool { return strings.HasPrefix(srv.out.String(), "child ") })
	var child int
	fmt.Sscanf(srv.out.String(), "child %d", &child)
	awaitAccept(t, pid)
	unix.Kill(pid, unix.SIGKILL)
	srv.end()
	tr.has(child, `^write\(4, "3\\n", 2\) += 2$`)
	tr.has(child, `^\+\+\+ killed by SIGPIPE \+\+\+$`)
}

// The client and the servers of section 5.18 make the calls of their listings, and
// so does poll those of its own.
func TestSystemCallsOfDataFormats(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	const (
		restart = "rt_sigaction(SIGCHLD,SA_RESTART) "
		parent  = tcpSocket + "3 bind(3) listen(3, 1024) " + restart +
			"accept(3)=4 getresuid getresgid fcntl(0) fcntl(1) fcntl(2) newfstatat pipe2([5,6]) clone close(6) read(5)=0 close(5) close(4) accept(3)"
		child  = "prctl(PR_GET_NAME) close(3) "
		client = tcpSocket + "3 connect(3) "
	)
	for _, c := range []struct{ server, client, input, output, serves, asks string }{
		{"tcpserv08", "tcpcli01", "11 22\nx\n", "33\ninput error\n",
			"read(4) write(4,3) read(4) write(4,12) read(4)=0 exit_group(0)",
			"read(0) write(3,6) read(3) write(1,3) write(3,2) read(3) write(1,12) read(0)=0 exit_group(0)"},
		{"tcpserv09", "tcpcli09", "x\n-22 -77\n", "invalid input: x\n-99\n", // of x, nothing is sent
			"read(4) write(4,8) read(4)=0 exit_group(0)",
			"read(0) write(1,17) write(3,16) read(3) write(1,4) read(0)=0 exit_group(0)"},
	} {
		t.Run(c.server, func(t *testing.T) {
			srv, tr := straced(t, c.server)
			pid := tr.main()
			awaitAccept(t, pid)
			cli, clientTrace := straced(t, c.client, "127.0.0.1")
			clientPid := clientTrace.main()
			cli.typed(c.input)
			cli.printed(c.output)
			awaitAccept(t, pid)
			childPid := children(pid)[0].pid
			cli.stdin.Close()
			cli.ends(0, c.output, "")
			srv.printed(fmt.Sprintf("child %d terminated\n", childPid))
			awaitAccept(t, pid)
			unix.Kill(pid, unix.SIGKILL)
			srv.end()
			tr.want(pid, "socket(", parent)
			tr.want(childPid, "prctl(PR_GET_NAME", child+c.serves)
			clientTrace.want(clientPid, "socket(", client+c.asks)
			if c.server == "tcpserv09" {
				tr.has(childPid, `^read\(4, .*, 16\) += 16$`)
				clientTrace.has(clientPid, `^read\(3, .*, 8\) += 8$`)
			}
			awaitFreePort(t)
		})
	}
	t.Run("poll", func(t *testing.T) {
		server(t, "tcpserv04")
		cli, tr := straced(t, "poll", "127.0.0.1")
		pid := tr.main()
		cli.typed("hello\n")
		cli.printed("hello\n")
		cli.stdin.Close()
		cli.ends(0, "hello\n", "")
		const fds = "[{fd=0, events=POLLIN}, {fd=3, events=POLLIN}], 2, NULL, NULL, 0) = 1 " // poll is ppoll in x/sys
		tr.want(pid, "socket(", client+
			"ppoll("+fds+"([{fd=0, revents=POLLIN}]) read(0) write(3,6) "+
			"ppoll("+fds+"([{fd=3, revents=POLLIN}]) read(3) write(1,6) "+
			"ppoll("+fds+"([{fd=0, revents=POLLHUP}]) read(0)=0 shutdown(3, SHUT_WR)                    = 0 "+
			"ppoll([{fd=-1}, {fd=3, events=POLLIN}], 2, NULL, NULL, 0) = 1 ([{fd=3, revents=POLLIN|POLLHUP}]) read(3)=0 exit_group(0)")
	})
}

// has tells whether a thread has made a call that matches the pattern.
func (tr trace) has(tid int, pattern string) {
	tr.t.Helper()
	if lines := tr.thread(tid); !slices.ContainsFunc(lines, regexp.MustCompile(pattern).MatchString) {
		tr.t.Errorf("no %s in\n%s", pattern, strings.Join(lines, "\n"))
	}
}

// The sums of section 5.18, and what becomes of them where client and server do not
// mean the same by the same bytes.
func TestDataFormats(t *testing.T) {
	takesLong(t, "it builds six programs")
	if !onOwnHost(t) {
		return
	}
	changed := map[string]string{}
	for _, name := range []string{"tcpcli09", "tcpserv09"} {
		for _, words := range []string{"Native/Big", "int64/int32", "int64/int32 Native/Big"} {
			changed[name+" "+words] = replaced(t, name, "sum.go", words)
		}
	}
	for _, c := range []struct{ server, client, input, output string }{
		{"tcpserv08", "tcpcli01", "11 22\n-11 -44\n", "33\n-55\n"},
		{"tcpserv08", "tcpcli01", "x\n5\n\n", "input error\ninput error\ninput error\n"},
		{"tcpserv09", "tcpcli09", "1 2\n-22 -77\n", "3\n-99\n"},
		{"tcpserv09", "tcpcli09", "x\n5\n\n", "invalid input: x\ninvalid input: 5\ninvalid input: \n"},
		{"tcpserv09", "tcpcli09 Native/Big", "1 2\n-22 -77\n", "3\n-72057594037928034\n"},
		{"tcpserv09 Native/Big", "tcpcli09", "1 2\n-22 -77\n", "3\n-72057594037928034\n"},
		{"tcpserv09 Native/Big", "tcpcli09 Native/Big", "1 2\n-22 -77\n", "3\n-99\n"},
		{"tcpserv09 int64/int32", "tcpcli09 int64/int32", "1 2\n-22 -77\n", "3\n-99\n"},
		{"tcpserv09 int64/int32", "tcpcli09 int64/int32 Native/Big", "1 2\n-22 -77\n", "3\n-16777314\n"},
		{"tcpserv09 int64/int32", "tcpcli09", "1 2\n", "8589934593\n"}, // two answers of 4 bytes, 1 and 2
	} {
		t.Run(c.server+", "+c.client, func(t *testing.T) {
			name := func(s string) string {
				if path, ok := changed[s]; ok {
					return path
				}
				return s
			}
			srv := server(t, name(c.server))
			cli := command(t, name(c.client), "127.0.0.1")
			cli.cmd.Stdin = strings.NewReader(c.input)
			cli.start().ends(0, c.output, "")
			srv.childless()
			srv.signal(unix.SIGKILL)
			srv.end()
			awaitFreePort(t)
		})
	}
	t.Run("32 bits to 64", func(t *testing.T) {
		srv := server(t, "tcpserv09")
		cli := start(t, changed["tcpcli09 int64/int32"], "127.0.0.1")
		cli.typed("1 2\n")
		await(t, "the server's child has read 8 bytes, and wants 8 more", func() bool {
			list := children(srv.pid())
			return len(list) == 1 && inRead(list[0].pid, 4, 8)
		})
		await(t, "the client waits for its sum", func() bool { return inRead(cli.pid(), 3, 4) })
		cli.signal(unix.SIGKILL)
		cli.ends(128+9, "", "")
	})
}

// inRead tells whether a process sleeps in a read of so many bytes.
func inRead(pid, fd, nbytes int) bool {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", pid))
	f := strings.Fields(string(b))
	return inCall(pid, unix.SYS_READ) && len(f) > 3 && f[1] == fmt.Sprintf("%#x", fd) && f[3] == fmt.Sprintf("%#x", nbytes)
}

// replaced builds a program of the chapter with words of one of its files replaced,
// and returns its path. It has the program's name, which its processes show.
func replaced(t *testing.T, program, file, words string) string {
	t.Helper()
	dir := t.TempDir()
	b, err := os.ReadFile(filepath.Join(root, program, file))
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range strings.Fields(words) {
		from, to, _ := strings.Cut(pair, "/")
		if !strings.Contains(string(b), from) {
			t.Fatalf("no %s in %s", from, file)
		}
		b = []byte(strings.ReplaceAll(string(b), from, to))
	}
	source, overlay, path := filepath.Join(dir, file), filepath.Join(dir, "overlay.json"), filepath.Join(dir, program)
	json := fmt.Sprintf(`{"Replace": {%q: %q}}`, filepath.Join(root, program, file), source)
	if err := os.WriteFile(source, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, []byte(json), 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-overlay", overlay, "-o", path, "./"+program)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// Odd lines, and bytes that come in pieces or not at all: what C answers, but for
// numbers too large for 64 bits, of which sscanf takes the nearest that is not.
func TestOddData(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	const no = "input error\n"
	le := func(numbers ...int) string { // as a little-endian machine holds them
		var b strings.Builder
		for _, n := range numbers {
			for i := range 8 {
				b.WriteByte(byte(n >> (8 * i)))
			}
		}
		return b.String()
	}
	servers := map[string]map[string]string{
		"tcpserv08": {
			"":                                  "",
			"1 2 3\n":                           "3\n",
			" \t 1\t2\n":                        "3\n",
			"1 2\r\n1\r2\n1\v2\n1\f2\n":         "3\n3\n3\n3\n",
			"+5 -3\n+5-3\n+ 5 6\n--1 2\n":       "2\n2\n" + no + no,
			"0x10 5\n5 0x10\n010 1\n":           no + "5\n11\n",
			"1.5 2\n1,2\n1_0 2\n1e2 3\n":        no + no + no + no,
			"1 2x\n1 -\n-\n":                    "3\n" + no + no,
			"1 2\x00 3\n1\x00 2\n\x00\n":        "3\n" + no + no,
			"9223372036854775807 1\n":           "-9223372036854775808\n",
			"99999999999999999999 0\n":          no,
			"1 2":                               "3\n", // no newline
			"1 2\n3":                            "3\n" + no,
			strings.Repeat(" ", 4094) + "1 2\n": no + no, // two pieces: ... 1, and 2
			strings.Repeat("1", 5000) + " 2\n":  no + no,
		},
		"tcpserv09": {
			"":                       "",
			le(1, 2):                 le(3),
			le(-1, -2, 1<<62, 1<<62): le(-3, -1<<63),
			le(1, 2, 40):             le(3, 42), // the second number is still there
		},
	}
	for name, table := range servers {
		srv := server(t, name)
		for input, want := range table {
			for size, pieces := range map[string][]string{"whole": {input}, "bytes": strings.Split(input, "")} {
				if name == "tcpserv09" && size == "bytes" {
					pieces = nil
					for i := range len(input) {
						pieces = append(pieces, input[i:i+1])
					}
				}
				conn, err := net.Dial("tcp", "127.0.0.1:9877")
				if err != nil {
					t.Fatal(err)
				}
				for _, piece := range pieces {
					if _, err := io.WriteString(conn, piece); err != nil {
						t.Fatal(err)
					}
				}
				conn.(*net.TCPConn).CloseWrite()
				if got, err := io.ReadAll(conn); err != nil || string(got) != want {
					t.Errorf("%s, %.40q, %s: %q, %v; want %q", name, input, size, got, err, want)
				}
				conn.Close()
			}
		}
		srv.childless()
		srv.signal(unix.SIGKILL)
		srv.end()
		awaitFreePort(t)
	}
}

// What the programs of section 5.18, and poll, say when something is wrong.
func TestWordsOfDataFormats(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	for _, name := range []string{"tcpcli09", "poll"} {
		start(t, name).ends(1, "", "usage: tcpcli <IPaddress>\n")
		start(t, name, "127.0.0.1", "127.0.0.1").ends(1, "", "usage: tcpcli <IPaddress>\n")
		for _, bad := range []string{"foo", "1.2.3.400", "::1", ""} {
			start(t, name, bad).ends(1, "", "inet_pton error for "+bad+"\n")
		}
		start(t, name, "127.0.0.1").ends(1, "", "connect error: Connection refused\n")
		start(t, name, nowhere).ends(1, "", "connect error: Network is unreachable\n")
	}
	for _, name := range []string{"tcpserv08", "tcpserv09"} {
		srv := server(t, name)
		start(t, name).ends(1, "", "bind error: Address already in use\n")
		if name == "tcpserv09" {
			cli := start(t, "tcpcli09", "127.0.0.1")
			cli.typed("1 2\n")
			cli.printed("3\n")
			killChild(t, srv)
			cli.typed("1 2\n")
			cli.ends(1, "3\n", "str_cli: server terminated prematurely\n")
		}
		srv.signal(unix.SIGKILL)
		srv.end()
		awaitFreePort(t)
	}
	// A server that resets the connection.
	listener, err := net.Listen("tcp", "127.0.0.1:9877")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for name, stderr := range map[string]string{
		"tcpcli09": "readn error: Connection reset by peer\n",
		"poll":     "read error: Connection reset by peer\n",
	} {
		cli := start(t, name, "127.0.0.1")
		cli.typed("1 2\n")
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		conn.Read(make([]byte, 16))
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
		cli.ends(1, "", stderr)
	}
}

// killChild kills the server's only child, and waits until the server has reaped it.
func killChild(t *testing.T, srv *process) {
	t.Helper()
	await(t, "the server has a child", func() bool { return len(children(srv.pid())) == 1 })
	if err := unix.Kill(children(srv.pid())[0].pid, unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	srv.childless()
}

// With poll the client learns at once that the server's process has ended: nobody
// types a line.
func TestPollLearnsAtOnce(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	noTimeWait(t)
	srv := server(t, "tcpserv04")
	const message = "str_cli: server terminated prematurely\n"
	for _, typed := range []string{"", "half a line"} {
		cli := client(t, "poll", srv)
		cli.typed(typed)
		cli.printed("hello\n" + typed)
		killChild(t, srv)
		cli.ends(1, "hello\n"+typed, message)
	}
	cli := client(t, "poll", srv)
	tool(t, "pkill", "-TERM", "tcpserv04").Run() // as at a shutdown
	cli.ends(1, "hello\n", message)
}

// Poll prints what it was given, whatever that is, and after the end of the input
// waits for what is still under way.
func TestPollEchoes(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := server(t, "tcpserv04")
	long := strings.Repeat("0123456789abcdef\n", 300_000)
	for name, input := range map[string]string{
		"nothing": "", "no newline": "no newline", "NUL": "\x00\n\xff", "5 MB": long, "5 MB in one line": strings.ReplaceAll(long, "\n", " "),
	} {
		file := filepath.Join(t.TempDir(), "input")
		if err := os.WriteFile(file, []byte(input), 0o600); err != nil {
			t.Fatal(err)
		}
		for from, stdin := range map[string]string{"a file": "exec %s/poll 127.0.0.1 < %s", "a pipe": "cat %[2]s | %[1]s/poll 127.0.0.1"} {
			cli := start(t, "bash", "-c", fmt.Sprintf(stdin, bin, file))
			if status, out := cli.end(), cli.out.String(); status != 0 || out != input || cli.err.String() != "" {
				t.Errorf("%s from %s: status %d, %d bytes in, %d bytes out, standard error %q", name, from, status, len(input), len(out), cli.err.String())
			}
		}
	}
	srv.childless()
	// EINTR is not the end.
	cli := start(t, "strace", "-o", "/dev/null", "-e", "inject=?poll,?ppoll:error=EINTR:when=1..3", filepath.Join(bin, "poll"), "127.0.0.1")
	cli.typed("hello\n")
	cli.printed("hello\n")
	cli.stdin.Close()
	cli.ends(0, "hello\n", "")
}

// What Readn reads before Fork, the child does not read again.
func TestReadnBeforeFork(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := start(t, replaced(t, "tcpserv09", "tcpserv09.go", "for/unp.Readn(0,make([]byte,1));for"))
	srv.typed("x")
	srv.accepts()
	cli := start(t, "tcpcli09", "127.0.0.1")
	cli.typed("1 2\n")
	cli.printed("3\n")
	cli.stdin.Close()
	cli.ends(0, "3\n", "")
	srv.childless()
	if said := srv.err.String(); said != "" {
		t.Errorf("the server says %q", said)
	}
}
