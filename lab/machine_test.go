package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Lab/host says what is wrong.
func TestHostErrors(t *testing.T) {
	t.Parallel()
	lookAtSources()
	needsTools(t, "unshare", "nsenter", "setpriv", "mount", "ip")
	for _, pid := range []string{fmt.Sprint(os.Getpid()), "999999999"} {
		start(t, filepath.Join(root, "lab/host"), pid).ends(1, "", "lab/host: process "+pid+" is not on a host of yours\n")
	}
	bash, _ := exec.LookPath("bash")
	without := func(tools ...string) string { // what it says with no other tools in its PATH
		path := t.TempDir()
		for _, tool := range tools {
			file, err := exec.LookPath(tool)
			if err != nil {
				t.Fatal(err)
			}
			os.Symlink(file, filepath.Join(path, tool))
		}
		p := command(t, bash, filepath.Join(root, "lab/host"), "true")
		p.cmd.Env = append(os.Environ(), "PATH="+path, "LAB_BIN=")
		if p.start(); p.end() != 1 {
			t.Errorf("with %s only: status %d", tools, p.end())
		}
		return p.err.String()
	}
	if said, want := without("dirname", "readlink"), "lab/host: unshare is not installed: apt-get install iproute2 mount util-linux\n"; said != want {
		t.Errorf("without its tools: %q", said)
	}
	t.Run("on a host", func(t *testing.T) {
		needsHost(t, "it runs commands on a host")
		tools := []string{"dirname", "readlink", "sed", "unshare", "nsenter", "setpriv", "mount", "ip", "env", "bash", "true"}
		if said, want := without(tools...), "lab/host: go is not installed, or not in PATH: https://go.dev/doc/install\n"; said != want {
			t.Errorf("without go: %q", said)
		}
		start(t, filepath.Join(root, "lab/host"), "sh", "-c", "exit 42").ends(42, "", "")
		start(t, "bash", "-c", `trap "" INT TERM PIPE XFSZ; exec ../lab/host grep SigIgn /proc/self/status`).ends(0, "SigIgn:\t0000000000000000\n", "")
	})
}

// machineWithoutHosts returns a command that runs on a host as on a machine where nobody
// can make one: there are no more user namespaces, and it has no capabilities.
func machineWithoutHosts(t *testing.T, script string, args ...string) *process {
	t.Helper()
	needsHost(t, "it runs the tests on a host")
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	machine, _ := os.Readlink("/proc/self/ns/user")
	if out, _ := exec.Command("./host", "readlink", "/proc/self/ns/user").Output(); strings.TrimSpace(string(out)) == machine {
		skip(t, "it forbids user namespaces on a host", "only root can make a host here, which shares their limit with the machine")
	}
	return command(t, filepath.Join(root, "lab/host"), append([]string{"bash", "-c", `echo 0 > /proc/sys/user/max_user_namespaces && cd "$0" && unset LAB_BIN &&
		exec setpriv --inh-caps=-all --ambient-caps=-all --bounding-set=-all "$@"`, here, "bash", "-c", script, os.Args[0]}, args...)...)
}

// Where no host can be made, the tests that need none run, and the others are
// skipped, with the reason and the fix.
func TestWithoutHost(t *testing.T) {
	takesLong(t, "it runs other tests")
	t.Parallel()
	lookAtSources()
	const why = `no host can be made here \(unshare: unshare failed: .*\)\.`
	p := machineWithoutHosts(t, `"$0" -test.v "$@"`, "-test.run=^(TestNormalTermination|TestPairsOfClients|TestDaemon|TestMounts|TestWindows|TestRuntimeCalls)$").start()
	if status, out := p.end(), p.out.String(); status != 0 || p.err.String() != "" {
		t.Errorf("status %d, %s%s", status, out, p.err.String())
	} else {
		var ends []string
		for _, m := range regexp.MustCompile(`(?m)^ *--- (.*) \(`).FindAllStringSubmatch(out, -1) {
			ends = append(ends, m[1])
		}
		want := []string{"PASS: TestNormalTermination", "PASS: TestDaemon", "SKIP: TestPairsOfClients", "SKIP: TestMounts", "PASS: TestRuntimeCalls", "SKIP: TestWindows"}
		if !slices.Equal(ends, want) {
			t.Errorf("%q, want %q", ends, want)
		}
		for _, pattern := range []string{
			`(?m)^ +fork_test\.go:\d+: it sets net\.ipv4\.tcp_max_tw_buckets, and ` + why + `$`,
			`\n3 tests were skipped, because ` + why + ` A container needs --privileged\. .*\n$`,
		} {
			if !regexp.MustCompile(pattern).MatchString(out) {
				t.Errorf("%q does not match %s", out, pattern)
			}
		}
	}
	// A stranger has the port.
	p = machineWithoutHosts(t, `bin=$(dirname "$(type -P tcpserv01)"); "$bin/tcpserv01" & until ss -Htln | grep -q :9877; do sleep .1; done
		"$0" -test.run=^TestEcho$; status=$?; kill $!; exit $status`).start()
	if status, said := p.end(), p.err.String(); status != 1 || !regexp.MustCompile(`^The tests cannot run here:\n`+why+`\n(.*\n)*.*another program has their port, 9877\. LISTEN .*"tcpserv01"`).MatchString(said) {
		t.Errorf("with a stranger at the port: status %d, %s", status, said)
	}
}

// A test that fails where few processes are allowed names the limit. It runs alone, because
// the limit counts the processes that other tests have started for the same user.
func TestProcessLimitsAreNamed(t *testing.T) {
	needsHost(t, "it starts a test that needs one")
	lookAtSources()
	cmd := asOrdinaryUser(t)
	binary, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(filepath.Dir(bin), "lab")
	copied := filepath.Join(dir, "lab.test")
	if err := os.WriteFile(copied, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	prlimit, _ := exec.LookPath("prlimit")
	cmd.Path, cmd.Dir = prlimit, dir
	threads, _ := filepath.Glob("/proc/[0-9]*/task/*") // those of other tests count too, if the user is the same
	limit := len(threads) + 200
	cmd.Args = []string{"prlimit", fmt.Sprint("--nproc=", limit), copied, "-test.run=^TestFiveHundredClients$"}
	want := fmt.Sprintf("RLIMIT_NPROC (ulimit -u) allows this user %d processes and threads.\n", limit)
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), want) {
		t.Errorf("%v\n%s", err, out)
	}

	mount := t.TempDir()
	for name, limit := range map[string]string{"a/pids.max": "max", "a/b/pids.max": "2048", "pids/pids.max": "100", "pids/c/pids.max": "9999"} {
		os.MkdirAll(filepath.Dir(filepath.Join(mount, name)), 0o755)
		os.WriteFile(filepath.Join(mount, name), []byte(limit+"\n"), 0o644)
	}
	for cgroups, want := range map[string]string{
		"0::/a/b\n":                  mount + "/a/b/pids.max allows 2048 processes and threads.\n",
		"0::/a\n":                    "",
		"9:name=systemd:/c\n0::/\n":  "",
		"8:pids:/c\n7:blkio:/a/b\n":  mount + "/pids/pids.max allows 100 processes and threads.\n",
		"0::/../sibling\n8:pids:/\n": mount + "/pids/pids.max allows 100 processes and threads.\n",
	} {
		if said := cgroupLimits(cgroups, mount); said != want {
			t.Errorf("in the cgroups %q: %q, want %q", cgroups, said, want)
		}
	}
}

// README.md gives the two commands.
func TestCommandsOfReadme(t *testing.T) {
	lookAtSources()
	var typed []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(strings.Join(readPage(t, "README.md"), "\n"), -1) {
		typed = append(typed, strings.Split(block[1], "\n")...)
	}
	for _, command := range []string{"lab/demo", "lab/test"} {
		if !slices.Contains(typed, command) {
			t.Errorf("no line of a block ```sh is %s", command)
		}
	}
}

// shells are those in which a reader may type a command. Each shows the prompt.
var shells = [][]string{
	{"bash", "--norc", "-i"},
	{"dash", "-i"},
	{"zsh", "-f", "-i", "-o", "no_zle", "-o", "no_prompt_sp", "-o", "no_prompt_cr"},
	{"busybox", "sh", "-i"},
	{"fish", "--no-config", "-i", "-C", "function fish_prompt; echo -n '" + prompt + "'; end"},
}

// Lab/demo, typed in any shell, prints the first transcript of README.md. If the port is
// taken, it says so and ends, whoever has the port. Nothing of it is left.
func TestDemo(t *testing.T) {
	takesLong(t, "it opens many shells")
	if !onOwnHost(t) {
		return
	}
	var want strings.Builder
	for _, c := range sessions(t, "README.md")[0].commands {
		fmt.Fprintln(&want, "$ "+c.command)
		for _, line := range c.output {
			fmt.Fprintln(&want, line)
		}
	}
	for _, shell := range shells {
		t.Run(shell[0], func(t *testing.T) {
			p := command(t, shell[0], shell[1:]...)
			p.cmd.Dir = root
			p.cmd.Env = append(os.Environ(), "PS1="+prompt, "PS2=", "ENV=")
			p.cmd.SysProcAttr = &syscall.SysProcAttr{}
			w := openWindow(t, p)
			said := func() string {
				return w.answers("lab/demo\n", `(?s)lab/demo\nlab/demo: building the programs\n(.*)`+regexp.QuoteMeta(prompt)+`\z`)
			}
			nothingIsLeft := func() {
				t.Helper()
				for _, s := range processes() {
					if s.session == p.pid() && s.pid != p.pid() && (noHost == nil || s.state != "Z") {
						t.Errorf("%v is left", s)
					}
				}
				awaitFreePort(t)
			}
			got := plain(said())
			if noHost != nil { // process 1 may wait for no child, and then the zombie stays
				got, _, _ = strings.Cut(got, "lab/demo: ")
			}
			if anyNumbers(got) != anyNumbers(want.String()) {
				t.Errorf("%s, want %s", got, want.String())
			}
			nothingIsLeft()

			const inUse = "$ bin/tcpserv01 &\nbind error: Address already in use\nlab/demo: port 9877 is taken"
			taken := func(by string) {
				t.Helper()
				if out := said(); !strings.HasPrefix(out, inUse) {
					t.Errorf("the port is taken by %s: %q", by, out)
				}
			}
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err == nil {
				err = unix.Bind(fd, &unix.SockaddrInet4{Port: 9877})
			}
			if err != nil {
				t.Fatal(err)
			}
			taken("a socket that does not listen")
			unix.Listen(fd, 5)
			taken("a program that does not answer")
			unix.Close(fd)
			srv := server(t, "tcpserv04")
			taken("a server that answers")
			srv.signal(unix.SIGTERM)
			srv.ends(128+15, "", "") // lab/demo has not ended it
			nothingIsLeft()
		})
		awaitPort(t)
	}
}

// anyNumbers is a text in which all numbers, and the widths of columns, are the same.
func anyNumbers(text string) string {
	var b strings.Builder
	for line := range strings.Lines(regexp.MustCompile(`\d+`).ReplaceAllString(text, "N")) {
		fmt.Fprintln(&b, strings.Join(strings.Fields(line), " "))
	}
	return b.String()
}

// Lab/demo says what it lacks, and ends without a trace if it is interrupted.
func TestDemoErrors(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	needsTools(t, "ps")
	demo := func(path string) *process {
		p := command(t, filepath.Join(root, "lab/demo"))
		p.cmd.Env = append(os.Environ(), "PATH="+path, "TMPDIR="+t.TempDir())
		return p
	}
	basic := []string{"dirname", "readlink", "mktemp", "chmod", "rm", "mkdir", "tr", "grep", "seq", "sleep", "cat"}
	demo(pathOf(t, basic...)).start().ends(1, "", "lab/demo: go is not installed, or not in PATH: https://go.dev/doc/install\n")
	demo(pathOf(t, append(basic, "go")...)).start().ends(1, "", "lab/demo: there is no ps, or none that knows --ppid: apt-get install procps\n")

	// It is interrupted while the server runs.
	path := pathOf(t, append(basic, "go")...)
	reached := filepath.Join(path, "reached")
	ps, _ := exec.LookPath("ps")
	script := fmt.Sprintf("#!/bin/sh\ncase $* in *stat=*) echo > %s; exec sleep 1000 ;; esac; exec %s \"$@\"\n", reached, ps)
	if err := os.WriteFile(filepath.Join(path, "ps"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	p := demo(path).start()
	await(t, "it looks at the server's children", func() bool { _, err := os.Stat(reached); return err == nil })
	unix.Kill(-p.pid(), unix.SIGINT) // as Control-C does
	if status := p.end(); status != 128+2 || strings.TrimSpace(p.err.String()) != "" {
		t.Errorf("status %d, %q", status, p.err.String())
	}
	awaitFreePort(t)
	dir := p.cmd.Env[len(p.cmd.Env)-1]
	if left, _ := os.ReadDir(strings.TrimPrefix(dir, "TMPDIR=")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// pathOf makes a directory for PATH, with these tools in it.
func pathOf(t *testing.T, tools ...string) string {
	t.Helper()
	path := t.TempDir()
	for _, tool := range tools {
		file, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(file, filepath.Join(path, tool)); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// Lab/test installs what is missing where it may, and says what to install where it may
// not. Then it hands its arguments to go test. If nothing is missing, it installs nothing
// and asks nothing.
func TestInstallation(t *testing.T) {
	lookAtSources()
	const (
		test     = "go test -p 1 -timeout 30m -v"
		all      = test + " ./unp/... ./lab/..."
		update   = "apt-get update -qq\n"
		install  = "apt-get install -y -qq inetutils-telnet strace\n"
		telling  = "lab/test: installing inetutils-telnet strace\n"
		left     = "lab/test: tests are skipped that need these packages: apt-get install inetutils-telnet strace\n"
		works    = `[ $1 = update ] || for tool in strace telnet; do /bin/ln -s sh "${0%/*}/$tool"; done`
		asks     = `[ $1 != -n ] || exit 1; exec "$@"`
		asksNot  = `[ $1 != -n ] || exit 0; exec "$@"`
		asSudoer = "sudo -n true\n"
	)
	for _, c := range []struct {
		name         string
		missing      bool // strace and telnet
		id           int
		apt, sudo    string // what they do
		args         []string
		calls, words string
	}{
		{"nothing", false, 0, works, asksNot, nil, all + "\n", ""},
		{"nothing, arguments", false, 1000, works, asks, []string{"-short", "-run", "TestEcho"}, all + " -short -run TestEcho\n", ""},
		{"nothing, packages", false, 1000, works, asks, []string{"-short", "./lab"}, test + " -short ./lab\n", ""},
		{"root", true, 0, works, "", nil, update + install + all + "\n", telling},
		{"root, no network", true, 0, "exit 100", "", nil, update + all + "\n", telling + left},
		{"sudo asks nothing", true, 1000, works, asksNot, nil, asSudoer + "sudo sh -c\n" + update + install + all + "\n", telling},
		{"sudo asks", true, 1000, works, asks, []string{"-short"}, asSudoer + all + " -short\n", left},
		{"no sudo", true, 1000, works, "", nil, all + "\n", left},
		{"no apt-get", true, 0, "", "", nil, all + "\n", left},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, calls := withTools(t, c.missing, c.id, c.apt, c.sudo, c.args...)
			p.start().ends(0, "", c.words)
			if got, _ := os.ReadFile(calls); string(got) != c.calls {
				t.Errorf("it calls\n%swant\n%s", got, c.calls)
			}
		})
	}
	t.Run("sudo asks at a terminal", func(t *testing.T) {
		p, calls := withTools(t, true, 1000, works, asks)
		_, tty := openTerminal(t)
		p.cmd.Stdin, p.cmd.Stderr = tty, tty
		p.start().ends(0, "", "")
		want := asSudoer + "sudo sh -c\n" + update + install + all + "\n"
		if got, _ := os.ReadFile(calls); string(got) != want {
			t.Errorf("it calls\n%swant\n%s", got, want)
		}
	})
	t.Run("no go", func(t *testing.T) {
		p := command(t, filepath.Join(root, "lab/test"))
		p.cmd.Env = []string{"PATH=" + pathOf(t, "dirname", "readlink")}
		p.start().ends(1, "", "lab/test: go is not installed, or not in PATH: https://go.dev/doc/install\n")
	})
}

// withTools prepares lab/test where all tools are there or two are missing. Scripts stand
// in for go, id, apt-get and sudo, and write how they are called to a file.
func withTools(t *testing.T, missing bool, id int, apt, sudo string, args ...string) (p *process, calls string) {
	t.Helper()
	path := pathOf(t, "sh", "dirname", "readlink")
	calls = filepath.Join(t.TempDir(), "calls")
	script := func(name, text string) {
		if err := os.WriteFile(filepath.Join(path, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for tool := range packages() {
		if !missing || tool != "strace" && tool != "telnet" {
			script(tool, "")
		}
	}
	script("id", fmt.Sprint("echo ", id))
	script("go", `echo "go $*" >> `+calls)
	if apt != "" {
		script("apt-get", `echo "apt-get $*" >> `+calls+"\n"+apt)
	}
	if sudo != "" {
		script("sudo", `echo "sudo $1 $2" >> `+calls+"\n"+sudo)
	}
	p = command(t, filepath.Join(root, "lab/test"), args...)
	p.cmd.Env = []string{"PATH=" + path}
	return p, calls
}
