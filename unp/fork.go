//go:build linux && (amd64 || arm64)

package unp

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/bits"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fork(2) on top of exec.
//
// A fork in C duplicates the process, and both processes return from it. Go's runtime has
// several threads, of which fork would duplicate only the one that calls it
// (golang.org/issue/227), so SysFork executes the program again. The child enters main from
// the top and retraces the path that its parent took, up to its fork.
//
// The path is a list of steps. Each is a call to socket, bind, connect, accept, fork, wait,
// sleep, pause, alarm, sigprocmask, sigsuspend or Once: its place in the program, and what
// came of it.
// The child's main makes the same calls, and each returns what its step holds, for example
// the descriptor, which exec has kept at the same number. The other system calls do
// nothing, because the parent has made them, except that SysRead ends the child. Only
// sigaction does its work, since exec drops handlers. The last step is the fork that made
// this process. It returns 0, and from there on the process is the child of the listing. If
// main reaches a different place than it did in the parent, the child ends with a message
// that names both.
//
// A descriptor that has been closed stays on the path, because main will ask for it
// again on its way. Only a server's finished rounds are forgotten (see remember), so that
// its path does not grow.
//
// One environment variable holds, in hexadecimal, what the child needs to know. The child
// removes it first. If the value is longer than 4096 bytes, it is in a file in memory
// instead, because execve(2) limits the environment, and the variable names the file's
// descriptor.
const forkVar = "UNP_FORK"

// A step is a call on main's path, and what came of it.
type step struct {
	At     place
	N      int // what it returned: a descriptor, a process id, or -1
	Errno  unix.Errno
	Kind   int32
	Open   bool   // N is a descriptor that has not been closed
	Values []byte // what it returned besides: an address, a status, the value of Once
}

// fields returns pointers to all that a child gets of a step.
func (s *step) fields() []any { return []any{&s.At, &s.N, &s.Errno, &s.Kind, &s.Open, &s.Values} }

// The kinds of steps. They decide what happens if a handler returns while main takes one.
const (
	none = iota // main is taking none
	plain
	fork   // no handler runs meanwhile
	socket // returns a descriptor
	accept // returns a descriptor, and is slow
	slow   // may sleep; a handler without SA_RESTART interrupts it
	sleep  // any handler interrupts it
)

// A place is where main calls unp: the line, and all the calls that lead there, folded
// into one number.
type place struct{ Line, Calls int32 }

var (
	retracing atomic.Bool             // this is a child whose main has not reached its fork
	path      []step                  // those that main has taken
	rest      []step                  // while main retraces: those that it has yet to take
	kept      = map[place][]any{}     // pointers to variables, by the call to Keep
	speak     = func() {}             // undoes silence
	files     = []uintptr{0, 1, 2}    // a child's standard descriptors; ^0 is none
	args      = slices.Clone(os.Args) // as main may change os.Args
	current   string                  // the directory in which this process started

	// What a child has from its parent besides the path.
	comm    [16]byte // the name that ps shows, which exec would change to "exe"
	mask    uint64   // the signals that main's thread blocks
	ignored uint64   // the signals that the first process, which no Fork made, found ignored
	first   string   // the directory in which it started
)

func init() {
	// main stays on the one thread whose id is the process id, so that strace
	// without -f and ps show for it what they show for C.
	runtime.LockOSThread()
	current, _ = unix.Getwd()
	value, child := os.LookupEnv(forkVar)
	if !child {
		status := make([]byte, 4096)
		fd, _ := unix.Open("/proc/self/status", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		unix.Read(fd, status)
		unix.Close(fd)
		if !strings.Contains(string(status), "TracerPid:\t0\n") { // strace shows even a signal that does nothing
			sigmask(unix.SIG_BLOCK, bit(unix.SIGURG)) // and a child gets this mask
		}
		first = current
		unix.Prctl(unix.PR_GET_NAME, uintptr(unsafe.Pointer(&comm)), 0, 0, 0)
		asInC()
		block(sigmask(unix.SIG_BLOCK, 0))
		return
	}
	os.Unsetenv(forkVar)
	if !parse(value) {
		ErrQuit("%s is not what Fork hands to its child: %q", forkVar, value)
	}
	retracing.Store(true)
	asInC()
	unix.Chdir(first) // main changes it again on its way; if first is gone, the directory stays
	if os.Getenv("UNP_PRINT") == "" {
		speak = silence()
	}
	unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&comm)), 0, 0, 0)
}

// parse takes what handOver has handed over. It returns false if it is anything else.
func parse(value string) bool {
	var fd int
	state, _ := hex.DecodeString(value)
	if n, _ := fmt.Sscanf(value, "@%d", &fd); n == 1 && fd > 2 {
		f := os.NewFile(uintptr(fd), forkVar)
		state, _ = io.ReadAll(f)
		f.Close()
	}
	state = decode(state, &comm, &mask, &ignored, &first)
	for len(state) > 0 {
		var s step
		state = decode(state, s.fields()...)
		rest = append(rest, s)
	}
	return state != nil && rest != nil
}

// silence throws away what main prints again on its way. It changes the two os.Files, not
// the variables os.Stdout and os.Stderr, so that a bufio.Writer or a log.Logger that main
// makes meanwhile can print later.
func silence() (undo func()) {
	null, _ := unix.Open(os.DevNull, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	// Out of the way, but not beyond 63: the kernel would have to enlarge the child's
	// table, which takes 10 ms in a process with threads.
	high, _ := unix.FcntlInt(uintptr(null), unix.F_DUPFD_CLOEXEC, 63)
	unix.Close(null)
	nowhere := os.NewFile(uintptr(high)&(1<<31-1), os.DevNull) // an invalid one, if the limit is lower
	stdout, stderr := os.Stdout, os.Stderr
	out, err := *nowhere, *nowhere
	swap := func() { *stdout, *stderr, out, err = out, err, *stdout, *stderr }
	swap()
	// swap keeps nowhere from the collector, which would close its descriptor, by then
	// perhaps another file's.
	return swap
}

// SysFork stands for the system call fork. It returns what [Fork] does, or -1 and the error
// if it fails.
func SysFork() (int, error) {
	var s step
	if !onMain() || taking.Load() != none {
		ErrQuit("fork error: only main can call Fork, not a signal handler, another goroutine, or Once")
	}
	pid, err := s.take(fork, func() (int, error) {
		mu.Lock()
		catchers[unix.SIGCHLD].start(unix.SIGCHLD)
		mu.Unlock()
		for signals := caught.Load() &^ blocked.Load(); signals != 0; signals &= signals - 1 {
			c := &catchers[1+bits.TrailingZeros64(signals)]
			c.running.Lock() // no handler runs while main forks
			defer c.running.Unlock()
		}
		// A signal that is sent to the child waits until its main is here.
		mask = sigmask(unix.SIG_SETMASK, ^uint64(0))
		defer sigmask(unix.SIG_SETMASK, mask)
		value, f := handOver(s)
		defer f.Close()
		for fd, file := range files { // main may have opened another in the place of one that it has closed
			if file == ^uintptr(0) {
				if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
					files[fd] = uintptr(fd)
				}
			}
		}
		return syscall.ForkExec("/proc/self/exe", args, // the program that runs, even if its file has been replaced
			&syscall.ProcAttr{Env: append(os.Environ(), forkVar+"="+value), Files: files})
	})
	if retracing.Load() && pid == 0 {
		restore(s.Values)
		if len(rest) == 0 {
			arrive()
		}
	}
	return pid, err
}

// handOver returns the value of the environment variable for a child whose last step
// is this one, and the file that the value may name. If there is no descriptor left for
// it, there is none for exec either, which says so.
func handOver(last step) (value string, f *os.File) {
	mu.Lock()
	defer mu.Unlock()
	for at, vars := range kept {
		values := encode(nil, vars...)
		last.Values = encode(last.Values, &at, &values)
	}
	state := encode(nil, &comm, &mask, &ignored, &first)
	for _, s := range append(path, last) {
		state = encode(state, s.fields()...)
	}
	if value = hex.EncodeToString(state); len(value) > 4096 {
		low, _ := unix.MemfdCreate(forkVar, unix.MFD_CLOEXEC)
		fd, _ := unix.FcntlInt(uintptr(low), unix.F_DUPFD, 3) // not in the place of a standard one
		unix.Close(low)
		value, f = fmt.Sprint("@", fd), os.NewFile(uintptr(fd), forkVar)
		f.WriteAt(state, 0)
	}
	return value, f
}

// arrive ends the retracing: main has reached its fork. A signal that has come early
// now finds its handler. SIGCHLD's catcher starts only at this process's own first fork: it
// takes threads, and before that fork there are no children.
func arrive() {
	speak()
	if current != first {
		unix.Chdir(current)
	}
	block(mask)
	mu.Lock()
	retracing.Store(false)
	for signo := range catchers {
		if c := &catchers[signo]; c.kernel.handler != 0 && signo != int(unix.SIGCHLD) {
			c.install(unix.Signal(signo))
		}
	}
	mu.Unlock()
	sigmask(unix.SIG_SETMASK, mask)
	waitHandlers()
}

// take takes a step. It makes the call, and remembers what that returned and what it
// stored in the variables to which out points. In a child that retraces main it returns
// and stores the same instead.
func (s *step) take(kind int32, do func() (int, error), out ...any) (int, error) {
	s.At = here()
	main := s.At != place{}
	if main { // a handler, on its own thread, does not wait
		waitHandlers()
		defer waitHandlers()
	}
	if retracing.Load() {
		if !main {
			ErrQuit("fork error: a goroutine of the child calls unp before main has reached Fork")
		} else if len(rest) == 0 || s.At != rest[0].At || len(out) > 0 && decode(rest[0].Values, out...) == nil {
			anotherPath(s.At, append(rest, step{})[0].At)
		}
		*s, rest = rest[0], rest[1:]
		path = append(path, *s)
	} else {
		doing := &taking
		if !main { // nobody asks what a handler is doing
			doing = new(atomic.Int32)
		}
		outer := doing.Swap(kind)
		n, err := do()
		doing.Store(outer)
		s.N, s.Kind = n, kind
		s.Errno, _ = err.(unix.Errno)
		if s.Open = err == nil && (kind == socket || kind == accept); s.Open {
			forget(n, uintptr(n)) // main may have used unix.Close
		}
		if main && outer == none { // not inside Once
			s.Values = encode(nil, out...)
			remember(*s)
		}
	}
	if s.Errno != 0 {
		return -1, s.Errno
	}
	return s.N, nil
}

func anotherPath(at, parents place) {
	ErrQuit("fork error: main took a different path in the child: line %d, where the parent was at line %d", at.Line, parents.Line)
}

// remember adds a step to the path. If that is an accept, it then forgets a server's
// finished rounds. A round is the steps from one place until main reaches that place again,
// with an accept among them. It is finished when all its descriptors are closed.
func remember(s step) {
	mu.Lock()
	defer mu.Unlock()
	path = append(path, s)
	for begin := 0; s.Kind == accept && begin < len(path); begin++ {
		round := false
		for i := begin + 1; i < len(path) && !path[i-1].Open; i++ {
			if round = round || path[i-1].Kind == accept; round && path[i].At == path[begin].At {
				path, i, round = slices.Delete(path, begin, i), begin, false
			}
		}
	}
}

// forget notes that a descriptor is closed. If it is a standard one, file is what a
// child gets in its place: a new descriptor of that number, or none.
func forget(fd int, file uintptr) {
	readBufs.Delete(fd)
	mu.Lock()
	defer mu.Unlock()
	if uint(fd) < uint(len(files)) {
		files[fd] = file
	}
	for i := range path {
		path[i].Open = path[i].Open && path[i].N != fd
	}
}

// here returns the place in main that is calling unp, or no place if a handler or
// another goroutine calls.
func here() (at place) {
	pcs := make([]uintptr, 64)
	for runtime.Callers(1, pcs) == len(pcs) {
		pcs = make([]uintptr, 2*len(pcs))
	}
	frames := runtime.CallersFrames(pcs[:slices.Index(pcs, 0)])
	unp := strings.TrimSuffix(runtime.FuncForPC(pcs[0]).Name(), "here")
	for frame, more := frames.Next(); more; frame, more = frames.Next() {
		if frame.Function == "runtime.main" {
			return at
		} else if strings.HasPrefix(frame.Function, unp) {
			at.Line = 0 // the line is that of main's call, not of bufio's
		} else {
			at = place{cmp.Or(at.Line, int32(frame.Line)), at.Calls*31 + int32(frame.PC-pcs[0])}
		}
	}
	return place{}
}

func onMain() bool { return here() != place{} }

// Once calls do and returns its result. A child that retraces main gets the same result
// and does not call do. Before [Fork], put into Once whatever must happen only once or
// gives a result that the child needs: making a pipe, reading a line (with Readline, too),
// locking a file, asking for the time. Calls such as Socket and Accept, whose results the
// child gets anyway, need no Once. In a handler Once just calls do.
//
// The result may be a number, a boolean, a string, an error that is nil or a unix.Errno,
// an array or struct of numbers and booleans, or a slice of numbers, booleans, arrays or
// structs. With anything else Once prints a message and exits. The child does not get what
// do has stored in main's variables. do may call this package, and the child skips those
// calls too, but do must not call Fork, Signal, SignalIntr or Keep. A server's child has
// the results of its own round only; [Keep] is for what earlier rounds have left. A
// descriptor that is closed on exec is not the child's: use unix.Open and unix.Pipe, not
// os.Open and os.Pipe.
func Once[T any](do func() T) (v T) {
	new(step).take(plain, func() (int, error) {
		v = do()
		return 0, nil
	}, &v)
	return v
}

// OnceFunc is [Once] for a function without a result.
func OnceFunc(do func()) { Once(func() struct{} { do(); return struct{}{} }) }

// Keep takes pointers to variables whose values a child is to inherit. When [Fork] returns
// in the child, they hold the values that they had in the parent at that moment, as all
// memory does after a fork in C. Keep never changes the parent's variables. Before Fork
// returns, main in the child uses the values that it computes; if they lead it to a
// different place, the child says so and exits. The types are those of [Once]. Call Keep
// once for each variable: a call in a loop keeps the variables of its last round. Anything
// that is not a pointer, or is nil, ends the program with a message.
func Keep(vars ...any) {
	at := here()
	if at == (place{}) || taking.Load() != none {
		ErrQuit("fork error: only main can call Keep, not a signal handler, another goroutine, or Once")
	}
	for _, v := range vars {
		if p := reflect.ValueOf(v); p.Kind() != reflect.Pointer || p.IsNil() {
			ErrQuit("fork error: Keep at line %d takes pointers to variables, not %#v", at.Line, v)
		}
	}
	encode(nil, vars...) // it refuses a type now, and not at the first Fork
	kept[at] = vars
}

// restore sets the variables that Keep was given to the values that they had in the parent.
func restore(values []byte) {
	for len(values) > 0 {
		var at place
		var of []byte
		values = decode(values, &at, &of)
		vars := kept[at] // none, if that call belongs to another round
		if len(vars) > 0 && decode(of, vars...) == nil {
			anotherPath(here(), at)
		}
	}
}

// encode appends the values of the variables to which the pointers point, each after its
// length in bytes, which is -1 for nil.
func encode(b []byte, pointers ...any) []byte {
	for _, p := range pointers {
		value := memory(reflect.ValueOf(p).Elem())
		length := int32(len(value))
		if value == nil {
			length = -1
		}
		b = append(binary.BigEndian.AppendUint32(b, uint32(length)), value...)
	}
	return b
}

// decode gives variables the values that encode has appended. It returns what is left, or
// nil if there are no such values.
func decode(b []byte, pointers ...any) []byte {
	for _, p := range pointers {
		var length int32
		n, err := binary.Decode(b, binary.BigEndian, &length)
		if err != nil || int(length) > len(b)-n {
			return nil
		}
		v, value := reflect.ValueOf(p).Elem(), b[n:][:max(length, 0)]
		b = b[n+len(value):]
		switch {
		case length < 0:
			v.SetZero()
		case v.Kind() == reflect.String:
			v.SetString(string(value))
		case v.Kind() == reflect.Slice:
			n := len(value) / int(v.Type().Elem().Size())
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			copy(memory(v), value)
		case v.Kind() == reflect.Interface:
			v.Set(reflect.ValueOf(unix.Errno(binary.BigEndian.Uint64(value))))
		case copy(memory(v), value) < int(v.Type().Size()):
			return nil
		}
	}
	return b
}

// memory returns the bytes in which the value of a variable lies, or nil if it is nil.
func memory(v reflect.Value) []byte {
	switch t := v.Type(); {
	case flat(t):
		return unsafe.Slice((*byte)(v.Addr().UnsafePointer()), t.Size())
	case t.Kind() == reflect.String:
		return []byte(v.String())
	case t.Kind() == reflect.Slice && flat(t.Elem()) && t.Elem().Size() > 0:
		return unsafe.Slice((*byte)(v.UnsafePointer()), v.Len()*int(t.Elem().Size()))
	case t == reflect.TypeFor[error]() && v.IsNil():
		return nil
	case t == reflect.TypeFor[error]() && v.Elem().Type() == reflect.TypeFor[unix.Errno]():
		return binary.BigEndian.AppendUint64(nil, v.Elem().Uint())
	}
	ErrQuit("fork error: a child cannot be given a value of type %T, as line %d asks", v.Interface(), here().Line)
	return nil
}

// flat tells whether the values of a type are all in the memory of its variables.
func flat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return flat(t.Elem())
	case reflect.Struct:
		return !slices.ContainsFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return !flat(f.Type) })
	}
	return reflect.Bool <= t.Kind() && t.Kind() <= reflect.Complex128
}
