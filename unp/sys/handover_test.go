//go:build linux

package sys

import (
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var family1 = heritage{name: "a \"name\"\n", directory: "/with space", directoryID: fileID{0xfe00, 12345}, ignored: 0x4001, blocked: 1 << 63, closed: 5, arrival: 58, cwd: 29, actions: []action{
	{signo: 17, handler: 0x1a6530, flags: SA_RESTART},
	{signo: 10, closures: "1a6530,ffffffffffffffff", mask: 1 << 63},
}}

var path1 = []*step{
	{at: 1<<63 + 22, line: "a.go:22", call: "socket(AF_INET, SOCK_STREAM, 0)", result: 3, open: []int{3}},
	{at: 1, line: "a.go:25", call: "open(\"a) = 7 \\\" (\", 0)", result: -1, errno: unix.ENOENT, kept: []keptValue{{"0x0000000000000001.0", "3"}, {"0x0000000000000001.1", `"a)}"`}}},
	{at: 7, line: "b.go:1", call: "pipe(0)", values: "3 4", open: []int{3, 4}, kept: []keptValue{{"0x0000000000000001.0", "3"}, {"0x0000000000000001.1", `"a)}"`}}},
	{at: 7, line: "b.go:1", call: "write(3, 5)", result: 2, after: 7, kept: []keptValue{{"0x0000000000000001.0", "4"}, {"0x0000000000000001.1", `"a)}"`}}},
	{at: 7, line: "b.go:1", call: "read(3, 5)", result: 5, values: `"\x00) \"\n"`, open: []int{9}, closed: []int{7, 8}, after: 1, kept: []keptValue{{"0x0000000000000001.0", "4"}, {"0x0000000000000001.1", `"a)}"`}, {"0x0000000000000002.0", "nil"}}},
	{at: 9, line: "b.go:2", call: "ioctl()", result: -1, errno: 5000, kept: []keptValue{{"0x0000000000000001.0", "4"}, {"0x0000000000000001.1", `"a)}"`}, {"0x0000000000000002.0", "nil"}}},
	{at: 8, line: "b.go:9", call: "fork()", kept: []keptValue{{"0x0000000000000001.0", "5"}, {"0x0000000000000001.1", `"a)}"`}, {"0x0000000000000002.0", "nil"}}},
}

// receive reads what handOver writes.
func TestHandOver(t *testing.T) {
	for _, environment := range [][]string{nil, {}, {"A=1", "B=\n\""}} {
		h := family1
		h.environment = environment
		environ := handOver(h, path1)
		got, steps, err := receive(handedOver(environ))
		if err != nil || !reflect.DeepEqual(got, h) {
			t.Fatalf("%v, %+v, want %+v", err, got, h)
		}
		for i, want := range path1 {
			if !reflect.DeepEqual(steps[i], want) {
				t.Errorf("%+v, want %+v", steps[i], want)
			}
		}
	}
}

// A long path takes several variables.
func TestHandOverMuch(t *testing.T) {
	long := path1[1:]
	for range 12 {
		long = append(long, long...)
	}
	for _, s := range long {
		s.kept = long[0].kept
	}
	environ := handOver(family1, long)
	vars := 0
	for _, s := range environ {
		if strings.HasPrefix(s, forkVar) {
			vars++
		}
		if len(s) > 128<<10 {
			t.Errorf("a variable of %d bytes", len(s))
		}
	}
	_, steps, err := receive(handedOver(environ))
	if vars < 2 || err != nil || !reflect.DeepEqual(steps, long) {
		t.Errorf("%d variables, %d steps of %d, %v", vars, len(steps), len(long), err)
	}
}

// Whatever receive is given, it returns a path or an error. What it accepts, handOver writes
// again.
func FuzzReceive(f *testing.F) {
	text := handedOver(handOver(family1, path1))
	for _, s := range []string{text, "", "x", text[:len(text)-3], text + "x", strings.Replace(text, "fork()", "fork(", 1),
		strings.Replace(text, "closed", "environment 99999999999\nclosed", 1)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, steps, err := receive(text)
		if err != nil {
			return
		}
		again, sameSteps, err := receive(handedOver(handOver(h, steps)))
		if err != nil || !reflect.DeepEqual(again, h) || !reflect.DeepEqual(steps, sameSteps) {
			t.Errorf("%q: %+v, %+v, %v", text, h, again, err)
		}
	})
}
