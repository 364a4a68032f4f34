//go:build linux

package tcpcliserv

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the outputs in README.md from a real run")

// A session is a block ```console of README.md: commands and what they print.
type session struct {
	section  string
	first    int // line in README.md, from 0
	last     int
	commands []typed
}

// A typed command has a line that begins with "$ ", and further ones with "> ".
type typed struct {
	line    int // in README.md, from 0
	command string
	output  []string
}

// sessions finds the blocks in README.md.
func sessions(t *testing.T, readme []string) []session {
	var list []session
	section, inside := "", false
	for i, line := range readme {
		switch {
		case line == "```console":
			list, inside = append(list, session{section: section, first: i + 1}), true
		case inside && line == "```":
			list[len(list)-1].last, inside = i, false
		case inside && strings.HasPrefix(line, "$ "):
			s := &list[len(list)-1]
			s.commands = append(s.commands, typed{line: i, command: line[2:]})
		case inside:
			s := &list[len(list)-1]
			if len(s.commands) == 0 {
				t.Fatalf("README.md:%d: a block begins with a command", i+1)
			}
			c := &s.commands[len(s.commands)-1]
			if strings.HasPrefix(line, "> ") && len(c.output) == 0 {
				c.command += "\n" + line[2:]
			} else {
				c.output = append(c.output, line)
			}
		case strings.HasPrefix(line, "## "), strings.HasPrefix(line, "### "):
			section = strings.TrimLeft(line, "# ")
		}
	}
	if inside {
		t.Fatal("README.md: the last block has no end")
	}
	return list
}

// TestREADME runs every block, each on a host of its own, and compares what its
// commands print.
func TestREADME(t *testing.T) {
	lookAtSources()
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := strings.Split(string(b), "\n")
	all := sessions(t, readme)
	got := make([][][]string, len(all))
	t.Run("blocks", func(t *testing.T) {
		for i, s := range all {
			t.Run(fmt.Sprintf("%s, line %d", s.section, s.first), func(t *testing.T) {
				t.Parallel()
				got[i] = s.run(t)
				if !*update && got[i] != nil {
					s.compare(t, got[i])
				}
			})
		}
	})
	if !*update || t.Failed() {
		return
	}
	var out []string
	end := 0
	for i, s := range all {
		for k, c := range s.commands {
			first := c.line + 1 + strings.Count(c.command, "\n")
			out = append(out, readme[end:first]...)
			out = append(out, got[i][k]...)
			end = first + len(c.output)
		}
	}
	out = append(out, readme[end:]...)
	if err := os.WriteFile("README.md", []byte(strings.Join(out, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run types the commands of a session into a bash, each when all is quiet after
// the one before, and returns the lines that each printed.
func (s session) run(t *testing.T) [][]string {
	needHost(t)
	need(t, "ss", "ps", "strace", "tcpdump", "sysctl", "pkill", "nsenter", "prlimit")
	// A copy of the project, with bin/, on a host where process ids have five
	// digits from the first.
	dir := t.TempDir()
	if out, err := exec.Command("bash", "-c", `cp -r go.mod go.sum unp tcp* "$0" && mkdir "$0/bin" && ln -s "$1"/tcp* "$0/bin"`, dir, bin).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	shell := command(t, "unshare", append(host().Args[1:], "bash", "-c", `ip link set lo up
		echo 20000 > /proc/sys/kernel/ns_last_pid
		mark() { local status=$?; echo $1 > marks; return $status; }
		export -f mark
		exec bash --norc 2>&1`)...)
	shell.cmd.Dir = dir
	shell.cmd.Env = append(os.Environ(), "LC_ALL=C", "COLUMNS=200")
	if slices.ContainsFunc(s.commands, func(c typed) bool { return strings.Contains(c.command, "--nproc") }) {
		ordinary(t, shell.cmd, dir)
	}
	shell.start()
	var got [][]string
	printed := 0
	for _, c := range append([]typed{{command: ":"}}, s.commands...) {
		// The mark says that the shell has done the command, and keeps its $?.
		shell.typed(fmt.Sprintf("%s\nmark %d\n", c.command, len(got)))
		await(t, "the shell has done: "+c.command, func() bool {
			b, _ := os.ReadFile(filepath.Join(dir, "marks"))
			return string(b) == fmt.Sprintln(len(got))
		})
		quiet(t, shell.pid())
		out := shell.out.String()[printed:]
		printed += len(out)
		lines := strings.Split(out, "\n")
		if lines[len(lines)-1] == "" {
			lines = lines[:len(lines)-1]
		}
		for i := range lines {
			lines[i] = strings.TrimRight(lines[i], " ")
		}
		got = append(got, lines)
	}
	return got[1:]
}

// quiet waits until every process that descends from this one sleeps, and none
// has been woken for a while: what a command has set off has come to rest.
func quiet(t *testing.T, root int) {
	t.Helper()
	const rest = 60 * time.Millisecond
	last, since := "", time.Now()
	await(t, "all is quiet", func() bool {
		state := activity(root)
		if state != last || state == "" {
			last, since = state, time.Now()
		}
		time.Sleep(5 * time.Millisecond)
		return time.Since(since) > rest
	})
}

// activity is how often each thread has been switched to, and empty while one of
// them runs.
func activity(root int) string {
	var b strings.Builder
	for pids := []int{root}; len(pids) > 0; pids = pids[1:] {
		names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pids[0]))
		for _, name := range names {
			status, _ := os.ReadFile(name + "/status")
			for _, line := range strings.Split(string(status), "\n") {
				if strings.HasPrefix(line, "State:\tR") || strings.HasPrefix(line, "State:\tD") {
					return ""
				}
				if strings.Contains(line, "ctxt_switches") {
					b.WriteString(line)
				}
			}
			below, _ := os.ReadFile(name + "/children")
			for _, pid := range strings.Fields(string(below)) {
				n, _ := strconv.Atoi(pid)
				pids = append(pids, n)
			}
		}
	}
	return b.String()
}

// varies is what is compared by its shape: numbers of five and more digits (ids,
// ephemeral ports), times and addresses in memory.
var varies = regexp.MustCompile(`0x[0-9a-f]+|\d\d:\d\d:\d\d\.\d+|\d{5,}`)

// same compares two lines by their fields. Numbers of five and more digits stand
// for each other one to one, throughout a block.
func same(want, got string, there, back map[string]string) bool {
	w, g := strings.Fields(want), strings.Fields(got)
	if len(w) != len(g) {
		return false
	}
	for i := range w {
		if varies.ReplaceAllString(w[i], "#") != varies.ReplaceAllString(g[i], "#") {
			return false
		}
		ids, others := varies.FindAllString(w[i], -1), varies.FindAllString(g[i], -1)
		for k := range ids {
			a, b := ids[k], others[k]
			switch isNumber := func(s string) bool { return !strings.ContainsAny(s, "x:") }; {
			case isNumber(a) != isNumber(b):
				return false
			case !isNumber(a):
			case there[a] == "" && back[b] == "":
				there[a], back[b] = b, a
			case there[a] != b || back[b] != a:
				return false
			}
		}
	}
	return true
}

// compare reports the first command that prints something else.
func (s session) compare(t *testing.T, got [][]string) {
	there, back := map[string]string{}, map[string]string{}
	for i, c := range s.commands {
		if !slices.EqualFunc(c.output, got[i], func(want, got string) bool { return same(want, got, there, back) }) {
			t.Errorf("section %q, README.md:%d\n$ %s\nexpected:\n%s\ncame:\n%s",
				s.section, c.line+1, c.command, strings.Join(c.output, "\n"), strings.Join(got[i], "\n"))
			return
		}
	}
}
