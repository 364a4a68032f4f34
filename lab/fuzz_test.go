package lab

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// inetPton is what the C library's inet_pton accepts for AF_INET: four decimal
// numbers up to 255, without leading zeros, with dots between and nothing else.
func inetPton(s string) (addr [4]byte, ok bool) {
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return addr, false
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil || strconv.FormatUint(n, 10) != part {
			return addr, false
		}
		addr[i] = byte(n)
	}
	return addr, true
}

// FuzzInetPton runs a program that prints what InetPton makes of its argument.
func FuzzInetPton(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "0.0.0.0", "255.255.255.255", "256.0.0.1", "01.2.3.4", "1.2.3.04", "00.0.0.0", "1.2.3", "1.2.3.4.5",
		"1..2.3", ".1.2.3", "1.2.3.", " 1.2.3.4", "1.2.3.4 ", "1.2.3.4\n", "+1.2.3.4", "0x1.2.3.4", "::1", "::ffff:1.2.3.4", "1.2.3.4%eth0", "", "16909060", "１.2.3.4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.Contains(s, "\x00") {
			return // no argument can contain it
		}
		var stderr bytes.Buffer
		cmd := exec.Command(filepath.Join(bin, "forks"), "inet_pton", s)
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if addr, ok := inetPton(s); ok {
			if err != nil || !bytes.Equal(out, addr[:]) {
				t.Errorf("%q: %v, %v, %q; want %v", s, out, err, stderr.String(), addr)
			}
		} else if cmd.ProcessState.ExitCode() != 1 || len(out) != 0 || stderr.String() != "inet_pton error for "+s+"\n" {
			t.Errorf("%q: %v, %v, %q; want an error", s, out, err, stderr.String())
		}
	})
}

// FuzzForkState starts a program as Fork would, with descriptor 3 a socket. What
// is handed to it either makes it the child, or ends it with one line that says why.
func FuzzForkState(f *testing.F) {
	// A real one, to begin with: what the child of a program that makes a socket gets.
	cmd := exec.Command(filepath.Join(bin, "forks"), "once")
	out, err := tool(f, "strace", "-f", "-s", "100000", "-e", "trace=execve", "-v", cmd.Path, "once").CombinedOutput()
	m := regexp.MustCompile(`"UNP_FORK=((?:[^"\\]|\\.)*)"`).FindSubmatch(out)
	if m == nil {
		f.Fatalf("no UNP_FORK in %v, %s", err, out)
	}
	real, err := strconv.Unquote(`"` + string(m[1]) + `"`)
	if err != nil {
		f.Fatal(err)
	}
	lines := strings.SplitAfter(real, "\n")
	head, steps := strings.Join(lines[:5], ""), strings.Join(lines[5:], "")
	for _, value := range []string{real, strings.ToUpper(real), head, steps, "", "x", real + "0", real + steps, head + steps + steps, head + lines[6],
		real[:len(real)-2], real[1:], "\xff\n%s", strings.Repeat("0", 100_000), strings.Replace(real, "= 3", "= 4", 1), strings.Replace(real, "SOCK_STREAM", "SOCK_DGRAM", 1),
		strings.Replace(real, "open 3", "open 3 4 5", 1), strings.Replace(real, "= 3", "= -1 EMFILE", 1),
		strings.Replace(real, "= 3", `= 3 errno4096 ("panic")`, 1), strings.Replace(real, "\nclosed 0\n", "\nclosed 0\nsignal 10 handler 50123 mask 0 flags 0\n", 1),
		strings.Replace(real, "\nclosed 0\n", "\nclosed 0\nsignal 10 handler 7fffffffffff mask 0 flags 0\n", 1)} {
		f.Add(value)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		f.Fatal(err)
	}
	inherited := os.NewFile(uintptr(fd), "socket")
	f.Fuzz(func(t *testing.T, value string) {
		if strings.Contains(value, "\x00") || len(value) > 100_000 || value == "" {
			return // no environment can contain it
		}
		var stderr bytes.Buffer
		cmd := exec.CommandContext(t.Context(), "timeout", "-s", "KILL", "20", cmd.Path, "once") // it must not hang
		cmd.Env = []string{"UNP_FORK=" + value}
		cmd.ExtraFiles = []*os.File{inherited}
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		said := stderr.String()
		if err == nil && said == "" && regexp.MustCompile(`^(the child has .*\n)?$`).Match(out) {
			return // the second Fork of a path is an earlier one: its parent prints nothing
		}
		lines := strings.Count(said, "\n")
		if cmd.ProcessState.ExitCode() != 1 || len(out) != 0 || lines > 2 || !regexp.MustCompile(`^(fork|socket) error: `).MatchString(said) {
			t.Errorf("%q: %q, %v, %q", value, out, err, said)
		}
	})
}
