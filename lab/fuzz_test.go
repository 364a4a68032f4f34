package lab

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
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

// FuzzInetPton has a program say what InetPton makes of its argument.
func FuzzInetPton(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "0.0.0.0", "255.255.255.255", "256.0.0.1", "01.2.3.4", "1.2.3.04", "00.0.0.0", "1.2.3", "1.2.3.4.5",
		"1..2.3", ".1.2.3", "1.2.3.", " 1.2.3.4", "1.2.3.4 ", "1.2.3.4\n", "+1.2.3.4", "0x1.2.3.4", "::1", "::ffff:1.2.3.4", "1.2.3.4%eth0", "", "16909060", "１.2.3.4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.Contains(s, "\x00") {
			return // no argument can have it
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
// is handed to it either makes it the child, or ends it with one line.
func FuzzForkState(f *testing.F) {
	const name, fork = "666f726b730000000000000000000000", "ffffffff00000000000000000000000000000000"
	three, four := "00000003"+strings.Repeat("00", 16), "00000004"+strings.Repeat("00", 16)
	for _, value := range []string{name + three + fork, name + fork, name + four + fork, name + three + three + fork, name + three, name,
		"", "x", name + three + fork + fork, name + fork + three + fork, strings.ToUpper(name + three + fork), name + "fffffffe" + three[8:] + fork,
		name + "00000000" + three[8:] + fork + three + fork} {
		f.Add(value)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		f.Fatal(err)
	}
	socket := os.NewFile(uintptr(fd), "socket")
	forks := func(value string) (count int) {
		for i := 32; i+40 <= len(value); i += 40 {
			if strings.EqualFold(value[i:i+8], fork[:8]) {
				count++
			}
		}
		return count
	}
	f.Fuzz(func(t *testing.T, value string) {
		if strings.Contains(value, "\x00") {
			return // no environment can have it
		}
		var stderr bytes.Buffer
		cmd := exec.Command(filepath.Join(bin, "forks"), "once")
		cmd.Env = []string{"UNP_FORK=" + value}
		cmd.ExtraFiles = []*os.File{socket}
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		switch said := stderr.String(); {
		case err == nil && string(out) == "the child has 3\n" && said == "":
		case err == nil && strings.HasPrefix(string(out), "the child has ") && said == "" && forks(value) > 1:
			// a way past an earlier Fork, whose descriptor need not be open any more
		case cmd.ProcessState.ExitCode() == 1 && len(out) == 0 && strings.Count(said, "\n") == 1 &&
			(strings.HasPrefix(said, "fork error: ") || strings.HasPrefix(said, "UNP_FORK is not ")):
		default:
			t.Errorf("%q: %q, %v, %q", value, out, err, said)
		}
	})
}
