package lab

import (
	"bytes"
	"fmt"
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
	var real string
	cmd := exec.Command(filepath.Join(bin, "forks"), "once")
	out, err := exec.Command("strace", "-f", "-s", "100000", "-e", "trace=execve", "-v", cmd.Path, "once").CombinedOutput()
	if m := regexp.MustCompile(`UNP_FORK=([0-9a-f]*)`).FindSubmatch(out); m == nil {
		f.Fatalf("no UNP_FORK in %v, %s", err, out)
	} else {
		real = string(m[1])
	}
	here, _ := os.Getwd()
	head := 2 * (4 + 16 + 4 + 8 + 4 + 8 + 4 + len(here))         // each value behind its length: the name, the signals twice, the directory
	const step = 2 * (4 + 8 + 4 + 8 + 4 + 8 + 4 + 4 + 4 + 1 + 4) // and a step without other values
	socket, rest := real[head:head+step], real[head+step:]
	for _, value := range []string{real, strings.ToUpper(real), real[:head] + rest, real[:head] + socket, real[:head], "", "x", real + "0",
		real[:head] + socket + real[head:], real + rest, real + socket, real[:head] + rest + socket + rest, real[:len(real)-step], real[:len(real)-2],
		"\xff\n%s", real[2:], real[:head] + "00", strings.Repeat("0", 100_000), "@3", "@1", "@-1", "@99999999999999999999", "@"} {
		f.Add(value)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		f.Fatal(err)
	}
	inherited := os.NewFile(uintptr(fd), "socket")
	f.Fuzz(func(t *testing.T, value string) {
		if strings.Contains(value, "\x00") || len(value) > 100_000 {
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
		notForks := said == fmt.Sprintf("UNP_FORK is not what Fork hands to its child: %q\n", value)
		if cmd.ProcessState.ExitCode() != 1 || len(out) != 0 || !notForks && !regexp.MustCompile(`^(fork|socket) error: .*\n$`).MatchString(said) {
			t.Errorf("%q: %q, %v, %q", value, out, err, said)
		}
	})
}
