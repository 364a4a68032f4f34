package lab

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// withDiagrams adds to the blocks of a page the diagrams that timeline has drawn of their runs:
// each stands behind this comment, after its block.
func withDiagrams(t *testing.T, page string, list []session) []session {
	const comment = "<!-- timeline -mermaid -->"
	lines := readPage(t, page)
	for i, line := range lines {
		if line != comment {
			continue
		}
		end := slices.Index(lines[i:], "```") + i
		of := slices.IndexFunc(list, func(s session) bool { return s.first > i }) - 1
		if of == -2 {
			of = len(list) - 1
		}
		if of < 0 || end < i || lines[i+1] != "```mermaid" {
			t.Fatalf("%s:%d: a diagram stands here, and before it the block of its run", page, i+1)
		}
		list[of].commands = append(list[of].commands, typed{line: i + 2, command: "timeline -mermaid", output: lines[i+2 : end]})
	}
	return list
}

// pictures are blocks that end with a picture of their run.
const pictures = "lab/testdata/pictures.md"

// TestPictures makes them again, from a script and by hand.
func TestPictures(t *testing.T) {
	needsHost(t, "each block runs on a host of its own")
	lookAtSources()
	all := sessions(t, pictures)
	got := make([][][]string, len(all))
	t.Run("blocks", func(t *testing.T) {
		for i, s := range all {
			t.Run(fmt.Sprintf("%s, line %d", s.section, s.first), func(t *testing.T) {
				t.Parallel()
				if got[i] = s.piped(t); *update {
					return
				}
				s.compare(t, got[i])
				for i := range s.commands {
					c := &s.commands[i]
					c.output = lines(plain(strings.Join(c.output, "\n")))
				}
				s.compare(t, s.byHand(t))
			})
		}
	})
	if *update && !t.Failed() {
		rewrite(t, pictures, all, got)
	}
}
