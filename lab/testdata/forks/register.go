package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// A program is one that a reader may make of a listing.
type program struct {
	Name   string
	Theme  string // the file in which it stands, without .go
	Line   int    // where that file registers it
	Prints prints

	run func()
}

// What a program prints, as lab/fork_test.go has it start. Where C prints something else, a
// comment says what.
type prints struct {
	Stdout, Stderr string // FILE.go:<NAME> is the line of that file that ends with // <NAME>
	Status         int    // as a shell has it

	Args    []string
	Stdin   string   // a file of this content; no file if it is empty
	Under   []string // the command that starts it
	Test    string   // the test that starts it, and does with it what cannot be said here
	Long    string   // what takes it long, so that go test -short leaves it out
	Clients []client // of a server, one after the other
	Network string   // of the clients: tcp if it is empty, tcp6, udp or unix
}

// A client of a server: what it sends, before it closes its end, and what it gets.
type client struct{ Sends, Gets string }

// terminated is the status of a server without end, which SIGTERM ends when it has served
// its clients.
const terminated = 128 + 15

var programs = map[string]*program{}

// register names a program that stands where it is called.
func register(name string, p prints, run func()) bool { return registerAt(2, name, p, run) }

// registerAt names a program that stands so many calls above.
func registerAt(calls int, name string, p prints, run func()) bool {
	_, file, line, _ := runtime.Caller(calls)
	theme := strings.TrimSuffix(filepath.Base(file), ".go")
	if programs[name] != nil {
		panic("two programs are named " + name)
	}
	programs[name] = &program{name, theme, line, p, run}
	return true
}

// list prints the programs and what they must print.
func list() {
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "\t")
	out.Encode(programs)
}
