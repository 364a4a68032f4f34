package lab

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A window is an interactive shell on a terminal of its own.
type window struct {
	t        *testing.T
	keyboard *os.File
	shell    *process
}

const prompt = "lab$ "

// openWindow starts the shell, and waits for its prompt.
func openWindow(t *testing.T, shell *process) *window {
	t.Helper()
	keyboard, tty := openTerminal(t)
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".bashrc"), []byte("PS1='"+prompt+"' PS2=\nalias mkdir='mkdir -pv' grep='grep -n' hosts=false\ncd /\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	os.Chmod(filepath.Dir(home), 0o755) // it may be another user's shell
	os.Chmod(home, 0o755)
	if shell.cmd.Env == nil {
		shell.cmd.Env = os.Environ()
	}
	shell.cmd.Env = append(shell.cmd.Env, "TERM=dumb", "HOME="+home)
	for _, name := range []string{"GOCACHE", "GOPATH", "GOMODCACHE"} {
		value, _ := exec.Command("go", "env", name).Output()
		shell.cmd.Env = append(shell.cmd.Env, name+"="+strings.TrimSpace(string(value)))
	}
	shell.cmd.Stdin, shell.cmd.Stdout, shell.cmd.Stderr = tty, tty, tty
	if shell.cmd.SysProcAttr == nil {
		shell.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	shell.cmd.SysProcAttr.Setctty = true // its descriptor 0
	shell.start()
	tty.Close()
	go io.Copy(shell.out, keyboard)
	w := &window{t, keyboard, shell}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the terminal shows %q", w.screen())
		}
	})
	await(t, "the shell's prompt", func() bool { return strings.HasSuffix(w.screen(), prompt) })
	return w
}

// openTerminal makes a terminal, a very wide one, and returns its two ends.
func openTerminal(t *testing.T) (keyboard, tty *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	fd := int(keyboard.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 2000})
	}
	if err == nil {
		tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return keyboard, tty
}

// screen is all that the terminal has shown, without BusyBox's question where the
// cursor is, and without what fish writes over.
func (w *window) screen() string {
	shown := strings.NewReplacer("\r\n", "\n", "\x1b[6n", "").Replace(w.shell.out.String())
	return withoutNice(overwritten.ReplaceAllString(shown, "$1"))
}

var overwritten = regexp.MustCompile(`(?m)^.*\r([^\n])`)

func (w *window) types(keys string) {
	w.t.Helper()
	if _, err := io.WriteString(w.keyboard, keys); err != nil {
		w.t.Fatal(err)
	}
}

// answers types the keys and waits until the terminal has shown what matches the
// pattern since then; it returns what the pattern's parentheses hold.
func (w *window) answers(keys, pattern string) string {
	w.t.Helper()
	before, re := len(w.screen()), regexp.MustCompile("(?m)"+pattern)
	w.types(keys)
	var m []string
	await(w.t, fmt.Sprintf("%q answers %s", keys, pattern), func() bool {
		m = re.FindStringSubmatch(w.screen()[before:])
		return m != nil
	})
	return m[len(m)-1]
}

const (
	controlC         = "\x03"
	controlD         = "\x04"
	controlZ         = "\x1a"
	controlBackslash = "\x1c"
)

// Server and client in two windows, and a look at them in a third.
func TestWindows(t *testing.T) {
	takesLong(t, "it builds the programs")
	needsHost(t, "it opens windows on a host")
	t.Parallel()
	lookAtSources()
	host := func(args ...string) *window { // typed in the directory lab
		shell := command(t, "./host", args...)
		shell.cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir(), "LAB_BIN=") // so that it builds the programs
		return openWindow(t, shell)
	}
	first := host()
	pid := regexp.MustCompile(`^lab/host: building the programs\nA new lab, .*, type \./host (\d+) `).FindStringSubmatch(first.screen())
	if pid == nil {
		t.Fatalf("the first window shows %q", first.screen())
	}
	second, third := host(pid[1]), host(pid[1])
	sees := func(command, line string) { // in the third window, sooner or later
		await(t, command+" shows "+line, func() bool {
			return strings.Contains(third.answers(command+"\n", `^([\s\S]*)`+regexp.QuoteMeta(prompt)+`$`), "\n"+line)
		})
	}
	startClient := func() {
		second.types("bin/tcpcli01 127.0.0.1\n")
		sees("ps -C tcpcli01 -o wchan=", "wait_woken") // it reads its keyboard
		second.answers("hello\n", `^hello\nhello\n`)
	}

	first.types("bin/tcpserv01\n")
	sees("ss -Htln sport = 9877", "LISTEN")
	startClient()
	third.answers("ps -C tcpserv01,tcpcli01 -o stat,args\n", `^Sl\+ +bin/tcpserv01\nSl\+ +bin/tcpcli01 127\.0\.0\.1\nSl\+ +bin/tcpserv01\n`)
	second.answers(controlZ, `Stopped +bin/tcpcli01 127\.0\.0\.1\n`+regexp.QuoteMeta(prompt))
	third.answers("ps -C tcpcli01 -o stat=\n", `^Tl$`)
	second.types("fg\n")
	sees("ps -C tcpcli01 -o wchan=", "wait_woken")
	second.answers("again\n", `^again\nagain\n`)
	second.answers(controlD, regexp.QuoteMeta(prompt))
	sees("ss -Htan dport = 9877", "TIME-WAIT")
	sees("ps -C tcpserv01 -o stat=,args=", "Z+   [tcpserv01] <defunct>")

	// What the keys do to client and server, they do in C.
	for keys, ended := range map[string]string{controlC: "130", controlBackslash: "131"} {
		startClient()
		second.answers(keys, regexp.QuoteMeta(prompt))
		second.answers("echo status $?\n", `^status `+ended+`$`)
	}
	first.answers(controlZ, `Stopped +bin/tcpserv01\n`+regexp.QuoteMeta(prompt))
	first.types("fg\n")
	sees("ps -C tcpserv01 -o stat=", "Sl+")
	first.answers(controlC, regexp.QuoteMeta(prompt))
	first.answers("echo status $?\n", `^status 130$`)
	first.types("bin/tcpserv04\n")
	sees("ss -Htln sport = 9877", "LISTEN")
	first.answers(controlBackslash, regexp.QuoteMeta(prompt))
	first.answers("echo status $?\n", `^status 131$`)

	// Each window has the hosts that it has booted, and each of these has lo.
	third.answers("on server true\n", `^on: this window has booted no host server$`)
	first.answers("boot server; on server ip -br addr show lo\n", `^lo .* 127\.0\.0\.1/8 `)

	// The host ends with its first shell, and so do the others.
	dir := first.answers("pwd\n", `^(/.*)$`)
	first.types("exit\n")
	for _, w := range []*window{first, second, third} {
		select {
		case <-w.shell.done:
		case <-t.Context().Done():
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("%s is still there", dir)
	}
}
