//go:build linux && (amd64 || arm64)

package unp

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// How the child of Fork finds its place.
//
// A fork in C duplicates the process, and two return from it. Go's runtime has
// several threads, of which fork would duplicate only the one that calls it
// (golang.org/issue/227), so Fork executes the program again. The child enters
// main from the top and is resuming: it takes the path that its parent took.
//
// The path is a list of steps. Each is a call of Socket, Accept or Fork: where in
// the program it stands, and what came of it. The child's main makes the same
// calls, and each returns what its step holds: the descriptor, which exec has kept
// at the same number; the peer's address; or the process id of an earlier child.
// Meanwhile the other functions of unp do nothing, because the
// parent has done their work; only Signal does its work, since exec drops
// handlers. The last step is the Fork that made this process. It returns 0, and
// from there on the process is the child of the listing. If main comes to another
// place than in its parent, the child ends with a message that names both.
//
// A descriptor that has been closed stays on the path, because main will ask for
// it again on its way. Only the rounds of a server are forgotten, so that its path
// does not grow: between two calls of Accept at the same place, the steps are
// dropped once all their descriptors are closed.
//
// The path, the parent's name and its signal mask are in one environment
// variable, in hexadecimal, which the child removes before anything else.
const resumeVar = "UNP_FORK"

// A step is a call of Socket, Accept or Fork.
type step struct {
	At    place
	N     int32   // its result: a descriptor, a process id, or -1
	Open  bool    // N is a descriptor that has not been closed
	Salen Socklen // what accept returned besides; else 0
	Peer  SockaddrIn
	Errno uint32
}

// A place is where main calls unp: the line, and all the calls that lead there,
// folded into one number.
type place struct{ Line, Calls int32 }

var (
	parent struct {
		Comm [16]byte      // the name that ps shows, which exec would change to "exe"
		Mask unix.Sigset_t // the signals that main's thread blocks
	}
	args  = append([]string(nil), os.Args...)
	files = []uintptr{0, 1, 2} // a child's standard descriptors; ^0 is none
	path  []step               // as far as main has come
	ahead []step               // as far as it has yet to go: it is resuming while there is a step

	// While main resumes, it prints nothing: its parent has printed it.
	printers = [2]*os.File{os.Stdout, os.Stderr}
	printing [2]os.File // their contents meanwhile
	nowhere  *os.File   // in their place
)

func init() {
	// main stays on the one thread whose id is the process id, so that strace
	// without -f and ps show for it what they show for C.
	runtime.LockOSThread()
	asInC()

	value, child := os.LookupEnv(resumeVar)
	if !child {
		unix.Prctl(unix.PR_GET_NAME, uintptr(unsafe.Pointer(&parent.Comm)), 0, 0, 0)
		return
	}
	os.Unsetenv(resumeVar)
	state, err := hex.DecodeString(value)
	n, _ := binary.Decode(state, binary.BigEndian, &parent)
	ahead = make([]step, (len(state)-n)/binary.Size(step{}))
	used, _ := binary.Decode(state[n:], binary.BigEndian, ahead)
	if err != nil || len(ahead) == 0 || n+used != len(state) {
		ErrQuit("%s is not what Fork hands to its child: %q", resumeVar, value)
	}
	null, _ := unix.Open(os.DevNull, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	high, _ := unix.FcntlInt(uintptr(null), unix.F_DUPFD_CLOEXEC, 63) // out of the way; from 64 on the kernel's table would have to grow, which takes 10 ms
	unix.Close(null)
	nowhere = os.NewFile(uintptr(high)&(1<<31-1), os.DevNull) // no file, if the limit is lower
	printing = [2]os.File{*os.Stdout, *os.Stderr}
	*os.Stdout, *os.Stderr = *nowhere, *nowhere
	unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&parent.Comm)), 0, 0, 0)
}

// resume returns the next step of the path, which main must take too.
func resume() step {
	next := ahead[0]
	if at := here(); at != next.At {
		ErrQuit("fork error: main has taken another path than its parent: it is at line %d, its parent was at line %d", at.Line, next.At.Line)
	}
	path, ahead = append(path, next), ahead[1:]
	if len(ahead) == 0 {
		*printers[0], *printers[1] = printing[0], printing[1]
		// A signal that has come early now finds its handler in the kernel, and main
		// at its place. SIGCHLD's catcher is left out: it takes threads, and this
		// process has no children before its own first Fork, which starts it.
		arrived <- unix.SIGCHLD // main waits once, for a signal between start's two calls of Notify
		for signo := range catchers {
			if c := &catchers[signo]; signo != int(unix.SIGCHLD) && c.start(unix.Signal(signo)) {
				rtSigaction(unix.Signal(signo), &c.kernel, nil) // as Notify may have set its own
			}
		}
		unix.PthreadSigmask(unix.SIG_SETMASK, &parent.Mask, nil)
		await(true)
	}
	return next
}

// childEnv is the environment of a child that main makes at this place. It starts the
// catcher of SIGCHLD.
func childEnv(at place) []string {
	if at == (place{}) {
		ErrQuit("fork error: only main can call Fork, not a signal handler or another goroutine")
	}
	mu.Lock()
	defer mu.Unlock()
	catchers[unix.SIGCHLD].start(unix.SIGCHLD)
	state, _ := binary.Append(nil, binary.BigEndian, parent)
	state, _ = binary.Append(state, binary.BigEndian, append(path, step{At: at}))
	return append(os.Environ(), resumeVar+"="+hex.EncodeToString(state))
}

// here returns the place in main that is calling unp, or no place if a handler or
// another goroutine calls.
func here() (at place) {
	var pcs [256]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	unp := strings.TrimSuffix(runtime.FuncForPC(pcs[0]).Name(), "here")
	for frame, more := frames.Next(); more; frame, more = frames.Next() {
		if frame.Function == "runtime.main" {
			return at
		} else if !strings.HasPrefix(frame.Function, unp) {
			at = place{cmp.Or(at.Line, int32(frame.Line)), at.Calls*31 + int32(frame.PC-pcs[0])}
		}
	}
	return place{}
}

// closed marks a descriptor as closed. If it is a standard one, file is what a
// child gets in its place: a new descriptor of that number, or none.
func closed(fd int, file uintptr) {
	readBufs.Delete(fd)
	mu.Lock()
	defer mu.Unlock()
	if uint(fd) < uint(len(files)) {
		files[fd] = file
	}
	for i := range path {
		path[i].Open = path[i].Open && path[i].N != int32(fd)
	}
}

// made adds a step to the path, if it is main's, and drops the steps between two
// calls of Accept at the same place if all their descriptors are closed.
func made(s step) step {
	if s.Open {
		closed(int(s.N), uintptr(s.N)) // main may have used unix.Close
	}
	mu.Lock()
	defer mu.Unlock()
	if s.At != (place{}) {
		path = append(path, s)
	}
	for i := 0; i < len(path); i++ {
		for k := i; path[i].Salen > 0 && !path[k].Open && k < len(path)-1; k++ {
			if path[k+1].At == path[i].At {
				path, k = append(path[:i], path[k+1:]...), i-1
			}
		}
	}
	return s
}
