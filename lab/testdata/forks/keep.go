package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// Keep: what a server's loop carries from round to round.

var _ = register("every third client", prints{
	Clients: []client{{"", "1\n"}, {"", "2\n"}, {"", "3\nand 3\n"}, {"", "4\n"}, {"", "5\n"}, {"", "6\nand 6\n"}, {"", "7\n"}},
	Status:  terminated,
}, func() { // gets two children
	clients := 0
	sys.Keep(&clients)
	listenfd := listen(unp.SERV_PORT)
	for {
		connfd := accept(listenfd)
		clients++
		if unp.Fork() == 0 {
			say(connfd, clients)
		}
		sys.Wait(nil)
		if clients%3 == 0 {
			if unp.Fork() == 0 {
				say(connfd, "and", clients)
			}
			sys.Wait(nil)
		}
		unp.Close(connfd)
	}
})

var _ = register("kept one by one", prints{ // in a loop at the beginning of each round
	Clients: []client{{"", "[1 0 0]\n"}, {"", "[1 1 0]\n"}, {"", "[1 1 1]\n"}, {"", "[2 1 1]\n"}, {"", "[2 2 1]\n"}},
	Status:  terminated,
}, func() {
	var clients [3]int
	listenfd := listen(unp.SERV_PORT)
	for {
		for i := range clients {
			sys.Keep(&clients[i])
		}
		connfd := accept(listenfd)
		clients[(clients[0]+clients[1]+clients[2])%3]++
		if unp.Fork() == 0 {
			say(connfd, clients)
		}
		unp.Close(connfd)
	}
})

const leftBetweenTwoCalls = "fork error: the child came to keep.go:<write> write(1, 0), where its parent was at keep.go:<fork> fork().\n" +
	"Something on main's way to Fork differs in the child: see sys.Once and sys.Keep.\n"

var _ = register("left between two calls", prints{Stdout: "parent\n", Stderr: leftBetweenTwoCalls}, func() { // a loop, because of a variable that a handler has set; C: the child runs
	var caught int32
	sys.Keep(&caught)
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { atomic.StoreInt32(&caught, 1) })
	parent := sys.Getpid()
	for atomic.LoadInt32(&caught) == 0 {
		sys.Write(1, nil) // <write>
		if parent == unix.Getpid() {
			unix.Kill(parent, unix.SIGUSR1)
			for atomic.LoadInt32(&caught) == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}
	if unp.Fork() == 0 { // <fork>
		fmt.Println("child")
		os.Exit(0)
	}
	sys.Wait(nil)
	fmt.Println("parent")
})

var _ = register("pointer into what is kept", prints{
	Clients: []client{{"", "1 1\n"}, {"", "2 2\n"}, {"", "3 3\n"}, {"", "4 4\n"}},
	Status:  terminated,
}, func() {
	var table [4]struct{ clients int }
	total := &table[0].clients
	listenfd := listen(unp.SERV_PORT)
	for {
		sys.Keep(&table)
		connfd := accept(listenfd)
		*total++
		if unp.Fork() == 0 {
			say(connfd, *total, table[0].clients)
		}
		unp.Close(connfd)
	}
})

var _ = register("clients in pairs", prints{
	Clients: []client{{"a", ""}, {"", "a 1\n"}, {"b", ""}, {"", "other 2\n"}, {"a", ""}, {"", "a 3\n"}, {"a", ""}, {"", "a 4\n"}, {"b", ""}, {"", "other 5\n"}},
	Status:  terminated,
}, func() { // of which the first one's byte decides where main forks
	var connfds [2]int
	var kind [1]byte
	pairs := 0
	listenfd := listen(unp.SERV_PORT)
	for {
		sys.Keep(&pairs)
		for i := range connfds {
			connfds[i] = accept(listenfd)
			if i == 0 {
				sys.Read(connfds[i], kind[:])
				sys.Shutdown(connfds[i], unix.SHUT_WR)
			}
		}
		pairs++
		if kind[0] == 'a' {
			if unp.Fork() == 0 {
				say(connfds[1], "a", pairs)
			}
		} else {
			if unp.Fork() == 0 {
				say(connfds[1], "other", pairs)
			}
		}
		unp.Close(connfds[0])
		unp.Close(connfds[1])
	}
})

var _ = register("games of several kinds", prints{
	Clients: []client{{"a", ""}, {"2", "[a 2] 1\n"}, {"b", ""}, {"c", ""}, {"2", "[b c 2] 2\n"}, {"2", "[2] 3\n"}, {"d", ""}, {"2", "[d 2] 4\n"}},
	Status:  terminated,
}, func() { // whose last player says 2; the first round is whole, too
	games := 0
	listenfd := listen(unp.SERV_PORT)
	for {
		sys.Keep(&games)
		games++
		var players []string
		last := -1
		for !slices.Contains(players, "2") {
			if last >= 0 {
				unp.Close(last)
			}
			last = accept(listenfd)
			name := make([]byte, 1)
			sys.Read(last, name)
			players = append(players, string(name))
		}
		if unp.Fork() == 0 {
			say(last, players, games)
		}
		unp.Close(last)
		sys.Wait(nil)
	}
})

var _ = register("game of accepts in vain", prints{
	Clients: []client{{"", ""}, {"", "2 players, game 1\n"}, {"", ""}, {"", "2 players, game 2\n"}},
	Status:  terminated,
}, func() { // which do not count as clients
	listenfd := listen(unp.SERV_PORT)
	nobodys := listen(unp.SERV_PORT + 1)
	unix.SetNonblock(nobodys, true)
	for games := 1; ; games++ {
		sys.Keep(&games)
		players := 0
		connfd := -1
		for players < 2 {
			for range 100 {
				sys.Accept(nobodys, nil, nil)
			}
			if connfd >= 0 {
				unp.Close(connfd)
			}
			connfd = accept(listenfd)
			players++
		}
		if unp.Fork() == 0 {
			say(connfd, players, "players, game", games)
		}
		unp.Close(connfd)
	}
})

var _ = register("two loops with Keep", prints{ // of which the first one's connections stay open: the path does not grow
	Clients: []client{{"", "1\n"}, {"", "1\n"}, {"", "1\n"}, {"", "1\n"}, {"", "1\n"}},
	Status:  terminated,
}, func() {
	own := listen(unp.SERV_PORT + 1)
	for i := 0; i < 3; i++ {
		sys.Keep(&i)
		connect(unp.SERV_PORT + 1)
		unp.Accept(own, nil, nil)
	}
	listenfd := listen(unp.SERV_PORT)
	for {
		sys.Keep()
		connfd := accept(listenfd)
		if unp.Fork() == 0 {
			environ, _ := os.ReadFile("/proc/self/environ")
			say(connfd, bytes.Count(environ, []byte(" accept("))-3)
		}
		unp.Close(connfd)
	}
})

var _ = register("slices that part", prints{ // at first, the child's share their memory
	Clients: []client{{"", "[1 0] [0 0]\n"}, {"", "[2 0] [1 0]\n"}, {"", "[3 0] [2 0]\n"}, {"", "[4 0] [3 0]\n"}},
	Status:  terminated,
}, func() {
	clients := make([]int, 2)
	before := clients
	listenfd := listen(unp.SERV_PORT)
	for {
		sys.Keep(&clients, &before)
		connfd := accept(listenfd)
		before = clients
		clients = slices.Clone(clients)
		clients[0]++
		if unp.Fork() == 0 {
			say(connfd, clients, before)
		}
		unp.Close(connfd)
	}
})

var _ = register("three sockets in turn", prints{ // of which two have no client
	Clients: []client{{"", "1\n"}, {"", "2\n"}, {"", "3\n"}},
	Status:  terminated,
}, func() {
	var listenfds [3]int
	for i := range listenfds {
		listenfds[i] = listen(uint16(unp.SERV_PORT + 2 - i))
		unix.SetNonblock(listenfds[i], true)
	}
	for clients := 0; ; {
		sys.Keep(&clients)
		for _, listenfd := range listenfds {
			connfd, err := sys.Accept(listenfd, nil, nil)
			if err != nil {
				continue
			}
			clients++
			if unp.Fork() == 0 {
				say(connfd, clients)
			}
			unp.Close(connfd)
		}
		sys.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
})

var _ = register("helper of the first round", prints{
	Clients: []client{{"", "1 true\n"}, {"", "2 true\n"}, {"", "3 true\n"}, {"", "4 false\n"}},
	Stdout:  "the helper is terminated: true\n",
}, func() { // whose process id the later rounds know
	var stat unix.WaitStatus
	helper, clients := 0, 0
	sys.Keep(&helper, &clients)
	listenfd := listen(unp.SERV_PORT)
	for clients < 4 {
		connfd := accept(listenfd)
		if helper == 0 {
			helper = unp.Fork()
			if helper == 0 {
				unp.Close(connfd)
				for {
					sys.Pause()
				}
			}
		}
		clients++
		if clients == 4 {
			sys.Kill(helper, unix.SIGTERM)
			pid, _ := sys.Waitpid(helper, &stat, 0)
			fmt.Println("the helper is terminated:", pid == helper && stat.Signal() == unix.SIGTERM)
		}
		if unp.Fork() == 0 {
			say(connfd, clients, unix.Kill(helper, 0) == nil)
		}
		unp.Close(connfd)
		sys.Wait(nil)
	}
})

var _ = register("child of the round before", prints{
	Clients: []client{{"", "0 0\n"}, {"", "0 1\n"}, {"", "1 2\n"}, {"", "2 3\n"}},
}, func() { // for which the server waits in the next one
	var stat unix.WaitStatus
	before, ended, clients := 0, 0, 0
	sys.Keep(&before, &ended, &clients)
	listenfd := listen(unp.SERV_PORT)
	for clients < 4 {
		connfd := accept(listenfd)
		pid := unp.Fork()
		if pid == 0 {
			unp.Writen(connfd, fmt.Appendln(nil, ended, clients))
			os.Exit(clients + 1)
		}
		if before != 0 {
			sys.Waitpid(before, &stat, 0)
			ended = stat.ExitStatus()
		}
		before = pid
		clients++
		unp.Close(connfd)
	}
})

var _ = register("waits with pause", prints{Stdout: "child 0\nchild 1\nchild 2\n3\n"}, func() {
	ended := 0
	sys.Keep(&ended)
	unp.Signal(unix.SIGCHLD, func(unix.Signal) {
		for pid, _ := sys.Waitpid(-1, nil, unix.WNOHANG); pid > 0; pid, _ = sys.Waitpid(-1, nil, unix.WNOHANG) {
			ended++
		}
	})
	for before := 0; before < 3; before = ended {
		if unp.Fork() == 0 {
			fmt.Println("child", ended)
			os.Exit(0)
		}
		for ended == before {
			sys.Pause()
		}
	}
	fmt.Println(ended)
})

var _ = register("waits with sleep", prints{Stdout: "child 0\nchild 1\nchild 2\n3\n"}, func() {
	ended := 0
	sys.Keep(&ended)
	unp.Signal(unix.SIGCHLD, func(unix.Signal) {
		for pid, _ := sys.Waitpid(-1, nil, unix.WNOHANG); pid > 0; pid, _ = sys.Waitpid(-1, nil, unix.WNOHANG) {
			ended++
		}
	})
	for before := 0; before < 3; before = ended {
		if unp.Fork() == 0 {
			fmt.Println("child", ended)
			os.Exit(0)
		}
		for ended == before {
			sys.Sleep(100)
		}
	}
	fmt.Println(ended)
})

var _ = register("at most two children", prints{
	Clients: []client{{"", "0\n"}, {"", "1\n"}, {"", "1\n"}, {"", "1\n"}, {"", "1\n"}},
	Status:  terminated,
}, func() { // a loop in the round waits for the others
	children := 0
	sys.Keep(&children)
	listenfd := listen(unp.SERV_PORT)
	for {
		connfd := accept(listenfd)
		for children == 2 {
			sys.Wait(nil)
			children--
		}
		if unp.Fork() == 0 {
			say(connfd, children)
		}
		children++
		unp.Close(connfd)
	}
})

var _ = register("busy server refuses", prints{
	Clients: []client{{"", "served 1\n"}, {"", "busy\n"}, {"", "served 2\n"}, {"", "busy\n"}, {"", "served 3\n"}},
	Status:  terminated,
}, func() { // every second client, whose round has no Fork
	clients, served := 0, 0
	sys.Keep(&clients, &served)
	listenfd := listen(unp.SERV_PORT)
	for {
		connfd := accept(listenfd)
		clients++
		if clients%2 == 0 {
			unp.Writen(connfd, []byte("busy\n"))
			unp.Close(connfd)
			continue
		}
		served++
		if unp.Fork() == 0 {
			say(connfd, "served", served)
		}
		unp.Close(connfd)
		sys.Wait(nil)
	}
})

var _ = register("kept too much", prints{Stderr: "fork error: a child can be given a value of at most 262144 bytes, not 200000000, as keep.go:<asks> asks\n", Status: 1}, func() {
	much := make([]byte, 200_000_000)
	sys.Keep(&much) // <asks>
})

var _ = register("kept and shared", prints{Stdout: "child 9 9\nparent 9 9\n"}, func() { keptAndShared(func([]int) {}) })

var _ = register("kept, changed and shared", prints{Stdout: "child 5 9\nparent 9 9\n"}, func() { keptAndShared(func(a []int) { a[0] = 5 }) }) // C: child 9 9

func keptAndShared(change func(a []int)) {
	a := []int{1, 2}
	b := a[:1]
	sys.Keep(&a, &b)
	sys.OnceFunc(func() { change(a) })
	if unp.Fork() == 0 {
		b[0] = 9
		fmt.Println("child", a[0], b[0])
		os.Exit(0)
	}
	sys.Wait(nil)
	b[0] = 9
	fmt.Println("parent", a[0], b[0])
}

var _ = register("kept capacity", prints{Stdout: "3 of 8, 3 of 8\n"}, func() { // a buffer that main has filled in part
	buf := make([]byte, 0, 8)
	alias := buf[:3]
	sys.Keep(&buf, &alias)
	sys.OnceFunc(func() { buf = append(buf, "abc"...) })
	inChild(func() { fmt.Printf("%d of %d, %d of %d\n", len(buf), cap(buf), len(alias), cap(alias)) })
})

type peer struct {
	sys.SockaddrIn
	hits int
}

var _ = register("address in a struct", prints{Stdout: "7 2 9\n"}, func() { // of which a child gets every field
	var kept peer
	sys.Keep(&kept)
	once := sys.Once(func() peer { return peer{sys.SockaddrIn{Family: unix.AF_INET}, 7} })
	sys.OnceFunc(func() { kept.hits = 9 })
	inChild(func() { fmt.Println(once.hits, once.Family, kept.hits) })
})

var _ = register("socket of the first round, kept", prints{
	Clients: []client{{"", "1 true true\n"}, {"", "2 true true\n"}, {"", "3 true true\n"}, {"", "4 true true\n"}},
	Status:  terminated,
}, func() {
	var cliaddr, peer sys.SockaddrIn
	clients, logfd := 0, -1
	sys.Keep(&clients, &logfd)
	listenfd := listen(unp.SERV_PORT)
	for {
		clients++
		if logfd < 0 {
			logfd = unp.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		}
		clilen := sys.Sizeof(cliaddr)
		connfd := unp.Accept(listenfd, &cliaddr, &clilen)
		if unp.Fork() == 0 {
			peerlen := sys.Sizeof(peer)
			sys.Getpeername(connfd, &peer, &peerlen)
			say(connfd, clients, peer == cliaddr, socketType(logfd) == "datagram")
		}
		unp.Close(connfd)
		sys.Wait(nil)
	}
})

var _ = register("kept", prints{Clients: []client{{"", "1\n"}, {"", "2\n"}, {"", "3\n"}}, Status: terminated}, func() {
	clients := 0
	sys.Keep(&clients)
	listenfd := listen(unp.SERV_PORT)
	for {
		connfd := accept(listenfd)
		clients++
		if unp.Fork() == 0 {
			say(connfd, clients)
		}
		unp.Close(connfd)
	}
})

var _ = register("kept and measured", prints{Test: "TestCounter"}, func() { // the lines of the child's path
	clients := 0
	listenfd := listen(unp.SERV_PORT)
	for {
		sys.Keep(&clients)
		sayLines(listenfd, &clients)
	}
})

var _ = register("kept before and measured", prints{Test: "TestCounter"}, func() { // a loop without Keep
	clients := 0
	listenfd := listen(unp.SERV_PORT)
	for i := 0; i < 2; i++ {
		sys.Keep(&clients, &i)
	}
	for {
		sayLines(listenfd, &clients)
	}
})

// sayLines accepts a client and tells it how many there have been, and how many lines the child's
// path has.
func sayLines(listenfd int, clients *int) {
	connfd := accept(listenfd)
	*clients++
	if unp.Fork() == 0 {
		say(connfd, *clients, pathLines())
	}
	unp.Close(connfd)
	sys.Wait(nil)
}

var _ = register("kept by turns", prints{Clients: []client{{"", "10\n"}, {"", "20\n"}, {"", "30\n"}}, Status: terminated}, func() { // at different places
	clients := 0
	sys.Keep(&clients)
	listenfd := listen(unp.SERV_PORT)
	for {
		connfd := accept(listenfd)
		clients++
		if clients%2 == 0 {
			x := 10 * clients
			sys.Keep(&x)
			if unp.Fork() == 0 {
				say(connfd, x)
			}
		} else {
			x := 10 * clients
			sys.Keep(&x)
			if unp.Fork() == 0 {
				say(connfd, x)
			}
		}
		unp.Close(connfd)
	}
})

var _ = register("kept in the head", prints{Clients: []client{{"", "1\n"}, {"", "2\n"}, {"", "3\n"}}, Status: terminated}, func() {
	listenfd := listen(unp.SERV_PORT)
	for hit := 1; ; hit++ {
		sys.Keep(&hit)
		connfd := accept(listenfd)
		if unp.Fork() == 0 {
			say(connfd, hit)
		}
		unp.Close(connfd)
	}
})

var _ = register("kept before accept", prints{Clients: []client{{"", "1\n"}, {"", "2\n"}, {"", "3\n"}}, Status: terminated}, func() {
	clients := 0
	sys.Keep(&clients)
	listenfd := listen(unp.SERV_PORT)
	for {
		clients++
		connfd := accept(listenfd)
		if unp.Fork() == 0 {
			say(connfd, clients)
		}
		unp.Close(connfd)
	}
})

var _ = register("kept in some rounds", prints{Clients: []client{{"", "1 1\n"}, {"", "2 1\n"}, {"", "3 3\n"}}, Status: terminated}, func() {
	clients, odd := 0, 0
	sys.Keep(&clients, &odd)
	listenfd := listen(unp.SERV_PORT)
	for {
		connfd := accept(listenfd)
		if clients++; clients%2 == 1 {
			odd = clients
		}
		if unp.Fork() == 0 {
			say(connfd, clients, odd)
		}
		unp.Close(connfd)
	}
})

var _ = register("pipes of each round", prints{Clients: []client{{"", "1\n"}, {"", "2\n"}, {"", "3\n"}}, Stdout: "bcd cd d \n"}, func() { // made before accept, and kept open
	var pipes [3][2]int
	clients := 0
	sys.Keep(&pipes, &clients)
	listenfd := listen(unp.SERV_PORT)
	for {
		var pipe [2]int
		sys.Pipe(pipe[:])
		connfd := accept(listenfd)
		pipes[clients%3] = pipe
		clients++
		if unp.Fork() == 0 {
			for _, p := range pipes[:clients] {
				sys.Write(p[1], []byte{'a' + byte(clients)})
			}
			say(connfd, clients)
		}
		unp.Close(connfd)
		sys.Wait(nil)
		if clients == 3 {
			for _, p := range pipes {
				buf := make([]byte, 10)
				n, _ := sys.Read(p[0], buf)
				fmt.Printf("%s ", buf[:n])
			}
			fmt.Println()
			os.Exit(0)
		}
	}
})

var _ = register("table of children", prints{Clients: []client{{"", "0\n"}, {"", "1\n"}, {"", "2\n"}}, Status: terminated}, func() {
	var table []int
	sys.Keep(&table)
	listenfd := listen(unp.SERV_PORT)
	for {
		connfd := accept(listenfd)
		pid := unp.Fork()
		if pid == 0 {
			say(connfd, len(table))
		}
		table = append(table, pid)
		unp.Close(connfd)
	}
})

var _ = register("kept of all types", prints{Stdout: "2 two true interrupted system call {0 2 true [0 0 0 0]}\n3 three\n2 two\n"}, func() {
	n, s, b, err, p := 1, "one", []byte("one"), error(nil), point{X: 1}
	sys.Keep(&n, &s, &b, &err, &p)
	if sys.Once(func() bool { return true }) {
		sys.OnceFunc(func() { n, s, b, err, p = 2, "two", nil, unix.EINTR, point{Y: 2, Valid: true} })
	}
	inChild(func() {
		fmt.Printf("%d %s %v %v %v\n", n, s, b == nil, err, p)
		n, s = 3, "three"
		inChild(func() { fmt.Println(n, s) })
	})
	fmt.Println(n, s)
})

var _ = register("torn", prints{Stdout: "0\n"}, func() { // no handler runs in the middle of Fork
	var first, last int
	var forks atomic.Int32
	between := make([]byte, 1<<14)
	sys.Keep(&first, &between, &last)
	unp.Signal(unix.SIGUSR1, func(unix.Signal) { first++; last++ })
	parent := sys.Getpid()
	if parent == unix.Getpid() {
		go func() {
			for n := int32(1); ; n++ { // each signal comes a little later in Fork
				for forks.Load() < n {
					runtime.Gosched()
				}
				for begin := time.Now(); time.Since(begin) < time.Duration(n)*20*time.Microsecond; {
				}
				unix.Kill(parent, unix.SIGUSR1)
			}
		}()
	}
	torn := 0
	for range 100 {
		forks.Add(1)
		if unp.Fork() == 0 {
			if first != last {
				os.Exit(1)
			}
			os.Exit(0)
		}
		var stat unix.WaitStatus
		for pid, _ := sys.Wait(&stat); pid < 0; pid, _ = sys.Wait(&stat) {
		}
		torn += stat.ExitStatus()
	}
	fmt.Println(torn)
})

var _ = register("keep nothing", prints{
	Clients: []client{{"", "logs\n"}, {"", "no such file or directory\n"}, {"", "logs\n"}, {"", "logs\n"}, {"", "no such file or directory\n"}},
	Status:  terminated,
}, func() { // where a call without a line decides which calls follow it
	sys.OnceFunc(func() { os.WriteFile("log", nil, 0o600) })
	listenfd := listen(unp.SERV_PORT)
	for {
		sys.Keep()
		log := -1
		connected := accept(listenfd)
		makeFlag()
		err := sys.Unlink("flag")
		if err == nil {
			log, _ = sys.Open("log", unix.O_WRONLY, 0)
		}
		if unp.Fork() == 0 {
			if err != nil {
				say(connected, err)
			}
			say(connected, "logs")
		}
		if log >= 0 {
			unp.Close(log)
		}
		unp.Close(connected)
	}
})

var flags = []bool{true, false, true, true, false}

// makeFlag makes a file in some of the parent's rounds.
func makeFlag() {
	sys.OnceFunc(func() {
		if flags[0] {
			os.WriteFile("flag", nil, 0o600)
		}
		flags = flags[1:]
	})
}

var _ = register("Keep before the loop", prints{Stdout: "true\n"}, func() { // after a hundred clients, rounds are forgotten
	listenfd := listen(unp.SERV_PORT)
	rounds := 0
	sys.Keep()
	for sys.Once(func() int { rounds++; return rounds }) < 190 {
		serveItself(listenfd)
	}
	inChild(func() { fmt.Println(pathLines() < 100) })
})
