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
		start(t, "bash", "-c", `trap "" INT TERM; exec ../lab/host grep SigIgn /proc/self/status`).ends(0, "SigIgn:\t0000000000000000\n", "")
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

// Where no host can be made, the tests that need none run, and the others are skipped,
// with the reason and the cure.
func TestWithoutHost(t *testing.T) {
	takesLong(t, "it runs other tests")
	t.Parallel()
	lookAtSources()
	const why = `no host can be made here \(unshare: unshare failed: .*\)\.`
	p := machineWithoutHosts(t, `"$0" -test.v "$@"`, "-test.run=^(TestNormalTermination|TestChangedServers|TestForkErrors|TestWindows|TestRuntimeCalls)$").start()
	if status, out := p.end(), p.out.String(); status != 0 || p.err.String() != "" {
		t.Errorf("status %d, %s%s", status, out, p.err.String())
	} else {
		var ends []string
		for _, m := range regexp.MustCompile(`(?m)^ *--- (.*) \(`).FindAllStringSubmatch(out, -1) {
			ends = append(ends, m[1])
		}
		want := []string{"PASS: TestNormalTermination", "SKIP: TestChangedServers", "PASS: TestForkErrors", "SKIP: TestForkErrors/without_/proc", "PASS: TestRuntimeCalls", "SKIP: TestWindows"}
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

// A test that fails where few processes are allowed names the limit.
func TestProcessLimitsAreNamed(t *testing.T) {
	needsHost(t, "it starts a test that needs one")
	t.Parallel()
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
	cmd.Args = []string{"prlimit", "--nproc=200", copied, "-test.run=^TestFiveHundredClients$"}
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "RLIMIT_NPROC (ulimit -u) allows this user 200 processes and threads.\n") {
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

// The first command of README.md, typed in any shell, prints hello, world. If the port
// is taken, it says so and ends, whoever has the port.
func TestFirstCommand(t *testing.T) {
	takesLong(t, "it builds the programs for each of many shells")
	if !onOwnHost(t) {
		return
	}
	var block string
	for _, b := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(strings.Join(readPage(t, "README.md"), "\n"), -1) {
		if strings.Contains(b[1], "hello, world") {
			block = b[1]
		}
	}
	if block == "" {
		t.Fatal("README.md has no first command")
	}
	dir := t.TempDir()
	if out, err := exec.Command("bash", "-c", `cp -r --no-preserve=mode ../go.mod ../go.sum ../unp ../tcp*/ "$0"`, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, shell := range [][]string{
		{"bash", "--norc", "-i"},
		{"dash", "-i"},
		{"zsh", "-f", "-i", "-o", "no_zle", "-o", "no_prompt_sp", "-o", "no_prompt_cr"},
		{"busybox", "sh", "-i"},
	} {
		t.Run(shell[0], func(t *testing.T) {
			path, err := exec.LookPath(shell[0])
			if err != nil {
				return // the gate has them all
			}
			p := command(t, path, shell[1:]...)
			p.cmd.Dir = dir
			p.cmd.Env = append(os.Environ(), "PS1="+prompt, "PS2=", "ENV=")
			p.cmd.SysProcAttr = &syscall.SysProcAttr{}
			w := openWindow(t, p)
			said := func() string {
				return strings.TrimSuffix(w.answers(block, `(?s)kill \$! \)\n(.*)`+regexp.QuoteMeta(prompt)+`\z`), prompt)
			}
			status := func() string { return w.answers("echo status $?\n", `^status (\d+)\n`+regexp.QuoteMeta(prompt)+`\z`) }
			const inUse = "bind error: Address already in use\n"
			taken := func(by string) {
				t.Helper()
				if out, status := said(), status(); out != inUse || status != "1" {
					t.Errorf("the port is taken by %s: status %s, %q", by, status, out)
				}
			}
			if out, status := said(), status(); out != "hello, world\n" || status != "0" {
				t.Errorf("status %s, %q", status, out)
			}
			awaitFreePort(t)

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
			server(t, "tcpserv04")
			taken("a server that answers")
		})
		awaitPort(t)
	}
}
