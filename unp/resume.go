//go:build linux && (amd64 || arm64)

package unp

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
// calls, and each returns what its step holds: the descriptor, which came along
// through exec at the same number, the peer's address, or the process id of an
// earlier child. Meanwhile the other functions of unp do nothing, since the
// parent has done it; only Signal does its work, since exec drops handlers. The
// last step is the Fork that made this process. It returns 0, and from there on
// the process is the child of the listing. If main comes to another place than
// in its parent, the child ends with a message that names both.
//
// A descriptor that has been closed stays on the path, because main will ask for
// it again on its way. Only the rounds of a server are forgotten, so that its path
// does not grow: when main calls Accept where it has called it before, and every
// descriptor made since then is closed, the steps since then go.
//
// The path, the parent's name and its signal mask are in one environment
// variable, in hexadecimal, which the child removes before anything else.
const resumeVar = "UNP_FORK"

// A step is a call of Socket, Accept or Fork.
type step struct {
	At    place
	N     int32      // its result: a descriptor, a process id, or -1
	Open  bool       // N is a descriptor that has not been closed
	Errno uint32     // from accept, as are the next two
	Peer  SockaddrIn // cliaddr
	Salen Socklen    // clilen
}

// A place is where a call of unp stands, and by which calls main got there. Both
// are program counters, counted from a function of unp: code may move.
type place struct{ PC, Calls int32 }

var (
	parent struct {
		Comm [16]byte // the name that ps shows, which exec would change to "exe"
		Mask uint64   // the signals that main's thread blocks
	}
	args     = slices.Clone(os.Args)
	base     = reflect.ValueOf(Htons).Pointer()
	resuming atomic.Bool // until Fork has returned 0
	pathMu   sync.Mutex  // a signal handler, on its thread, may call Close
	path     []step      // as far as main has come
	ahead    []step      // what main, resuming, has yet to go

	// What main prints while it resumes, its parent has printed.
	printers = [2]*os.File{os.Stdout, os.Stderr}
	printing [2]os.File // their contents meanwhile
)

func init() {
	// Every call of a listing comes from the one thread whose id is the process
	// id, so that strace without -f and ps show what they show for C.
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
	resuming.Store(true)
	closed := os.NewFile(math.MaxInt32, "closed")
	closed.Close()
	for i, file := range printers {
		printing[i], *file = *file, *closed
	}
	unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&parent.Comm)), 0, 0, 0)
}

// resume returns the next step of the path, which main must take too.
func resume() step {
	at, _ := here()
	next := ahead[0]
	if at != next.At {
		ErrQuit("fork error: main comes to %v, but in its parent it came to %v", at, next.At)
	}
	path, ahead = append(path, next), ahead[1:]
	if len(ahead) == 0 {
		resuming.Store(false)
		for i, file := range printers {
			*file = printing[i]
		}
		startHandlers()
		unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{Val: [16]uint64{parent.Mask}}, nil)
		await()
	}
	return next
}

// resumeEnv is the environment of a child that main makes here.
func resumeEnv(at place) []string {
	pathMu.Lock()
	defer pathMu.Unlock()
	state, _ := binary.Append(nil, binary.BigEndian, parent)
	state, _ = binary.Append(state, binary.BigEndian, append(path, step{At: at}))
	return append(os.Environ(), resumeVar+"="+hex.EncodeToString(state))
}

// here is where the call of unp stands that is going on, and whether main makes
// it, and not a signal handler or another goroutine.
func here() (at place, main bool) {
	var pcs [256]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	for more := true; more; {
		var frame runtime.Frame
		if frame, more = frames.Next(); strings.HasPrefix(frame.Function, "tcpcliserv/unp.") {
			continue
		}
		pc := int32(frame.PC - base)
		if at.Calls == 0 {
			at.PC = pc
		}
		at.Calls = at.Calls*31 + pc
		main = main || frame.Function == "runtime.main"
	}
	return at, main
}

func (at place) String() string {
	frame, _ := runtime.CallersFrames([]uintptr{base + uintptr(at.PC) + 1}).Next()
	return fmt.Sprintf("%s:%d", filepath.Base(frame.File), frame.Line)
}

// made adds a step to the path, if main has made it. A descriptor's number is
// free for it because unp.Close or unix.Close has closed the one before.
func made(s step) {
	if s.Open {
		closed(int(s.N))
	}
	at, main := here()
	if s.At = at; main {
		pathMu.Lock()
		defer pathMu.Unlock()
		path = append(path, s)
	}
}

// closed marks a descriptor as closed.
func closed(fd int) {
	readBufs.Delete(fd)
	pathMu.Lock()
	defer pathMu.Unlock()
	for i := range path {
		if path[i].N == int32(fd) {
			path[i].Open = false
		}
	}
}

// nextRound forgets the rounds of a server that is about to accept, from the
// earliest on since which all descriptors are closed.
func nextRound() {
	at, _ := here()
	pathMu.Lock()
	defer pathMu.Unlock()
	first := len(path)
	for i := len(path) - 1; i >= 0 && !path[i].Open; i-- {
		if path[i].At == at {
			first = i
		}
	}
	path = path[:first]
}
