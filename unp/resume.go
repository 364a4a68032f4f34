//go:build linux && (amd64 || arm64)

package unp

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// How the child of Fork finds its place.
//
// A fork in C duplicates the process: two of them return from it. Go's runtime
// has several threads, and fork duplicates only the one that calls it, so Fork
// executes the program again (golang.org/issue/227). The child enters main from
// the top and is resuming: Socket and Accept hand back the descriptors that the
// parent made there, which came along through exec at the same numbers; Bind,
// Listen, Connect, Close and Sleep do nothing; Signal does its work, since exec
// drops handlers. Where the parent called Fork the child has caught up, Fork
// returns 0, and what it does from there on is its own.
//
// What the child needs to know is in one environment variable, for example
//
//	UNP_FORK=3 4=127.0.0.1:40312/tcpserv04
//
// the descriptors in the order in which they were made, the peer's address with
// each that Accept made, and the parent's name. A child's own child passes two
// Forks on its way; "fork" stands where the first one was.
const resumeVar = "UNP_FORK"

// A step is what one call on the way to Fork left: a descriptor, with the
// peer's address if Accept made it, or a Fork that returned 0.
type step struct {
	fd   int // or forked
	peer *SockaddrIn
}

const forked = -1

var (
	stepsMu sync.Mutex // signal handlers run on other threads
	past    []step     // the way that this process has come
	ahead   []step     // the way that a child still has to go
	child   bool       // resuming
	name    string     // as ps shows it
)

func init() {
	// All calls of a listing come from the one thread whose id is the process
	// id: strace without -f and ps show what they show for C.
	runtime.LockOSThread()

	// A C program starts with every signal at SIG_DFL; the runtime catches them
	// all. Of those that the chapter meets it makes EPIPE of SIGPIPE, prints its
	// goroutines at SIGQUIT, and is woken for nothing by the others.
	for _, signo := range []unix.Signal{unix.SIGPIPE, unix.SIGQUIT, unix.SIGTERM, unix.SIGCHLD} {
		rtSigaction(signo, &ksigaction{}, &goAction)
	}

	var comm [16]byte
	if value, ok := os.LookupEnv(resumeVar); ok {
		os.Unsetenv(resumeVar)
		var err error
		if ahead, name, err = parseResume(value); err != nil {
			ErrQuit("%s: %v", resumeVar, err)
		}
		checkSockets(ahead)
		child = true
		copy(comm[:15], name)
		unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&comm)), 0, 0, 0)
	} else {
		unix.Prctl(unix.PR_GET_NAME, uintptr(unsafe.Pointer(&comm)), 0, 0, 0)
		name = string(comm[:bytes.IndexByte(comm[:], 0)])
	}
}

// resuming tells whether this is a child that has not reached its Fork yet.
func resuming() bool {
	stepsMu.Lock()
	defer stepsMu.Unlock()
	return child
}

// made notes a descriptor for the children to come.
func made(fd int, peer *SockaddrIn) {
	stepsMu.Lock()
	defer stepsMu.Unlock()
	past = append(past, step{fd, peer})
	readBufs.Delete(fd)
}

// closed forgets a descriptor, but not one that a child of this child must
// count on its way through an earlier Fork.
func closed(fd int) {
	stepsMu.Lock()
	defer stepsMu.Unlock()
	readBufs.Delete(fd)
	for i := len(past) - 1; i >= 0 && past[i].fd != forked; i-- {
		if past[i].fd == fd {
			past = slices.Delete(past, i, i+1)
			return
		}
	}
}

// resumeDescriptor hands back the next descriptor, and its peer.
func resumeDescriptor() (int, SockaddrIn) {
	stepsMu.Lock()
	defer stepsMu.Unlock()
	if len(ahead) == 0 || ahead[0].fd == forked {
		ErrQuit("fork error: the child makes more descriptors before Fork than its parent had open there")
	}
	next := ahead[0]
	past, ahead = append(past, next), ahead[1:]
	if next.peer == nil {
		return next.fd, SockaddrIn{}
	}
	return next.fd, *next.peer
}

// resumeFork passes a Fork; the last one on the way is where the child begins.
func resumeFork() {
	stepsMu.Lock()
	defer stepsMu.Unlock()
	if len(ahead) == 0 {
		child = false
	} else if ahead[0].fd == forked {
		ahead = ahead[1:]
	} else {
		ErrQuit("fork error: the child makes fewer descriptors before Fork than its parent had open there")
	}
	past = append(past, step{fd: forked})
}

// resumeEnv is the way that this process has come, for its next child.
func resumeEnv() string {
	stepsMu.Lock()
	defer stepsMu.Unlock()
	var steps []string
	for _, s := range past {
		switch {
		case s.fd == forked:
			steps = append(steps, "fork")
		case s.peer != nil:
			peer := netip.AddrPortFrom(netip.AddrFrom4(s.peer.Addr), Htons(s.peer.Port))
			steps = append(steps, fmt.Sprintf("%d=%v", s.fd, peer))
		default:
			steps = append(steps, strconv.Itoa(s.fd))
		}
	}
	return resumeVar + "=" + strings.Join(steps, " ") + "/" + name
}

// parseResume reads what resumeEnv wrote.
func parseResume(value string) (way []step, name string, err error) {
	broken := fmt.Errorf("not what Fork hands to its child: %q", value)
	list, name, ok := strings.Cut(value, "/")
	if !ok {
		return nil, "", broken
	}
	for _, field := range strings.Fields(list) {
		if field == "fork" {
			way = append(way, step{fd: forked})
			continue
		}
		number, address, accepted := strings.Cut(field, "=")
		fd, err := strconv.ParseUint(number, 10, 31)
		if err != nil {
			return nil, "", broken
		}
		s := step{fd: int(fd)}
		if accepted {
			peer, err := netip.ParseAddrPort(address)
			if err != nil || !peer.Addr().Is4() {
				return nil, "", broken
			}
			s.peer = &SockaddrIn{Family: unix.AF_INET, Port: Htons(peer.Port()), Addr: peer.Addr().As4()}
		}
		way = append(way, s)
	}
	return way, name, nil
}

// checkSockets exits unless the descriptors made since the last Fork on the way
// have come along.
func checkSockets(way []step) {
	for i := len(way) - 1; i >= 0 && way[i].fd != forked; i-- {
		if _, err := unix.GetsockoptInt(way[i].fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
			ErrSys(err, "fork error: descriptor %d", way[i].fd)
		}
	}
}
