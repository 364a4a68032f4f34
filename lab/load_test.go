package lab

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// dial connects to the server.
func dial() (*net.TCPConn, error) {
	conn, err := net.Dial("tcp", "127.0.0.1:9877")
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(120 * time.Second))
	return conn.(*net.TCPConn), nil
}

// echoed sends some lines and reads them back.
func echoed(conn net.Conn, random *rand.Rand, lines int) error {
	in := bufio.NewReader(conn)
	for range lines {
		line := make([]byte, 1+random.IntN(5000))
		for i := range line {
			line[i] = 'a' + byte(random.IntN(26))
		}
		line[len(line)-1] = '\n'
		if _, err := conn.Write(line); err != nil {
			return err
		}
		back := make([]byte, len(line))
		if _, err := io.ReadFull(in, back); err != nil {
			return err
		}
		if !bytes.Equal(line, back) {
			return fmt.Errorf("sent %q, got %q", line, back)
		}
	}
	return nil
}

// descriptors counts the open descriptors of a process, but for the two that the
// runtime opens for its timers once it has collected garbage.
func descriptors(pid int) (count int) {
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, name := range names {
		if link, _ := os.Readlink(name); link != "anon_inode:[eventpoll]" && link != "anon_inode:[eventfd]" {
			count++
		}
	}
	return count
}

// resident is the resident memory of a process at its highest, in kilobytes.
func resident(t testing.TB, pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(b)
	if m == nil {
		t.Fatal("no VmHWM")
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}

func reported(srv *process) int { return strings.Count(srv.out.String(), " terminated\n") }

// 500 clients at once. Then 60 children are killed, and exactly their clients
// notice; then 200 clients reset their connections, and the others close them.
func TestFiveHundredClients(t *testing.T) {
	takesLong(t, "it starts 500 children")
	if !onOwnHost(t) {
		return
	}
	srv := server(t, "tcpserv04")
	before := descriptors(srv.pid())
	const clients, killed, reset = 500, 60, 200

	conns := make([]*net.TCPConn, clients)
	failed := make([]error, clients)
	each := func(do func(i int) error) (failures int) {
		var wait sync.WaitGroup
		for i := range conns {
			wait.Go(func() { failed[i] = do(i) })
		}
		wait.Wait()
		for _, err := range failed {
			if err != nil {
				failures++
			}
		}
		return failures
	}
	exchange := func(i int) error { return echoed(conns[i], rand.New(rand.NewPCG(5, uint64(i))), 10) }

	if n := each(func(i int) (err error) {
		if conns[i], err = dial(); err != nil {
			return err
		}
		return exchange(i)
	}); n != 0 {
		t.Fatalf("%d of %d clients failed; the children say %.2000q", n, clients, srv.err.String())
	}
	list := children(srv.pid())
	if len(list) != clients {
		t.Fatalf("%d children, want %d", len(list), clients)
	}
	for _, child := range list[:killed] {
		unix.Kill(child.pid, unix.SIGKILL)
	}
	await(t, "the killed are reaped", func() bool { return len(children(srv.pid())) == clients-killed })
	if n := each(exchange); n != killed {
		t.Errorf("%d clients failed, want %d; the children say %.2000q", n, killed, srv.err.String())
	}
	left := reset
	for i, conn := range conns {
		if failed[i] == nil && left > 0 {
			conn.SetLinger(0)
			left--
		}
		conn.Close()
	}
	srv.childless()
	await(t, "all are reported", func() bool { return reported(srv) == clients })
	await(t, "the descriptors are as before", func() bool { return descriptors(srv.pid()) == before })
	if want := strings.Repeat("str_echo: read error: Connection reset by peer\n", reset); srv.err.String() != want {
		t.Errorf("the children say %d lines, want %d: %.200q", strings.Count(srv.err.String(), "\n"), reset, srv.err.String())
	}
}

// 2000 connections one after the other and 1000 with eight at a time, or with -slow 5000 and
// 2000, leave nothing behind, and the parent no larger.
func TestThousandsOfConnections(t *testing.T) {
	takesLong(t, "it makes 3000 connections")
	if !onOwnHost(t) {
		return
	}
	srv := server(t, "tcpserv04")
	before := descriptors(srv.pid())
	done := 0
	connect := func(count, atATime int) {
		var wait sync.WaitGroup
		for k := range atATime {
			wait.Go(func() {
				random := rand.New(rand.NewPCG(9877, uint64(k)))
				for range count / atATime {
					conn, err := dial()
					if err == nil {
						err = echoed(conn, random, 1)
						conn.Close()
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wait.Wait()
		done += count
		srv.childless()
		await(t, "all are reported", func() bool { return reported(srv) == done })
		await(t, "the descriptors are as before", func() bool { return descriptors(srv.pid()) == before })
	}
	conn, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	await(t, "a child", func() bool { return len(children(srv.pid())) == 1 })
	handedOn := func() int { // to the child, in bytes
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", children(srv.pid())[0].pid))
		if !bytes.Contains(b, []byte("UNP_FORK=")) {
			return 0 // it has not been executed yet
		}
		return len(b)
	}
	await(t, "the child's environment", func() bool { return handedOn() > 0 })
	first := handedOn()
	conn.Close()
	srv.childless()
	done++
	connect(1000, 1)
	small := resident(t, srv.pid())
	if *slow {
		connect(4000, 1)
		connect(2000, 8)
	} else {
		connect(1000, 1)
		connect(1000, 8)
	}
	large := resident(t, srv.pid())
	if conn, err = dial(); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	await(t, "the last child's environment is as long as the first's", func() bool {
		return len(children(srv.pid())) == 1 && handedOn() == first
	})
	t.Logf("resident memory of the parent: %d kB after 1000 connections, %d kB after %d", small, large, done)
	if large > small+2048 { // room for the garbage collector; connections that kept 2 kB each would show, or with -slow 1 kB
		t.Errorf("resident memory grew from %d kB to %d kB", small, large)
	}
}

// A server that counts its clients tells the 1000th that it is the 1000th, or with -slow the
// 7000th. The path of its child has as many lines as the third's, or only a few hundred more if
// Keep was called before the loop.
func TestCounter(t *testing.T) {
	takesLong(t, "it makes 1000 connections")
	if !onOwnHost(t) {
		return
	}
	noTimeWait(t)
	clients := 1000
	if *slow {
		clients = 7000
	}
	for _, c := range []struct {
		program string
		apart   int // by how many lines any later child's path may differ from the third's
	}{
		{"kept and measured", 0},
		{"kept before and measured", 350},
	} {
		srv := server(t, "forks", c.program)
		var third, n, length int
		for i := range clients {
			if _, err := fmt.Sscan(said(t, 9877), &n, &length); err != nil || n != i+1 {
				t.Fatalf("%s: client %d is told %d, %v", c.program, i+1, n, err)
			}
			if i == 2 {
				third = length
			}
			if i > 2 && max(length, third)-min(length, third) > c.apart {
				t.Fatalf("%s: the third child's path has %d lines, that of child %d %d", c.program, third, i+1, length)
			}
		}
		srv.signal(unix.SIGKILL)
		srv.end()
		awaitFreePort(t)
	}
}

// For five seconds children end in crowds, and parent, children and one client are stopped
// and continued at random; then every line has come back, and tcpserv04 has reaped every
// child.
func TestStorm(t *testing.T) {
	takesLong(t, "it lasts five seconds")
	if !onOwnHost(t) {
		return
	}
	srv := server(t, "tcpserv04")
	end := time.Now().Add(5 * time.Second)
	connections := make(chan int)
	const clients = 6
	for k := range clients {
		go func() {
			random, n := rand.New(rand.NewPCG(59, uint64(k))), 0
			defer func() { connections <- n }()
			for time.Now().Before(end) {
				var crowd []net.Conn
				for range 1 + random.IntN(5) {
					conn, err := dial()
					if err != nil {
						t.Error(err)
						return
					}
					n++
					crowd = append(crowd, conn)
					if err := echoed(conn, random, random.IntN(4)); err != nil {
						t.Error(err)
						return
					}
				}
				for _, conn := range crowd {
					conn.Close()
				}
			}
		}()
	}
	// One client is a process too, and is stopped like the others.
	cli := start(t, "bash", "-c", "yes 0123456789 | head -n 100000 | "+bin+"/tcpcli01 127.0.0.1 | uniq -c")
	random := rand.New(rand.NewPCG(5, 9))
	for time.Now().Before(end) {
		victims := append(children(srv.pid()), children(cli.pid())...)
		victims = append(victims, procStat{pid: srv.pid()})
		victim := victims[random.IntN(len(victims))].pid
		unix.Kill(victim, unix.SIGSTOP)
		time.Sleep(time.Duration(random.IntN(5_000_000)))
		unix.Kill(victim, unix.SIGCONT)
	}
	total := 1
	for range clients {
		total += <-connections
	}
	cli.ends(0, " 100000 0123456789\n", "")
	srv.childless()
	await(t, "all are reported", func() bool { return reported(srv) == total })
	t.Logf("%d connections", total)
}

// A client that sends and never reads keeps its child in write, one that never sends
// keeps its child in read; the others are served in the meantime.
func TestSilentClients(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := server(t, "tcpserv04")
	mute, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	deaf, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(deaf, neverEnding('x'))
	await(t, "two children", func() bool { return len(children(srv.pid())) == 2 })
	mutes, deafs := children(srv.pid())[0].pid, children(srv.pid())[1].pid
	await(t, "one child sleeps in read, one in write", func() bool {
		quiet(t, srv.pid()) // until the buffers on the deaf client's way are full
		return inCall(mutes, unix.SYS_READ) && inCall(deafs, unix.SYS_WRITE)
	})
	cli := client(t, "tcpcli01", srv)
	cli.stdin.Close()
	cli.ends(0, "hello\n", "")
	mute.Close()
	deaf.SetLinger(0)
	deaf.Close()
	srv.childless()
	await(t, "all are reported", func() bool { return reported(srv) == 3 })
	if want := "writen error: Connection reset by peer\n"; srv.err.String() != want {
		t.Errorf("the children say %q, want %q", srv.err.String(), want)
	}
}

type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}
