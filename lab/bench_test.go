package lab

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What is measured and its yardstick take turns, so that both meet the same
// machine; only their ratio is reported.
func ratio(b *testing.B, unit string, measured, yardstick func()) {
	var m, y time.Duration
	for b.Loop() {
		start := time.Now()
		measured()
		between := time.Now()
		yardstick()
		m += between.Sub(start)
		y += time.Since(between)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(m)/float64(y), unit)
}

func connect(b testing.TB, address string) net.Conn {
	b.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	return conn
}

func roundTrip(b testing.TB, conn net.Conn, buf []byte) {
	if _, err := conn.Write(buf); err != nil {
		b.Fatal(err)
	}
	if _, err := io.ReadFull(conn, buf); err != nil {
		b.Fatal(err)
	}
}

// How many times as long a round trip takes through tcpserv04's child as through a
// goroutine of a server on net.
func BenchmarkRoundTrip(b *testing.B) {
	server(b, "tcpserv04")
	netecho := start(b, "netecho", "127.0.0.1:9878")
	await(b, "netecho listens", func() bool { return netecho.err.String() != "" || listens("127.0.0.1:9878") })
	for _, size := range []int{64, 4096} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			buf := make([]byte, size)
			child, goroutine := connect(b, "127.0.0.1:9877"), connect(b, "127.0.0.1:9878")
			defer child.Close()
			defer goroutine.Close()
			trips := func(conn net.Conn) func() {
				return func() {
					for range 100 {
						roundTrip(b, conn, buf)
					}
				}
			}
			ratio(b, "of-net", trips(child), trips(goroutine))
		})
	}
}

// connection connects, makes one round trip, and closes; it returns when the
// server's child has ended.
func connection(t testing.TB) {
	conn := connect(t, "127.0.0.1:9877")
	roundTrip(t, conn, make([]byte, 64))
	conn.(*net.TCPConn).CloseWrite()
	io.ReadAll(conn)
	conn.Close()
}

// execution executes an empty Go program.
func execution(t testing.TB) {
	attr := &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}}
	pid, err := syscall.ForkExec(filepath.Join(bin, "empty"), []string{"empty"}, attr)
	if err != nil {
		t.Fatal(err)
	}
	unix.Wait4(pid, nil, 0, nil)
}

// How many times as long a connection takes as executing an empty Go program.
func BenchmarkConnection(b *testing.B) {
	server(b, "tcpserv04")
	ratio(b, "execs", func() { connection(b) }, func() { execution(b) })
}

// Nothing on a connection's way waits for anything but its processes: the quickest of some
// takes no longer than a few executions.
func TestConnection(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	server(t, "tcpserv04")
	var connections, executions []time.Duration
	for range 51 {
		start := time.Now()
		connection(t)
		between := time.Now()
		execution(t)
		connections, executions = append(connections, between.Sub(start)), append(executions, time.Since(between))
	}
	if c, e := slices.Min(connections), slices.Min(executions); c > 4*e {
		t.Errorf("a connection takes %v, an execution %v", c, e)
	}
}

// How many times as much resident memory the child takes, at its highest, as a Go
// program that only waits.
func BenchmarkResidentMemory(b *testing.B) {
	srv := server(b, "tcpserv04")
	buf := make([]byte, 64)
	var child, waiting int
	for b.Loop() {
		conn := connect(b, "127.0.0.1:9877")
		roundTrip(b, conn, buf)
		child += resident(b, children(srv.pid())[0].pid)
		conn.Close()
		srv.childless()

		p := start(b, "waiting")
		await(b, "the program waits", func() bool { return stat(p.pid()).state == "S" })
		waiting += resident(b, p.pid())
		p.signal(unix.SIGKILL)
		p.end()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(child)/float64(waiting), "of-waiting")
}
