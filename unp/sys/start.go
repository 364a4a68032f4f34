//go:build linux && (amd64 || arm64)

package sys

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// How a process starts: as the first process, which no Fork has made, or as a child on its way
// to its Fork.

var (
	args, environ []string     // with which the program was executed; without the variables of Fork
	changedEarly  bool         // a package that was initialized before this one has changed the environment
	stdout        = -1         // the standard output of a child that retraces main
	crashes       *os.File     // where such a child writes why it crashes
	parentsDir    = -1         // a descriptor of the directory of this child's parent at Fork
	noFork        error        // why Fork is not possible
	auxv          [][2]uintptr // the auxiliary vector
)

// The entries of the auxiliary vector that count here.
const (
	atPhdr   = 3  // the program's headers
	atPhnum  = 5  // how many these are
	atUID    = 11 // the real user, followed by the effective user, the real group and the effective group
	atSecure = 23 // set-user-ID, set-group-ID or capabilities
)

func init() {
	// main stays on the one thread whose id is the process ID, so that strace without -f and
	// ps show for that thread what they show for a C program.
	runtime.LockOSThread()
	messages.Store(2)
	mainOn.Store(-1)
	path.unseen.Store(-1)
	auxv, _ = unix.Auxv()
	findProgram(getauxval(atPhdr), getauxval(atPhnum))
	environ = os.Environ()
	text := handedOver(environ)
	var err error
	if text == "" { // it is the first process, or a package that was initialized before has cleared the environment
		environ, err = executedWith("environ")
		text = handedOver(environ)
	}
	environ = withoutForkVars(environ)
	otherUser := getauxval(atUID) != getauxval(atUID+1) || getauxval(atUID+2) != getauxval(atUID+3)
	secure := getauxval(atSecure) != 0 || otherUser
	switch {
	case secure: // anybody may have written the text
		becomeFirst()
		noFork = errPrivileged
	case text == "":
		becomeFirst()
		noFork = cmp.Or(err, sameProgram())
	default:
		becomeChild(text)
	}
}

// getauxval returns an entry of the auxiliary vector, or 0 if there is none, see getauxval(3).
func getauxval(kind uintptr) uintptr {
	for _, entry := range auxv {
		if entry[0] == kind {
			return entry[1]
		}
	}
	return 0
}

// errPrivileged is the error of Fork in a program whose child could not trust its environment.
var errPrivileged = errors.New("a program that has the privileges of another user cannot execute itself again")

// self is the program that runs, even if its file has been replaced.
const self = "/proc/self/exe"

// noteArguments finds out what args are. A child does so when it forks.
func noteArguments() (err error) {
	if args == nil {
		args, err = executedWith("cmdline")
	}
	return err
}

// executedWith returns the arguments or the environment with which the program was executed, see
// proc(5). The packages that were initialized before this one may have changed both.
func executedWith(file string) ([]string, error) {
	content, err := readFile("/proc/self/" + file)
	if err == unix.EACCES { // the user may execute the program, but not read it
		content, err = inMemory(file)
	}
	if err != nil {
		return nil, err
	}
	list := strings.Split(string(content), "\x00")
	return list[:len(list)-1], nil // each string ends with a NUL
}

// inMemory returns what /proc/self/cmdline or /proc/self/environ would have: /proc/self/stat says
// where that is.
func inMemory(file string) ([]byte, error) {
	const argStart, envStart = 48, 50 // see proc(5); the ends have the next numbers
	start := map[string]int{"cmdline": argStart, "environ": envStart}[file]
	stat := readStat()
	if len(stat) <= start+1 {
		return nil, unix.EACCES
	}
	begin, _ := strconv.ParseUint(stat[start], 10, 64)
	end, _ := strconv.ParseUint(stat[start+1], 10, 64)
	if begin == 0 || begin > end {
		return nil, unix.EACCES
	}
	first := *(**byte)(unsafe.Pointer(&begin)) // vet accepts no (*byte)(begin)
	return bytes.Clone(unsafe.Slice(first, end-begin)), nil
}

func becomeFirst() {
	if traced() { // strace shows even a signal that does nothing
		sigmask(unix.SIG_BLOCK, bit(unix.SIGURG)) // and a child gets this mask
	}
	noteArguments()
	changedEarly = !slices.Equal(os.Environ(), environ)
	name, _ := readFile("/proc/self/comm") // not prctl, which in a trace marks where a child arrives
	inherited.name = strings.TrimSuffix(string(name), "\n")
	inherited.directory, _ = unix.Getwd()
	inherited.directoryID, _ = idOf(".")
	inherited.ignored = ignoredSignals()
	atDefault(inherited.ignored, 0)
	block(currentMask())
}

// traced tells whether strace or a debugger traces this process.
func traced() bool {
	status, _ := readFile("/proc/self/status")
	return !strings.Contains(string(status), "TracerPid:\t0\n")
}

func becomeChild(text string) {
	for n := range 1 + len(text)/maxVar {
		os.Unsetenv(forkVarName(n))
	}
	h, steps, err := receive(text)
	if err != nil {
		Fatal("fork error: %s is %v: %.60q", forkVar, err, text)
	}
	inherited = h
	if h.environment != nil { // somebody has changed it
		environ, noFork = executedWith("environ")
		environ = withoutForkVars(environ)
		changedEarly = !slices.Equal(os.Environ(), environ)
	}
	path.ahead = steps
	path.retracing.Store(true)
	signals.off = true
	if h.arrival != 0 {
		unix.CloseOnExec(h.arrival)
	}
	atDefault(h.ignored, h.signals())
	startDirectory()
	if os.Getenv("UNP_PRINT") == "" {
		silence()
	}
	name, _ := unix.BytePtrFromString(h.name)
	unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(name)), 0, 0, 0)
}

// takeEnvironment gives a child the environment that its parent had at Fork.
func takeEnvironment() {
	parents := environ
	if inherited.environment != nil {
		parents = inherited.environment
	}
	if slices.Equal(os.Environ(), parents) {
		return
	}
	os.Clearenv()
	for _, s := range parents {
		name, value, _ := strings.Cut(s, "=")
		os.Setenv(name, value)
	}
}

// idOf returns the ID of a file.
func idOf(name string) (fileID, error) {
	var stat unix.Stat_t
	err := unix.Stat(name, &stat)
	return fileID{stat.Dev, stat.Ino}, err
}

// inStartDirectory tells whether this process is in the directory in which sys found the first
// process.
func (h *heritage) inStartDirectory() bool {
	id, err := idOf(".")
	if err != nil { // it may not be searched
		name, _ := unix.Getwd()
		return name == h.directory
	}
	return id == h.directoryID
}

// startDirectory takes a child that retraces main to the directory in which sys found the first
// process, unless it could not return from there.
func startDirectory() {
	switch {
	case inherited.cwd > 0:
		unix.CloseOnExec(inherited.cwd)
		parentsDir = inherited.cwd
	case inherited.cwd < 0:
		parentsDir = openDirectory()
		if parentsDir < 0 {
			return
		}
	}
	if !inherited.inStartDirectory() { // a package that was initialized before may have left it
		unix.Chdir(inherited.directory)
	}
}

// keepDirectory keeps a descriptor of the directory of this child's parent, before main leaves it.
func keepDirectory() {
	if parentsDir < 0 && inherited.cwd == 0 && inherited.inStartDirectory() {
		parentsDir = openDirectory()
	}
}

// returnToDirectory takes a child to the directory that its parent had at Fork.
func returnToDirectory() {
	isThere := inherited.cwd == 0 && inherited.inStartDirectory()
	var err error
	switch {
	case parentsDir >= 0:
		err = unix.Fchdir(parentsDir)
		unix.Close(parentsDir)
		parentsDir = -1
	case inherited.cwd == 0 && !isThere:
		err = unix.Chdir(inherited.directory)
		if err == nil && !inherited.inStartDirectory() {
			err = unix.ENOENT // there is another of that name
		}
	}
	if err != nil && !isThere {
		Fatal("fork error: the child cannot return to its parent's directory: %v", err)
	}
}

// openDirectory returns a descriptor of the current directory, or -1.
func openDirectory() int {
	dir, err := unix.Open(".", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	defer unix.Close(dir)
	return aside(dir)
}

// aside duplicates a descriptor to a number that no listing uses. For a number of 64 or more,
// the kernel would have to enlarge the child's table of descriptors, which takes 10 ms in a
// process with threads.
func aside(fd int) int {
	for low := 58; low > 2; low /= 2 { // a lower one, if there is a limit
		high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, low)
		if err == nil {
			return high
		}
	}
	return -1
}

// silence throws away what main prints again on its way: /dev/null takes the places of
// standard output and standard error. Messages of this package and of crashes still appear. If
// no descriptor is left for /dev/null, what main prints appears again.
func silence() {
	out, errout := aside(1), aside(2)
	if out < 0 || errout < 0 { // no descriptor is left
		closeAll([]int{out, errout})
		return
	}
	unix.Close(1)
	unix.Open(os.DevNull, unix.O_WRONLY, 0) // at the lowest number, which is 1
	unix.Dup2(1, 2)
	stdout = out
	messages.Store(int32(errout))
	crashes = os.NewFile(uintptr(errout), "standard error")
	debug.SetCrashOutput(crashes, debug.CrashOptions{})
}

// speak ends the silence.
func speak() {
	if crashes == nil {
		return
	}
	debug.SetCrashOutput(nil, debug.CrashOptions{})
	unix.Dup2(stdout, 1)
	unix.Dup2(int(messages.Load()), 2)
	messages.Store(2)
	unix.Close(stdout)
	crashes.Close()
	crashes = nil
}

// closeAll closes descriptors, and passes over negative numbers.
func closeAll(fds []int) {
	for _, fd := range fds {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// arrive ends the retracing: main has reached its fork. A signal that has arrived early now
// finds its handler. In a trace of the child, prctl, which changes nothing here, marks where the
// calls of the listing begin.
func arrive() {
	speak()
	for fd := range 3 {
		if inherited.closed&(1<<fd) != 0 {
			unix.Close(fd) // the runtime has opened /dev/null in its place
		}
	}
	returnToDirectory()
	takeEnvironment()
	if inherited.blocked != 0 {
		block(inherited.blocked)
	}
	takeActions(inherited.actions)
	path.retracing.Store(false)
	startCatchers(inherited.signals() &^ needed)
	if inherited.arrival != 0 {
		unix.Send(inherited.arrival, []byte{0}, unix.MSG_NOSIGNAL) // the parent may have ended
		unix.Close(inherited.arrival)
	}
	var name [16]byte
	unix.Prctl(unix.PR_GET_NAME, uintptr(unsafe.Pointer(&name)), 0, 0, 0)
	sigmask(unix.SIG_SETMASK, inherited.blocked)
	waitHandlers()
}

// sameProgram returns an error unless /proc/self/exe is this program. If this program is
// dynamically linked and was started as an argument of ld.so, /proc/self/exe is ld.so.
func sameProgram() error {
	maps, err := readFile("/proc/self/maps")
	if err != nil {
		return err
	}
	exe, err := os.Readlink(self)
	if err != nil {
		return err
	}
	exe = strings.ReplaceAll(exe, "\n", `\012`) // as in maps
	for line := range strings.Lines(string(maps)) {
		var from, to uintptr
		fmt.Sscanf(line, "%x-%x", &from, &to)
		if from <= anchor && anchor < to && strings.HasSuffix(line, " "+exe+"\n") {
			return nil
		}
	}
	return fmt.Errorf("%s is another program: start this one by its own name", exe)
}
