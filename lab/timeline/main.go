// Timeline draws what record has recorded: the calls of each process and the segments between
// them, in one picture.
//
//	timeline [-t] [-mermaid] DIRECTORY
//
// A call that waits for something, such as read, has two lines if something else happens before
// it returns: one where it begins, with … after it, and one where it returns, with … before it.
// What a signal handler does is indented. With -t, each line begins with the milliseconds since
// the first event; -mermaid prints a sequence diagram instead.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	flags := flag.NewFlagSet("timeline", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	times := flags.Bool("t", false, "begin each line with milliseconds")
	mermaid := flags.Bool("mermaid", false, "print a sequence diagram for mermaid.js")
	if flags.Parse(os.Args[1:]) != nil || flags.NArg() != 1 {
		fail(errors.New("usage: timeline [-t] [-mermaid]"))
	}
	t, err := load(flags.Arg(0))
	if err != nil {
		fail(err)
	}
	notes, err := t.live("/proc")
	if err != nil {
		fail(err)
	}
	if *mermaid {
		t.mermaid(os.Stdout)
	} else {
		t.draw(os.Stdout, *times)
	}
	for _, note := range notes {
		fmt.Fprintf(os.Stderr, "timeline: %s\n", note)
	}
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "timeline: %v\n", err)
	os.Exit(1)
}

// load reads the records in a directory.
func load(dir string) (*timeline, error) {
	var all []*process
	err := each(dir, "strace.*", func(f io.Reader) error {
		entries, err := readTrace(f)
		all = append(all, processes(entries)...)
		return err
	})
	var packets []*packet
	if err == nil {
		err = each(dir, "tcpdump.*", func(f io.Reader) error {
			list, err := readCapture(f)
			packets = append(packets, list...)
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errors.New("nothing has been recorded yet: start a program with record")
	}
	return newTimeline(all, packets), nil
}

// each reads the files whose names match the pattern.
func each(dir, pattern string, read func(io.Reader) error) error {
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		err = read(f)
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %v", name, err)
		}
	}
	return err
}

// live looks at the processes that have no end in the record. It returns a note about each that
// is not in a call, since what is drawn of it is not all. If strace has left one alone, the
// record is cut short.
func (t *timeline) live(proc string) (notes []string, err error) {
	for _, p := range t.processes {
		status, err := os.ReadFile(filepath.Join(proc, fmt.Sprint(p.pid), "status"))
		if p.ended {
			continue
		} else if err != nil || strings.Contains(string(status), "TracerPid:\t0\n") {
			return nil, fmt.Errorf("the record of %s (process %d) is cut short: strace has ended before it", p.name, p.pid)
		} else if !p.waits() {
			notes = append(notes, fmt.Sprintf("%s (process %d) is still running", p.name, p.pid))
		}
	}
	return notes, nil
}

// waits tells whether the last that is known of a process is that it waits in a call.
func (p *process) waits() bool {
	begun := 0
	for _, e := range p.events {
		if e.slow {
			begun++
		} else if e.begin != nil {
			begun--
		}
	}
	return begun > 0
}
