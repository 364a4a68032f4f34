//go:build linux && (amd64 || arm64)

package sys

import (
	"bytes"
	"iter"
	"math/bits"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel's calls for signals, which golang.org/x/sys does not have.

// A ksigaction is what rt_sigaction(2) takes, on amd64 and on arm64.
type ksigaction struct{ handler, flags, restorer, mask uint64 }

// The values of ksigaction.handler that are not handlers.
const (
	kernelDFL = 0
	kernelIGN = 1
)

// sigThread is a signal with which the runtime has its threads make a system call. A thread
// that gets the signal for another reason, as main's thread does from wakeMain, does nothing.
const sigThread unix.Signal = 33

// needed are the signals that the runtime needs.
const needed = 1<<(unix.SIGSEGV-1) | 1<<(unix.SIGBUS-1) | 1<<(unix.SIGFPE-1) | 1<<(unix.SIGPROF-1) | 1<<(sigThread-1)

// libraries are the signals that C libraries for Linux keep for themselves.
const libraries = 3 << (32 - 1)

// unblockable are the signals that are never blocked.
const unblockable = 1<<(unix.SIGKILL-1) | 1<<(unix.SIGSTOP-1) | libraries

// reserved are the signals whose disposition nobody can change: those, and 34, which Go's
// runtime keeps for a C library.
const reserved = unblockable | 1<<(34-1)

// ignoredByDefault are the signals that the kernel ignores at their default.
const ignoredByDefault = 1<<(unix.SIGCHLD-1) | 1<<(unix.SIGCONT-1) | 1<<(unix.SIGURG-1) | 1<<(unix.SIGWINCH-1)

// stops are the signals that stop a process by default, except SIGSTOP.
const stops = 1<<(unix.SIGTSTP-1) | 1<<(unix.SIGTTIN-1) | 1<<(unix.SIGTTOU-1)

func isSignal(signo unix.Signal) bool { return 1 <= signo && signo <= 64 }

// signalsIn returns the signals in a set.
func signalsIn(set uint64) iter.Seq[unix.Signal] {
	return func(yield func(unix.Signal) bool) {
		for ; set != 0; set &= set - 1 {
			if !yield(unix.Signal(1 + bits.TrailingZeros64(set))) {
				return
			}
		}
	}
}

func bit(signo unix.Signal) uint64 { return 1 << (signo - 1) }

// rtSigaction gives the kernel a disposition, and stores the previous one in *oact. Either
// pointer may be nil.
func rtSigaction(signo unix.Signal, act, oact *ksigaction) {
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(signo), uintptr(unsafe.Pointer(act)), uintptr(unsafe.Pointer(oact)), 8, 0, 0)
}

// currentMask returns the signals that the calling thread blocks.
func currentMask() uint64 { return sigmask(unix.SIG_BLOCK, 0) }

// sigmask changes the signals that the calling thread blocks, and returns those that it
// blocked before.
func sigmask(how int, set uint64) uint64 {
	var old unix.Sigset_t
	unix.PthreadSigmask(how, &unix.Sigset_t{Val: [16]uint64{set}}, &old)
	return old.Val[0]
}

// restartAfterSigThread decides whether the kernel restarts a call that sigThread interrupts,
// and gives the signal the runtime's handler if it has none yet.
func restartAfterSigThread(restart bool, runtimeAction ksigaction) {
	var act ksigaction
	rtSigaction(sigThread, nil, &act)
	if act.handler == kernelDFL {
		act = runtimeAction
	}
	act.flags &^= SA_RESTART
	if restart {
		act.flags |= SA_RESTART
	}
	rtSigaction(sigThread, &act, nil)
}

// wakeMain interrupts main's system call. It does not use tgkill, because in a program built
// with cgo the C library would take a sigThread from tgkill for one of its own.
func wakeMain() {
	const siQueue = -1
	info := [32]int32{int32(sigThread), 0, siQueue} // siginfo_t
	pid := uintptr(unix.Getpid())
	unix.RawSyscall6(unix.SYS_RT_TGSIGQUEUEINFO, pid, pid, uintptr(sigThread), uintptr(unsafe.Pointer(&info)), 0, 0)
}

// mainSleeps tells whether main's thread sleeps in a system call. If it is about to run, or a
// tracer has stopped it, it is on its way.
func mainSleeps() bool {
	const state = 3 // see proc(5)
	stat := readStat()
	return len(stat) <= state || stat[state] == "S"
}

// readStat returns the fields of /proc/self/stat, which is about main's thread, with the numbers
// that proc(5) gives them. The second, the name, may contain anything, and is left out.
func readStat() []string {
	content, _ := readFile("/proc/self/stat")
	others := content[bytes.LastIndexByte(content, ')')+1:]
	return append(make([]string, 3), strings.Fields(string(others))...)
}

// threadTakes tells whether one of these signals is pending and a thread of this process is about
// to take it, or whether a thread is in the runtime's handler, and so may not yet have passed on
// its signal.
func threadTakes(set uint64) bool {
	threads, err := unix.Open("/proc/self/task", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(threads)
	buf := make([]byte, 32<<10)
	n, _ := unix.ReadDirent(threads, buf)
	_, _, names := unix.ParseDirent(buf[:max(n, 0)], -1, nil)
	for _, name := range names {
		status, _ := readFile("/proc/self/task/" + name + "/status")
		blocked := statusMask(status, "SigBlk")
		inHandler := blocked&libraries == libraries // which only the runtime's handler blocks
		if inHandler || statusMask(status, "ShdPnd")&set&^blocked != 0 {
			return true
		}
	}
	return false
}

// statusMask returns a set of signals from a file such as /proc/PID/status.
func statusMask(status []byte, name string) uint64 {
	_, rest, _ := bytes.Cut(status, []byte("\n"+name+":\t"))
	text, _, _ := bytes.Cut(rest, []byte("\n"))
	mask, _ := strconv.ParseUint(string(text), 16, 64)
	return mask
}

// readFile reads a file of /proc. os.ReadFile would open an epoll descriptor.
func readFile(name string) (content []byte, err error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(fd, buf)
		if n <= 0 {
			return content, err
		}
		content = append(content, buf[:n]...)
	}
}
