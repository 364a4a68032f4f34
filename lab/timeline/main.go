// Timeline draws what record has recorded: the calls of each process, and the segments
// between them, in one picture.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	times := flag.Bool("t", false, "print milliseconds since the first event")
	flag.Parse()
	t, err := load(flag.Arg(0))
	if err != nil {
		fmt.Fprintf(os.Stderr, "timeline: %v\n", err)
		os.Exit(1)
	}
	t.draw(os.Stdout, *times)
}

func load(dir string) (*timeline, error) {
	var all []*process
	var packets []*packet
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if strings.HasPrefix(filepath.Base(name), "strace") {
			entries, err := readTrace(f)
			if err != nil {
				return nil, fmt.Errorf("%s: %v", name, err)
			}
			all = append(all, processes(entries)...)
		} else if strings.HasPrefix(filepath.Base(name), "tcpdump") {
			p, err := readCapture(f)
			if err != nil {
				return nil, fmt.Errorf("%s: %v", name, err)
			}
			packets = append(packets, p...)
		}
	}
	return newTimeline(all, packets), nil
}
