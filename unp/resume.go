//go:build linux && (amd64 || arm64)

package unp

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"runtime"
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
// main from the top and is resuming: Socket and Accept hand back the descriptors
// that the parent has, which came along through exec at the same numbers; Bind,
// Listen, Connect and Close do nothing; Signal does its work, since exec
// drops handlers. Where its parent called Fork the child has caught up: Fork
// returns 0, and from there on the process is the child of the listing.
//
// What the child must know is in one environment variable, in hexadecimal: its
// parent's name, and the steps that the parent has come from the top of main.
const resumeVar = "UNP_FORK"

// A step is what a call of Socket or Accept made, or a Fork that returned 0: a
// child's own child passes its parent's Fork before it comes to its own.
type step struct {
	FD   int32 // or forked
	Peer SockaddrIn
}

const forked = -1

var (
	comm     [16]byte    // the name that ps shows, which exec would change to "exe"
	resuming atomic.Bool // until Fork has returned 0
	stepsMu  sync.Mutex  // a signal handler, on its thread, may call Close or Fork
	past     []step      // what a child of this process has to go through
	ahead    []step      // what this process, resuming, has yet to go through
)

func init() {
	// Every call of a listing comes from the one thread whose id is the process
	// id, so that strace without -f and ps show what they show for C.
	runtime.LockOSThread()

	// A C program starts with every signal at SIG_DFL; the runtime catches them
	// all. Of those that the chapter meets it makes EPIPE of SIGPIPE, prints its
	// goroutines at SIGQUIT, and is woken for nothing by the others.
	for _, signo := range []unix.Signal{unix.SIGPIPE, unix.SIGQUIT, unix.SIGTERM, unix.SIGCHLD} {
		rtSigaction(signo, &ksigaction{}, &goAction)
	}

	value, child := os.LookupEnv(resumeVar)
	if !child {
		unix.Prctl(unix.PR_GET_NAME, uintptr(unsafe.Pointer(&comm)), 0, 0, 0)
		return
	}
	os.Unsetenv(resumeVar)
	state, err := hex.DecodeString(value)
	n := copy(comm[:], state)
	ahead = make([]step, (len(state)-n)/binary.Size(step{}))
	used, _ := binary.Decode(state[n:], binary.BigEndian, ahead)
	last := len(ahead) - 1
	if err != nil || last < 0 || n+used != len(state) || ahead[last].FD != forked {
		ErrQuit("%s is not what Fork hands to its child: %q", resumeVar, value)
	}
	for i := last - 1; i >= 0 && ahead[i].FD != forked; i-- {
		if _, err := unix.GetsockoptInt(int(ahead[i].FD), unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
			ErrSys(err, "fork error: descriptor %d of the parent", ahead[i].FD)
		}
	}
	resuming.Store(true)
	unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&comm)), 0, 0, 0)
}

// resumeEnv is the environment of a child, with what it must know.
func resumeEnv() []string {
	stepsMu.Lock()
	defer stepsMu.Unlock()
	state, _ := binary.Append(comm[:], binary.BigEndian, append(past, step{FD: forked}))
	return append(os.Environ(), resumeVar+"="+hex.EncodeToString(state))
}

// made notes a descriptor for the children to come.
func made(fd int, peer SockaddrIn) {
	stepsMu.Lock()
	defer stepsMu.Unlock()
	readBufs.Delete(fd)
	past = append(past, step{int32(fd), peer})
}

// closed forgets a descriptor, unless it is from before this process's Fork: a
// child of this child must count it on its way.
func closed(fd int) {
	stepsMu.Lock()
	defer stepsMu.Unlock()
	readBufs.Delete(fd)
	for i := len(past) - 1; i >= 0 && past[i].FD != forked; i-- {
		if past[i].FD == int32(fd) {
			past = append(past[:i], past[i+1:]...)
		}
	}
}

// resume takes the next step, which main must take too: a Fork, or a descriptor.
// The last step is the Fork that made this process.
func resume(fork bool) step {
	next := ahead[0]
	if (next.FD == forked) != fork {
		ErrQuit("fork error: main makes other sockets before Fork than its parent has open")
	}
	past, ahead = append(past, next), ahead[1:]
	resuming.Store(len(ahead) > 0)
	return next
}
