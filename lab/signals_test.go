package lab

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// plays plays a script of signals, and returns what the program says is wrong.
func plays(seed uint64) (wrong string) {
	cmd := exec.Command(filepath.Join(bin, "signals"), fmt.Sprint(seed))
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	stdin, _ := cmd.StdinPipe()
	stdout, _ := cmd.StdoutPipe()
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return err.Error()
	}
	pid := cmd.Process.Pid
	hangs := time.AfterFunc(30*time.Second, func() { unix.Kill(-pid, unix.SIGKILL) })
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		line := lines.Text()
		if !strings.HasPrefix(line, "+ ") {
			wrong += line + "\n"
			continue
		}
		words := strings.SplitN(line, " ", 4) // + call signals data
		var call int
		fmt.Sscan(words[1], &call)
		for !inCall(pid, call) && stat(pid).state != "Z" {
			time.Sleep(100 * time.Microsecond)
		}
		for _, signal := range strings.FieldsFunc(words[2], func(r rune) bool { return r == ',' }) {
			var signo int
			fmt.Sscan(signal, &signo)
			unix.Kill(pid, unix.Signal(signo))
		}
		for words[3] != "" && pending(pid) && stat(pid).state != "Z" {
			time.Sleep(100 * time.Microsecond)
		}
		stdin.Write([]byte(words[3]))
	}
	err := cmd.Wait()
	if !hangs.Stop() {
		wrong += "it hangs\n"
	}
	if err != nil {
		wrong += err.Error() + "\n"
	}
	return wrong
}

// pending tells whether the kernel still has a signal for the process.
func pending(pid int) bool {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, mask, found := strings.Cut(string(b), "ShdPnd:\t")
	return found && !strings.HasPrefix(mask, "0000000000000000")
}

// Handlers and main do in random scripts what they do in C: each signal that arrives is handled,
// and not more often than it was sent; a blocked one only when it is unblocked; main never
// continues while a handler runs; and slow calls fail with EINTR or are made again, as the handler's
// flags say. Of 1000 scripts, two or three differ, because the kernel may give a signal to a
// thread other than main's, whose handler is then called a moment late.
func TestSignalScripts(t *testing.T) {
	takesLong(t, "it runs many scripts")
	if !onOwnHost(t) {
		return
	}
	var differ atomic.Int32
	work, done := make(chan uint64), make(chan bool)
	const workers = 3
	for range workers {
		go func() {
			for seed := range work {
				if wrong := plays(seed); wrong != "" {
					differ.Add(1)
					t.Logf("%s\nagain: go test -run TestSignalScripts -scripts 1 -seed %d .", wrong, seed)
				}
			}
			done <- true
		}()
	}
	for i := range *scripts {
		work <- *firstSeed + uint64(i)
	}
	close(work)
	for range workers {
		<-done
	}
	if n := int(differ.Load()); n > 2+*scripts/100 {
		t.Errorf("%d of %d scripts differ from C", n, *scripts)
	}
}
