//go:build linux && (amd64 || arm64)

package sys

import (
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"
)

// A place is where main makes a call: a hash of the program counters on main's stack. It is
// the same in every process that executes this program.
type place uint64

// nowhere is the place of a call that a handler or another goroutine makes.
const nowhere place = 0

// anchor is an address in the program. The others are counted from it, because the program may
// be at a different address in each process.
var anchor = reflect.ValueOf(inProgram).Pointer()

// program is where the program is in memory, from the beginning of its first segment to the end
// of its last. The heap, which the kernel may happen to put close by, is elsewhere, and so are
// plugins.
var program struct{ begin, end uintptr }

func inProgram(address uintptr) bool { return program.begin <= address && address < program.end }

// A programHeader is an Elf64_Phdr, see elf(5). Package debug/elf has one too, but a child would
// have to initialize all the packages that it imports.
type programHeader struct {
	kind     uint32
	_        uint32
	_        uint64
	address  uint64
	_        [2]uint64
	inMemory uint64 // bytes
	_        uint64
}

// The kinds of program headers that count here.
const (
	ptLoad = 1 // a segment
	ptPhdr = 6 // the headers themselves, which come first
)

// findProgram finds out from the program's headers where the program is in memory. The kernel
// passes the headers' address and their number, see elf(5).
func findProgram(headers, number uintptr) {
	first := *(**programHeader)(unsafe.Pointer(&headers)) // vet accepts no (*programHeader)(headers)
	moved := uintptr(0)                                   // how far from where the program was linked
	for _, h := range unsafe.Slice(first, number) {
		begin := uintptr(h.address) + moved
		switch h.kind {
		case ptPhdr:
			moved = headers - uintptr(h.address)
		case ptLoad:
			if program.end == 0 {
				program.begin = begin
			}
			program.end = begin + uintptr(h.inMemory)
		}
	}
}

// inMain is where runtime.main calls main, or, at first, the packages' init functions.
var inMain atomic.Uintptr

// stacks has, for each place on the path to which main itself has come, the top of main's stack
// there. lines remembers what the method line has returned.
var (
	stacks = map[place][]uintptr{}
	lines  = map[place]string{}
)

// noteStack notes where main is: line may be asked for when main is elsewhere.
func (at place) noteStack() {
	if stacks[at] == nil {
		var top [64]uintptr // line needs no more
		stacks[at] = slices.Clone(top[:runtime.Callers(2, top[:])])
	}
}

// forgetStacks forgets all places except these.
func forgetStacks(except map[place]bool) {
	maps.DeleteFunc(stacks, func(at place, _ []uintptr) bool { return !except[at] })
	maps.DeleteFunc(lines, func(at place, _ string) bool { return !except[at] })
}

// here is called by a function of this package. It returns the place where main has called that
// function, or nowhere.
func here() place {
	var few [64]uintptr
	pcs := few[:runtime.Callers(3, few[:])]
	if len(pcs) == len(few) {
		pcs = deepStack()
	}
	if !isMain(pcs) {
		return nowhere
	}
	return hash(pcs)
}

func onMain() bool {
	var few [64]uintptr
	pcs := few[:runtime.Callers(1, few[:])]
	if len(pcs) == len(few) {
		pcs = deepStack()
	}
	return isMain(pcs)
}

// deepStack returns the program counters of all the calls that lead to here. It skips the same
// functions as here, and itself.
func deepStack() []uintptr {
	pcs := make([]uintptr, 256)
	for runtime.Callers(4, pcs) == len(pcs) {
		pcs = make([]uintptr, 2*len(pcs))
	}
	return pcs[:slices.Index(pcs, 0)]
}

// isMain tells whether a stack is that of the main goroutine, at whose bottom are
// runtime.main and runtime.goexit.
func isMain(pcs []uintptr) bool {
	if len(pcs) < 2 {
		return false
	}
	bottom := pcs[len(pcs)-2]
	if bottom != inMain.Load() {
		f := runtime.FuncForPC(bottom - 1)
		if f == nil || f.Name() != "runtime.main" {
			return false
		}
		inMain.Store(bottom)
	}
	return true
}

// hash returns the 64-bit FNV-1a hash of a stack.
func hash(pcs []uintptr) place {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	add := func(n uint64) {
		for range 4 { // bytes: a program is smaller than 4 GB
			h = (h ^ n&0xff) * prime
			n >>= 8
		}
	}
	for _, pc := range pcs {
		distance := pc - anchor
		if !inProgram(pc) {
			f := runtime.FuncForPC(pc - 1)
			for _, c := range []byte(f.Name()) {
				add(uint64(c))
			}
			distance = pc - f.Entry()
		}
		add(uint64(distance))
	}
	return place(h)
}

// line returns the file and the line from which the packages unp and sys were called and, if
// that is not in main itself, those of its callers: helper.go:7<main.go:9.
func (at place) line() string {
	if lines[at] == "" {
		stack := stacks[at]
		if stack == nil { // main is there now
			stack = deepStack()
		}
		lines[at] = lineOf(stack)
	}
	return lines[at]
}

// inner is line without the callers.
func (at place) inner() string {
	inner, _, _ := strings.Cut(at.line(), "<")
	return inner
}

func lineOf(stack []uintptr) string {
	const most = 5 // callers
	this := runtime.FuncForPC(anchor).Name()
	sys := this[:strings.LastIndex(this, "/")+len("/sys.")]
	unp := strings.TrimSuffix(sys, "/sys.") + "."
	frames := runtime.CallersFrames(stack)
	var callers []string
	for more := true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		switch {
		case strings.HasPrefix(frame.Function, sys) || strings.HasPrefix(frame.Function, unp):
			callers = nil // what it has called does not count
		case strings.HasPrefix(frame.Function, "runtime.") || len(callers) == most:
		default:
			callers = append(callers, fmt.Sprintf("%s:%d", filepath.Base(frame.File), frame.Line))
		}
	}
	return strings.ReplaceAll(strings.Join(callers, "<"), " ", "_")
}
