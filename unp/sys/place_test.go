//go:build linux

package sys

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func withoutVariables(unix.Signal) {}

// The program is where the kernel has mapped its file, and the heap is elsewhere, however near.
func TestProgram(t *testing.T) {
	maps, err := readFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Readlink(self)
	if err != nil {
		t.Fatal(err)
	}
	var first, last string
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(line, " "+exe+"\n") {
			if first == "" {
				first = line
			}
			last = line
		}
	}
	begin, _, _ := strings.Cut(first, "-")
	if got := fmt.Sprintf("%08x", program.begin); got != begin {
		t.Errorf("the program begins at %s, and its first mapping is %s", got, first)
	}
	var from, to uintptr
	fmt.Sscanf(last, "%x-%x", &from, &to)
	const uninitialized = 64 << 20 // bytes: more than the variables behind the last page of the file
	if program.end <= from || program.end > to+uninitialized {
		t.Errorf("the program ends at %x, and its last mapping is %s", program.end, last)
	}
	if inProgram(program.begin-1) || !inProgram(program.begin) || !inProgram(program.end-1) || inProgram(program.end) {
		t.Error("what is beside the program is taken for a part of it, or the reverse")
	}
	n := 0
	if _, isClosure := addressOf(func(unix.Signal) { n++ }); !isClosure {
		t.Error("a function that has a variable of its own is none")
	}
	if _, isClosure := addressOf(withoutVariables); isClosure {
		t.Error("a function of the program is not in the program")
	}
}
