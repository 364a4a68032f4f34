//go:build linux

package unp

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// until polls until the state that a test waits for is there.
func until(t testing.TB, what string, reached func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !reached(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 30 seconds in vain: %s", what)
		}
	}
}

// inCall tells whether a thread of this process sleeps in the system call.
func inCall(tid, call int) bool {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/syscall", tid))
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/stat", tid))
	return strings.HasPrefix(string(b), fmt.Sprint(call, " ")) && bytes.Contains(stat, []byte(") S "))
}

// A channel is a pair of descriptors: what is written to w can be read from r.
var channels = map[string]func(t testing.TB) (r, w int){
	"pipe": func(t testing.TB) (int, int) {
		var p [2]int
		if err := unix.Pipe(p[:]); err != nil {
			t.Fatal(err)
		}
		return p[0], p[1]
	},
	"socket pair": func(t testing.TB) (int, int) {
		p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		return p[0], p[1]
	},
}

// readers are the two functions that read lines.
var readers = map[string]func(fd int, line *[]byte, maxlen int) int{
	"Readline": Readline,
	"Fgets": func() func(int, *[]byte, int) int {
		streams := map[int]*bufio.Reader{}
		return func(fd int, line *[]byte, n int) int {
			if streams[fd] == nil {
				streams[fd] = bufio.NewReaderSize(myRead(fd), MAXLINE)
			}
			if Fgets(line, n, streams[fd]) == nil {
				delete(streams, fd)
				return 0
			}
			return len(*line)
		}
	}(),
}

// pieces is what reading input line by line must give: pieces of at most maxlen-1
// bytes, none of which goes past a newline.
func pieces(input []byte, maxlen int) [][]byte {
	var list [][]byte
	for _, line := range bytes.SplitAfter(input, []byte("\n")) {
		list = append(list, slices.Collect(slices.Chunk(line, maxlen-1))...)
	}
	return list
}

func TestLines(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 18))
	noise := make([]byte, 20_000)
	for i := range noise {
		noise[i] = byte(random.Uint32N(256))
		if random.Uint32N(50) == 0 {
			noise[i] = '\n'
		}
	}
	inputs := []string{"", "\n", "\n\n\n", "a", "a\n", "one\ntwo\n", "one\ntwo", "\x00\n\xff\x00\n", string(noise)}
	for n := MAXLINE - 3; n <= MAXLINE+2; n++ { // EOF and newline at every place around the end of the buffer
		inputs = append(inputs, strings.Repeat("x", n), strings.Repeat("x", n)+"\n", strings.Repeat("x", n)+"\ny")
	}
	deliveries := map[string]func() int{
		"one byte at a time": func() int { return 1 },
		"in bursts":          func() int { return 1 + random.IntN(3*MAXLINE) },
		"all at once":        func() int { return 1 << 20 },
	}
	for reader, readLine := range readers {
		for channel, open := range channels {
			for delivery, size := range deliveries {
				t.Run(reader+", "+channel+", "+delivery, func(t *testing.T) {
					for _, input := range inputs {
						r, w := open(t)
						go func() {
							for rest := []byte(input); len(rest) > 0; {
								n := min(size(), len(rest))
								Writen(w, rest[:n])
								rest = rest[n:]
							}
							Close(w)
						}()
						var line []byte
						for i, want := range pieces([]byte(input), MAXLINE) {
							if n := readLine(r, &line, MAXLINE); n != len(want) || !bytes.Equal(line, want) {
								t.Fatalf("input of %d bytes, piece %d: %d bytes %.40q, want %d bytes %.40q", len(input), i, n, line, len(want), want)
							}
						}
						for range 2 {
							if n := readLine(r, &line, MAXLINE); n != 0 || len(line) != 0 {
								t.Fatalf("input of %d bytes, at its end: %d bytes %.40q", len(input), n, line)
							}
						}
						Close(r)
					}
				})
			}
		}
	}
}

// A read that a signal interrupts before and between the bytes loses nothing.
func TestLinesInterrupted(t *testing.T) {
	var calls sync.WaitGroup
	old := SignalIntr(unix.SIGUSR1, func(unix.Signal) { calls.Done() })
	defer func() { Signal(unix.SIGUSR1, old) }()
	for reader, readLine := range readers {
		for channel, open := range channels {
			t.Run(reader+", "+channel, func(t *testing.T) {
				r, w := open(t)
				tid, got := make(chan int), make(chan string)
				go func() {
					runtime.LockOSThread()
					defer runtime.UnlockOSThread()
					tid <- unix.Gettid()
					var line []byte
					readLine(r, &line, MAXLINE)
					got <- string(line)
				}()
				thread := <-tid
				for _, c := range "line\n" {
					until(t, "the thread is in read", func() bool { return inCall(thread, unix.SYS_READ) })
					calls.Add(1)
					if err := unix.Tgkill(unix.Getpid(), thread, unix.SIGUSR1); err != nil {
						t.Fatal(err)
					}
					calls.Wait()
					Writen(w, []byte(string(c)))
				}
				if line := <-got; line != "line\n" {
					t.Errorf("got %q", line)
				}
				Close(r)
				Close(w)
			})
		}
	}
}

// Writen continues after a write that was short, and after one that a signal has interrupted
// before it wrote anything.
func TestWriten(t *testing.T) {
	var calls sync.WaitGroup
	old := SignalIntr(unix.SIGUSR1, func(unix.Signal) { calls.Done() })
	defer func() { Signal(unix.SIGUSR1, old) }()
	sent := make([]byte, 3_000_000)
	for i := range sent {
		sent[i] = byte(i * i >> 8)
	}
	for channel, open := range channels {
		t.Run(channel, func(t *testing.T) {
			r, w := open(t)
			tid := make(chan int)
			go func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				tid <- unix.Gettid()
				Writen(w, sent)
				Close(w)
			}()
			thread := <-tid
			buf, got := make([]byte, 100_000), []byte{}
			for n := 1; n > 0; {
				if len(got) < len(sent)/2 { // the writer sleeps: interrupt it, twice in the same place
					for range 2 {
						until(t, "the thread is in write", func() bool { return inCall(thread, unix.SYS_WRITE) })
						calls.Add(1)
						unix.Tgkill(unix.Getpid(), thread, unix.SIGUSR1)
						calls.Wait()
					}
				}
				n, _ = unix.Read(r, buf)
				got = append(got, buf[:max(n, 0)]...)
			}
			if !bytes.Equal(got, sent) {
				t.Errorf("%d bytes sent, %d other bytes received", len(sent), len(got))
			}
			Close(r)
		})
	}
}

// Lines of two connections do not mix, and a descriptor that is used again has
// nothing left of the connection before.
func TestReadlineOfTwoConnections(t *testing.T) {
	open := channels["socket pair"]
	r1, w1 := open(t)
	r2, w2 := open(t)
	Writen(w1, []byte("a1\na2\nleft"))
	Writen(w2, []byte("b1\nb2\n"))
	var line []byte
	for _, c := range []struct {
		fd   int
		want string
	}{{r1, "a1\n"}, {r2, "b1\n"}, {r1, "a2\n"}, {r2, "b2\n"}} {
		if Readline(c.fd, &line, MAXLINE); string(line) != c.want {
			t.Errorf("descriptor %d: %q, want %q", c.fd, line, c.want)
		}
	}
	Close(r1)
	r3, w3 := open(t)
	if r3 != r1 {
		t.Fatalf("descriptor %d is not used again, but %d", r1, r3)
	}
	Writen(w3, []byte("c1\n"))
	if Readline(r3, &line, MAXLINE); string(line) != "c1\n" {
		t.Errorf("a new connection at the old descriptor: %q, want c1", line)
	}
	for _, fd := range []int{w1, r2, w2, r3, w3} {
		Close(fd)
	}
}

// A handler may call Signal, Close and Writen.
func TestHandlerCallsUnp(t *testing.T) {
	r, w := channels["pipe"](t)
	var handler Sigfunc
	handler = func(signo unix.Signal) {
		Signal(signo, handler)
		Writen(w, []byte("caught\n"))
		Close(w)
	}
	old := Signal(unix.SIGUSR2, handler)
	defer func() { Signal(unix.SIGUSR2, old) }()
	unix.Kill(unix.Getpid(), unix.SIGUSR2)
	var line []byte
	if Readline(r, &line, MAXLINE); string(line) != "caught\n" {
		t.Errorf("the handler wrote %q", line)
	}
	Close(r)
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("one\ntwo"), []byte{1, 2, 3}, uint16(MAXLINE))
	f.Add([]byte("\x00\n\n\xff"), []byte{}, uint16(2))
	f.Add(bytes.Repeat([]byte("x"), 5000), []byte{255, 0, 255}, uint16(100))
	f.Fuzz(func(t *testing.T, input, sizes []byte, maxlen uint16) {
		if maxlen < 2 {
			return
		}
		for reader, readLine := range readers {
			r, w := channels["socket pair"](t)
			go func() {
				rest := input
				for _, n := range sizes {
					n := min(int(n), len(rest))
					Writen(w, rest[:n])
					rest = rest[n:]
				}
				Writen(w, rest)
				Close(w)
			}()
			var line []byte
			for _, want := range append(pieces(input, int(maxlen)), nil) {
				if n := readLine(r, &line, int(maxlen)); n != len(want) || !bytes.Equal(line, want) {
					t.Fatalf("%s: %d bytes %q, want %q", reader, n, line, want)
				}
			}
			Close(r)
		}
	})
}
