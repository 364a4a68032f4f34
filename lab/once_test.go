package lab

import (
	"bytes"
	"fmt"
	"os"

	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What main does before Fork, the child has as after C's fork: through Once, Keep, and
// the small letters.
func TestBeforeFork(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	const executed = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\ny\n"
	for program, stdout := range map[string]string{
		"typed": "-7 0 -7 1\n0xc8 0 0xc8 1\n2.5 0 2.5 1\ntrue 0 true 1\n[3]int16{1, -2, 3} 0 [3]int16{1, -2, 3} 1\n" +
			"main.point{X:1, Y:-2, Valid:true, Name:[4]uint8{0x61, 0x0, 0x0, 0x0}} 0 main.point{X:1, Y:-2, Valid:true, Name:[4]uint8{0x61, 0x0, 0x0, 0x0}} 1\n" +
			`"a string\x00" 0 "a string\x00" 1` + "\n\"\" 0 \"\" 1\n\"a label\" 0 \"a label\" 1\n" +
			"[]byte{0x62, 0x79, 0x74, 0x65, 0x73} 0 []byte{0x62, 0x79, 0x74, 0x65, 0x73} 1\n[]byte{} 0 []byte{} 1\n[]byte(nil) 0 []byte(nil) 1\n" +
			"[]int{1, 2, 3} 0 []int{1, 2, 3} 1\n<nil> 0 <nil> 1\n0x2 0 0x2 1\n0xb 0 0xb 1\nstruct {}{} 0 struct {}{} 1\n",
		"nested":                   "3 datagram 4 stream\n",
		"Once in a handler":        "2\n",
		"kept of all types":        "2 two true interrupted system call {0 2 true [0 0 0 0]}\n3 three\n2 two\n",
		"kept from a handler":      "in the child: 0\nin the child: 1\nin the child: 2\nin the parent: 3\n",
		"many steps":               "199990000\n",
		"chdir":                    "/sub\n/sub\n",
		"chdir once":               "/sub\n",
		"chdir without":            "the child runs\n",
		"setsid":                   "true 7 <nil>\n",
		"alarm":                    "1\n0\n60 0\nalarm\ninterrupted system call\n",
		"respawn":                  "0 1 2 3 4 \n",
		"read one byte":            "x y\n",
		"dup2":                     "line\n",
		"unix socket":              "<nil> <nil>\n",
		"lock":                     "true -1\n",
		"ready":                    "ready\n",
		"pid file":                 "true true false\n",
		"pause":                    "5\n",
		"all blocked":              "it returns\n",
		"torn":                     "0\n",
		"pause after a handler":    "paused\n",
		"pause a second":           "true\n",
		"deep":                     "the child runs\nthe child runs\n",
		"sigprocmask":              "0 true 0 1 1\n",
		"suspended":                "true\n",
		"pause beside a goroutine": "paused\n",
		"a slow handler":           "2 true\n",
		"interrupted":              "interrupted system call\ninterrupted system call\n",
		"the next port":            "3 9878 9877\n3 9878 9877\n",
		"list of children":         "0 0\n",
		"sigsuspend":               "2000\n",
		"blocked by a handler":     "0\ncaught\n",
		"executes":                 strings.Repeat(executed+strings.Replace(executed, "SigBlk:\t0000000000000000", "SigBlk:\t0000000000000200", 1), 2) + "SigBlk:\t0000000000000000\n", // a handler's signal is blocked while it runs
		"close-on-exec later":      "bad file descriptor\n",                                                                                                                            // C: stream
		"setsid again":             "false no child processes\n",                                                                                                                       // C: true <nil>
	} {
		t.Run(program, func(t *testing.T) {
			p := command(t, "forks", program)
			p.cmd.Dir = t.TempDir()
			p.start().ends(0, stdout, "")
		})
	}
	t.Run("polling", func(t *testing.T) {
		takesLong(t, "it polls 4000 times")
		forks(t, "polling", "4000").ends(0, "0\n", "")
	})
	p := command(t, "forks", "log file")
	p.cmd.Dir = t.TempDir()
	p.start().ends(len("in the child\n"), "", "in the child\n")
	forks(t, "paused").ends(0, "", "true\n")
	forks(t, "closed and long").ends(7, "", "")
	forks(t, "kill itself").ends(3, "caught\nprinted\n", "")
	forks(t, "blocked at its default").ends(128+15, "survived\n", "")
	forks(t, "list of children", "slowly").ends(0, "0 0\n", "")
	p = command(t, "forks", "read a line")
	p.cmd.Stdin = strings.NewReader("one\n")
	p.start().ends(0, "\"one\\n\" true\n", "")
	start(t, "bash", "-c", `trap "" HUP TSTP CONT; exec "$0" "ignored and inherited"`, filepath.Join(bin, "forks")).
		ends(0, "SIG_IGN SIG_IGN SIG_DFL SIG_IGN SIG_IGN\nSIG_IGN SIG_IGN\n", "")
}

// What cannot be handed to a child ends the program at the call, in the parent, with a
// sentence that names it.
func TestRefused(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	for what, sentence := range map[string]string{
		"*os.File":            `a child cannot be given a value of type \*os\.File, as once\.go:\d+ asks`,
		"*errors.errorString": `a child cannot be given a value of type \*errors\.errorString, as once\.go:\d+ asks`,
		"time.Time":           `a child cannot be given a value of type time\.Time, as once\.go:\d+ asks`,
		"interface {}":        `a child cannot be given a value of type <nil>, as once\.go:\d+ asks`,
		"map[int]int":         `a child cannot be given a value of type map\[int\]int, as once\.go:\d+ asks`,
		"[]string":            `a child cannot be given a value of type \[\]string, as once\.go:\d+ asks`,
		"struct { S string }": `a child cannot be given a value of type struct \{ S string \}, as once\.go:\d+ asks`,
		"func()":              `a child cannot be given a value of type func\(\), as once\.go:\d+ asks`,
		"kept *int":           `a child cannot be given a value of type \*int, as once\.go:\d+ asks`,
		"kept nil":            `Keep at once\.go:\d+ takes pointers to variables, not <nil>`,
		"kept (*int)(nil)":    `Keep at once\.go:\d+ takes pointers to variables, not \(\*int\)\(nil\)`,
		"kept 7":              `Keep at once\.go:\d+ takes pointers to variables, not 7`,
		"Keep in a handler":   `only main can call Keep, not a signal handler, another goroutine, or Once`,
		"kept later":          `a child cannot be given a value of type \*errors\.errorString, as once\.go:\d+ asks`,
		"Pause in a handler":  `only main can call Pause and Sigsuspend, not a signal handler or another goroutine`,
		"Fork in Once":        `only main can call Fork, not a signal handler, another goroutine, or Once`,
		"Signal in Once":      `main cannot call Sigaction inside Once, because a child would not call it`,
		"Keep in Once":        `only main can call Keep, not a signal handler, another goroutine, or Once`,
		"goroutine":           `a goroutine of the child calls socket before main has reached Fork`,
	} {
		p := forks(t, "refused", what)
		if status := p.end(); status != 1 || p.out.String() != "" || !regexp.MustCompile(`^(fork|signal|pause) error: `+sentence+`\n$`).MatchString(p.err.String()) {
			t.Errorf("%s: status %d, %q, %q", what, status, p.out.String(), p.err.String())
		}
	}
	p := forks(t, "keeps something else", filepath.Join(t.TempDir(), "file"))
	if status := p.end(); status != 0 || !strings.Contains(p.err.String(), " Keep(), where its parent was at ") {
		t.Errorf("keeps something else: status %d, %q", status, p.err.String())
	}
	file := filepath.Join(t.TempDir(), "file")
	forks(t, "ends before", file).ends(0, "", "")
	os.Remove(file)
	p = command(t, "forks", "ends before", file)
	p.cmd.Env = append(os.Environ(), "UNP_PRINT=1")
	p.start().ends(0, "already running\n", "")
}

// A server tells each client what C's tells it.
func TestServersThatCount(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	noTimeWait(t)
	for program, clients := range map[string]string{
		"counted without":        "1\n1\n1\n", // C: 1 2 3
		"kept":                   "1\n2\n3\n",
		"kept in the head":       "1\n2\n3\n",
		"kept before accept":     "1\n2\n3\n",
		"once before accept":     "1\n2\n3\n",
		"once after accept":      "1\n2\n3\n",
		"once in the head":       "1\n2\n3\n",
		"once under a condition": "1 false\n2 true\n3 false\n",
		"once in some rounds":    "1 10\n2 10\n3 30\n",
		"kept in some rounds":    "1 1\n2 1\n3 3\n",
		"kept by turns":          "10\n20\n30\n",
		"table of children":      "0\n1\n2\n",
		"start-up in one Once":   "3 4\n3 4\n3 4\n",
		"poll before accept":     "polled\npolled\npolled\n",
		"pipes of each round":    "1\n2\n3\n",
	} {
		t.Run(program, func(t *testing.T) {
			srv := forks(t, program)
			await(t, "the server listens", func() bool { local, _ := tcpStates(); return slices.Contains(local, "LISTEN") })
			got := ""
			for range 3 {
				got += said(t, 9877)
			}
			if got != clients {
				t.Errorf("%q, want %q", got, clients)
			}
			if program == "pipes of each round" {
				srv.ends(0, "bcd cd d \n", "")
			} else {
				srv.signal(unix.SIGKILL)
				srv.end()
			}
			awaitFreePort(t)
		})
	}
	srv := server(t, "forks", "once in odd rounds")
	if got := said(t, 9877) + said(t, 9877); got != "1\n2\n" {
		t.Errorf("once in odd rounds: %q", got)
	}
	srv.signal(unix.SIGKILL)
	srv.end()
	awaitFreePort(t)
	srv = server(t, "forks", "small letters")
	for range 3 {
		cli := client(t, "tcpcli01", nil)
		cli.stdin.Close()
		cli.ends(0, "hello\n", "")
		srv.childless() // two signals may count as one
	}
}

// Nothing but what should interrupts main: not the runtime's own signal, while the
// collector works; and the path does not grow.
func TestInterruptedOnPurpose(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	for program, rounds := range map[string]int{"collecting": 200, "interrupted accepts": 30} {
		srv := forks(t, program)
		want := ""
		for i := range rounds {
			await(t, "it is in accept", func() bool { return inCall(srv.pid(), unix.SYS_ACCEPT) && srv.out.String() == want })
			srv.signal(unix.SIGUSR1)
			want += fmt.Sprintln(i + map[string]int{"collecting": 1}[program])
			await(t, "it says so", func() bool { return strings.HasPrefix(srv.out.String(), want) })
		}
		if program == "interrupted accepts" {
			srv.ends(0, want+"true\n", "")
		} else {
			srv.signal(unix.SIGKILL)
			srv.end()
		}
		awaitFreePort(t)
	}
}

// The runtime's own signal is in no trace, also where nothing switches it off.
func TestNoSIGURG(t *testing.T) {
	takesLong(t, "it polls 2000 times")
	if !onOwnHost(t) {
		return
	}
	file := filepath.Join(t.TempDir(), "trace")
	p := command(t, "strace", "-o", file, filepath.Join(bin, "forks"), "polling", "2000")
	p.cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "GODEBUG=") })
	p.start()
	p.end()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, b, _ = bytes.Cut(b, []byte("pipe2(")) // main's first call; before it the runtime starts
	if n := strings.Count(string(b), "--- SIGURG"); n > 0 {
		t.Errorf("%d of SIGURG", n)
	}
}
