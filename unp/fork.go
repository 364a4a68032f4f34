//go:build linux && (amd64 || arm64)

package unp

import (
	"encoding/binary"
	"encoding/hex"
	"io"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fork(2) on top of exec.
//
// A fork in C duplicates the process, and two return from it. Go's runtime has several
// threads, of which fork would duplicate only the one that calls it
// (golang.org/issue/227), so SysFork executes the program again. The child enters main
// from the top and retraces the path that its parent took, up to its fork.
//
// The path is a list of steps. Each is a call to socket, accept, fork, wait,
// sigprocmask or Once: its place in the program, and what came of it. The child's main
// makes the same calls, and each returns what its step holds, for example the
// descriptor, which exec has kept at the same number. The other system calls do
// nothing, because the parent has made them. Only sigaction does its work, since exec
// drops handlers. The last step is the fork that made this process. It returns 0, and
// from there on the process is the child of the listing. If main reaches a different
// place than it did in the parent, the child ends with a message that names both.
//
// A descriptor that has been closed stays on the path, because main will ask for it
// again on its way. Only the rounds of a server are forgotten, so that its path does
// not grow.
//
// What the child needs to know is in one environment variable, in hexadecimal, which
// the child removes before anything else. If that is longer than execve(2) allows, it
// is in a file in memory, and the variable has the file's descriptor.
const (
	forkVar  = "UNP_FORK"
	printVar = "UNP_PRINT"                  // if it is set, main prints while it retraces
	maxValue = 1<<17 - len(forkVar+"=") - 1 // MAX_ARG_STRLEN holds the name and a NUL too, bytes
)

// A step is a call on main's path.
type step struct {
	outcome
	Values []byte // what it returned besides: an address, a status, the value of Once
}

// An outcome is what came of a step, in a form that encoding/binary knows.
type outcome struct {
	At      place
	N       int32  // what it returned: a descriptor, a process id, or -1
	Errno   uint32 // its error, or 0
	Open    bool   // N is a descriptor that has not been closed
	Accept  bool   // it is a call to accept
	Skipped int32  // the calls since the step before, which a child does not make
	Length  int32  // of Values
}

// A place is where main calls unp: the line, and all the calls that lead there, folded
// into one number.
type place struct{ Line, Calls int32 }

var (
	retracing atomic.Bool  // this is a child whose main has not reached its fork
	path      []step       // those that main has taken
	rest      []step       // while main retraces: those that it has yet to take
	skipped   atomic.Int32 // calls since the last step
	accepted  bool         // the path has an accept
	once      bool         // main is inside Once
	keepers   []keeper
	speak     = func() {}             // undoes silence
	files     = []uintptr{0, 1, 2}    // a child's standard descriptors; ^0 is none
	args      = slices.Clone(os.Args) // as main may change os.Args

	// What a child has from its parent besides the path. Directory is where the first
	// process of the line started.
	inherited struct {
		Comm    [16]byte // the name that ps shows, which exec would change to "exe"
		Mask    uint64   // the signals that main's thread blocks
		Blocked uint64   // those that Sigprocmask has blocked
		Ignored uint64   // those that the first process of the line found ignored
	}
	directory, workingDirectory string
)

func init() {
	// main stays on the one thread whose id is the process id, so that strace
	// without -f and ps show for it what they show for C.
	runtime.LockOSThread()
	if traced() {
		unix.PthreadSigmask(unix.SIG_BLOCK, &unix.Sigset_t{Val: [16]uint64{bit(unix.SIGURG)}}, nil)
	}
	workingDirectory, _ = unix.Getwd()

	value, child := os.LookupEnv(forkVar)
	if !child {
		directory = workingDirectory
		unix.Prctl(unix.PR_GET_NAME, uintptr(unsafe.Pointer(&inherited.Comm)), 0, 0, 0)
		asInC()
		return
	}
	os.Unsetenv(forkVar)
	if rest = parse(value); len(rest) == 0 {
		notForks(value)
	}
	retracing.Store(true)
	asInC()
	chdir(directory) // main may change it again
	if os.Getenv(printVar) == "" {
		speak = silence()
	}
	unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&inherited.Comm)), 0, 0, 0)
}

func notForks(value string) {
	ErrQuit("%s is not what Fork hands to its child: %q", forkVar, value)
}

// parse returns the path that SysFork has handed over, and sets what came with it. It
// returns nil if the value is anything else.
func parse(value string) (steps []step) {
	state, err := hex.DecodeString(value)
	if number, found := strings.CutPrefix(value, "@"); found {
		if fd, _ := strconv.Atoi(number); fd > 2 {
			f := os.NewFile(uintptr(fd), forkVar)
			state, err = io.ReadAll(f)
			f.Close()
		}
	}
	n, failed := binary.Decode(state, binary.BigEndian, &inherited)
	if err != nil || failed != nil {
		return nil
	}
	state, ok := decode(state[n:], &directory)
	for len(state) > 0 && ok {
		var s step
		n, err := binary.Decode(state, binary.BigEndian, &s.outcome)
		if ok = err == nil && s.Length >= 0 && int(s.Length) <= len(state)-n; ok {
			s.Values, state = state[n:][:s.Length], state[n+int(s.Length):]
			steps = append(steps, s)
		}
	}
	if !ok {
		return nil
	}
	return steps
}

// chdir changes the working directory, if Fork was called elsewhere than where the first
// process of the line started. An error leaves it where it is: the directory may be gone.
func chdir(dir string) {
	if directory != workingDirectory {
		unix.Chdir(dir)
	}
}

// silence lets vanish what main prints again on its way. It changes the contents of
// the two files, not the variables, so that a bufio.Writer or a log.Logger that main
// makes meanwhile can print later.
func silence() (undo func()) {
	null, _ := unix.Open(os.DevNull, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	// Out of the way, but not beyond 63: the kernel would have to enlarge the child's
	// table, which takes 10 ms in a process with threads.
	high, _ := unix.FcntlInt(uintptr(null), unix.F_DUPFD_CLOEXEC, 63)
	unix.Close(null)
	nowhere := os.NewFile(uintptr(high)&(1<<31-1), os.DevNull) // an invalid one, if the limit is lower
	stdout, stderr := os.Stdout, os.Stderr
	out, err := *stdout, *stderr
	*stdout, *stderr = *nowhere, *nowhere
	return func() {
		*stdout, *stderr = out, err
		runtime.KeepAlive(nowhere) // the collector would close its descriptor, whatever that is by then
	}
}

// SysFork is the system call fork. It returns -1 and the error if it fails.
func SysFork() (int, error) {
	var s step
	pid, err := s.take(func() (int, error) {
		if s.At == (place{}) || once {
			ErrQuit("fork error: only main can call Fork, not a signal handler, another goroutine, or Once")
		}
		mu.Lock()
		catchers[unix.SIGCHLD].start(unix.SIGCHLD, threadMask())
		mu.Unlock()
		all, mask := unix.Sigset_t{Val: [16]uint64{^uint64(0)}}, threadMask()
		// A signal that is sent to the child waits until its main is here.
		unix.PthreadSigmask(unix.SIG_SETMASK, &all, nil)
		defer unix.PthreadSigmask(unix.SIG_SETMASK, &mask, nil)
		inherited.Mask, inherited.Blocked = mask.Val[0], blocked
		value, done, err := handOver(s)
		if err != nil {
			return -1, err
		}
		defer done()
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
// is this one, and what is to be done when the child has been executed.
func handOver(last step) (value string, done func(), err error) {
	last.Values = values()
	state, _ := binary.Append(nil, binary.BigEndian, inherited)
	state = encode(state, &directory)
	for _, s := range append(path, last) {
		s.Length = int32(len(s.Values))
		state, _ = binary.Append(state, binary.BigEndian, s.outcome)
		state = append(state, s.Values...)
	}
	if value = hex.EncodeToString(state); len(value) <= maxValue {
		return value, func() {}, nil
	}
	fd, err := unix.MemfdCreate(forkVar, 0)
	if err != nil {
		return "", nil, err
	}
	f := os.NewFile(uintptr(fd), forkVar)
	f.Write(state)
	f.Seek(0, io.SeekStart)
	return "@" + strconv.Itoa(fd), func() { f.Close() }, nil
}

// arrive ends the retracing: main has reached its fork. A signal that has come early
// now finds its handler. SIGCHLD's catcher is left to this process's own fork, because
// it takes threads, and there are no children before.
func arrive() {
	speak()
	chdir(workingDirectory)
	mask := unix.Sigset_t{Val: [16]uint64{inherited.Mask}}
	mu.Lock()
	retracing.Store(false)
	for signo := range catchers {
		if c := &catchers[signo]; c.kernel.handler != 0 && signo != int(unix.SIGCHLD) {
			c.start(unix.Signal(signo), mask)
			rtSigaction(unix.Signal(signo), &c.kernel, nil)
		}
	}
	mu.Unlock()
	setBlocked(inherited.Blocked)
	unix.PthreadSigmask(unix.SIG_SETMASK, &mask, nil)
	waitHandlers()
}

// take takes a step. It makes the call, and remembers what that returned and what it
// stored in the variables to which out points. In a child that retraces main it returns
// and stores the same instead.
func (s *step) take(do func() (int, error), out ...any) (int, error) {
	s.At = here()
	main := s.At != (place{}) && !once
	waitHandlers()
	if retracing.Load() {
		*s = retrace(s.At)
		if _, ok := decode(s.Values, out...); len(out) > 0 && !ok {
			anotherPath(s.At, s.At)
		}
	} else {
		if main {
			s.Skipped = skipped.Swap(0)
		}
		n, err := do()
		waitHandlers()
		errno, _ := err.(unix.Errno)
		s.N, s.Errno, s.Open = int32(n), uint32(errno), s.Open && err == nil
		if s.Open {
			forget(n, uintptr(n)) // main may have used unix.Close
		}
		if main {
			s.Values = encode(nil, out...)
			remember(*s)
		}
	}
	if s.Errno != 0 {
		return -1, unix.Errno(s.Errno)
	}
	return int(s.N), nil
}

// retrace returns the next step of the path, which main must take too.
func retrace(at place) step {
	if at == (place{}) {
		ErrQuit("fork error: a goroutine of the child calls unp before main has reached Fork")
	}
	if len(rest) == 0 || at != rest[0].At {
		anotherPath(at, append(rest, step{})[0].At)
	}
	next := rest[0]
	path, rest = append(path, next), rest[1:]
	accepted = accepted || next.Accept
	skipped.Store(0)
	return next
}

// skip counts a call that a child does not make. If main makes many more of them than
// its parent did before the next step, it waits for what will not come, such as a
// variable that a handler has set in the parent.
func skip() {
	if at := here(); at != (place{}) && len(rest) > 0 && skipped.Add(1) > rest[0].Skipped+1000 {
		anotherPath(at, rest[0].At)
	}
}

func anotherPath(at, parents place) {
	ErrQuit("fork error: main took a different path in the child: line %d, where the parent was at line %d", at.Line, parents.Line)
}

// remember adds a step to the path. Then it forgets the rounds of a server: the steps
// from one place until main reaches it again, if there was an accept, once all their
// descriptors are closed.
func remember(s step) {
	mu.Lock()
	defer mu.Unlock()
	path = append(path, s)
	if accepted = accepted || s.Accept; !accepted {
		return
	}
	first, accept := map[place]int{}, -1
	for k := 0; k < len(path); k++ {
		if i, again := first[path[k].At]; again && i <= accept {
			path[k].Skipped = path[i].Skipped
			path = slices.Delete(path, i, k)
			clear(first)
			k, accept = -1, -1
			continue
		} else if !again {
			first[path[k].At] = k
		}
		if path[k].Accept {
			accept = k
		}
		if path[k].Open {
			clear(first)
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
		path[i].Open = path[i].Open && path[i].N != int32(fd)
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
	unp, inUnp := strings.TrimSuffix(runtime.FuncForPC(pcs[0]).Name(), "here"), true
	for frame, more := frames.Next(); more; frame, more = frames.Next() {
		if frame.Function == "runtime.main" {
			return at
		}
		called := strings.HasPrefix(frame.Function, unp)
		if !called && inUnp {
			at.Line = int32(frame.Line)
		}
		if inUnp = called; !called {
			at.Calls = at.Calls*31 + int32(frame.PC-pcs[0])
		}
	}
	return place{}
}

func onMain() bool { return here() != place{} }

// Once calls do and returns its result. A child that retraces main gets the same result,
// and does not call do. Use Once for what main does before [Fork] other than through
// this package and must not do twice, or must know the result of: make a pipe, read a
// line, lock a file, ask for a time.
//
// The result may be a number, a boolean, a string, an error that is nil or a
// unix.Errno, an array or struct of numbers and booleans, or a slice of these. If it is
// anything else, Once prints a message and exits. A server's child knows the results of
// its own round only; [Keep] is for what an earlier round has left. A descriptor that is closed on exec, as
// os.Open and os.Pipe make it, is not the child's; use unix.Open and unix.Pipe. Calls to this package inside do belong to the one step, and neither
// Fork, nor Signal, nor Keep may be among them. In a handler, Once just calls do.
func Once[T any](do func() T) (v T) {
	var s step
	s.take(func() (int, error) {
		if s.At != (place{}) {
			defer func(outer bool) { once = outer }(once)
			once = true
		}
		v = do()
		return 0, nil
	}, &v)
	return v
}

// OnceFunc is [Once] for a function without a result.
func OnceFunc(do func()) { Once(func() struct{} { do(); return struct{}{} }) }

// A keeper is a call to Keep.
type keeper struct {
	at   place
	vars []any
}

// Keep takes pointers to variables. When [Fork] returns in a child, they have the values
// that they had in its parent at that moment, as after a fork in C, where a child has a
// copy of all memory. Without Keep they have what main in the child has computed on its way to Fork. The parent's variables are never changed. The types are those of
// [Once]. If a pointer is nil, or no pointer, Keep prints a message and exits.
func Keep(vars ...any) {
	k := keeper{here(), vars}
	if k.at == (place{}) || once {
		ErrQuit("fork error: only main can call Keep, not a signal handler, another goroutine, or Once")
	}
	for _, v := range vars {
		if p := reflect.ValueOf(v); p.Kind() != reflect.Pointer {
			ErrQuit("fork error: Keep at line %d takes pointers to variables, not %T", k.at.Line, v)
		} else if p.IsNil() {
			ErrQuit("fork error: Keep at line %d takes pointers to variables, not a nil %T", k.at.Line, v)
		}
	}
	encode(nil, vars...) // it refuses a type now, and not at the first Fork
	if i := slices.IndexFunc(keepers, func(other keeper) bool { return other.at == k.at }); i >= 0 {
		keepers[i] = k // a loop has new variables in each round
	} else {
		keepers = append(keepers, k)
	}
}

// kept returns the places of the calls to Keep, and the variables.
func kept() (places []place, vars []any) {
	for _, k := range keepers {
		places, vars = append(places, k.at), append(vars, k.vars...)
	}
	return places, vars
}

// values returns what the variables hold that a child keeps.
func values() []byte {
	places, vars := kept()
	return encode(encode(nil, &places), vars...)
}

// restore gives the variables that the child keeps their values.
func restore(values []byte) {
	var parents []place
	places, vars := kept()
	values, ok := decode(values, &parents)
	if !ok || !slices.Equal(parents, places) {
		at := here()
		anotherPath(at, at)
	}
	decode(values, vars...)
}

// encode appends the values of the variables to which the pointers point, each behind
// its length in bytes, which is -1 for nil.
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

// decode gives variables the values that encode has appended, and returns what is left.
func decode(b []byte, pointers ...any) (left []byte, ok bool) {
	for _, p := range pointers {
		v := reflect.ValueOf(p).Elem()
		if len(b) < 4 {
			return nil, false
		}
		length := int32(binary.BigEndian.Uint32(b))
		if b = b[4:]; int64(length) > int64(len(b)) {
			return nil, false
		}
		value := b[:max(length, 0)]
		switch b = b[len(value):]; {
		case length < 0:
			v.SetZero()
			continue
		case v.Kind() == reflect.String:
			v.SetString(string(value))
			continue
		case v.Kind() == reflect.Interface && length == 8:
			v.Set(reflect.ValueOf(unix.Errno(binary.NativeEndian.Uint64(value))))
			continue
		case v.Kind() == reflect.Slice:
			n := len(value) / int(v.Type().Elem().Size())
			v.Set(reflect.MakeSlice(v.Type(), n, n))
		}
		if copy(memory(v), value) != len(value) {
			return nil, false
		}
	}
	return b, true
}

// memory returns the bytes in which the value of a variable lies, or nil if it is nil.
func memory(v reflect.Value) []byte {
	switch t := v.Type(); {
	case flat(t):
		return unsafe.Slice((*byte)(v.Addr().UnsafePointer()), t.Size())
	case t.Kind() == reflect.String:
		return append([]byte{}, v.String()...)
	case t.Kind() == reflect.Slice && flat(t.Elem()) && t.Elem().Size() > 0:
		return unsafe.Slice((*byte)(v.UnsafePointer()), v.Len()*int(t.Elem().Size()))
	case t == reflect.TypeFor[error]() && v.IsNil():
		return nil
	case t == reflect.TypeFor[error]() && v.Elem().Type() == reflect.TypeFor[unix.Errno]():
		return binary.NativeEndian.AppendUint64(nil, v.Elem().Uint())
	case t.Kind() == reflect.Interface && !v.IsNil():
		v = v.Elem()
	}
	ErrQuit("fork error: a child cannot be given a value of type %s, as line %d asks", v.Type(), here().Line)
	return nil
}

// flat tells whether the values of a type are all in the memory of its variables.
func flat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return flat(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !flat(t.Field(i).Type) {
				return false
			}
		}
		return true
	}
	return reflect.Bool <= t.Kind() && t.Kind() <= reflect.Complex128
}
