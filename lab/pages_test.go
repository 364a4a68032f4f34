package lab

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// pages are those with transcripts and links to hold.
var pages = []string{"README.md", "lab/README.md", "lab/changing.md", "lab/c-and-go.md", "lab/questions.md",
	"lab/exercises.md", "lab/notes.md"}

var update = flag.Bool("update", false, "rewrite the outputs in the pages from a real run")

// A session is a transcript of a page, a block ```console: commands and what they
// print. The blocks ```diff above it change the programs first.
type session struct {
	page, section string
	first         int    // line in the page, from 1
	diff          string // what patch gets before the first command
	commands      []typed
}

// A typed command has a line that begins with "$ ", and further ones with "> ".
type typed struct {
	line    int // in the page, from 1
	command string
	output  []string
}

// readPage returns the lines of a page.
func readPage(t *testing.T, page string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(b), "\n")
}

// sessions finds the transcripts of a page.
func sessions(t *testing.T, page string) []session {
	var list []session
	section, diff, inside, insideDiff := "", "", false, false
	for i, line := range readPage(t, page) {
		switch {
		case line == "```diff":
			insideDiff = true
		case insideDiff && line == "```":
			insideDiff = false
		case insideDiff:
			diff += line + "\n"
		case line == "```console":
			list, inside = append(list, session{page: page, section: section, first: i + 1, diff: diff}), true
			diff = ""
		case inside && line == "```":
			inside = false
		case inside && strings.HasPrefix(line, "$ "):
			s := &list[len(list)-1]
			s.commands = append(s.commands, typed{line: i + 1, command: line[2:]})
		case inside:
			s := &list[len(list)-1]
			if len(s.commands) == 0 {
				t.Fatalf("%s:%d: a transcript begins with a command", page, i+1)
			}
			c := &s.commands[len(s.commands)-1]
			if strings.HasPrefix(line, "> ") && len(c.output) == 0 {
				c.command += "\n" + line[2:]
			} else {
				c.output = append(c.output, line)
			}
		case strings.HasPrefix(line, "## "), strings.HasPrefix(line, "### "):
			section = strings.TrimLeft(line, "# ")
			if diff != "" {
				t.Fatalf("%s:%d: no transcript follows the diff above", page, i+1)
			}
		}
	}
	if inside || insideDiff || diff != "" {
		t.Fatalf("%s: the last block has no end, or no transcript follows the last diff", page)
	}
	return withDiagrams(t, page, list)
}

// TestBlocks runs every block, each on a host of its own, and compares what its
// commands print.
func TestBlocks(t *testing.T) {
	testBlocks(t, session.piped)
}

// TestBlocksByHand types every block into an interactive shell on a terminal.
func TestBlocksByHand(t *testing.T) {
	takesLong(t, "it types every block that TestBlocks runs")
	if *update {
		return // the pages have no terminal
	}
	testBlocks(t, func(s session, t *testing.T) [][]string {
		for i := range s.commands {
			c := &s.commands[i]
			c.output = lines(plain(strings.Join(c.output, "\n")))
		}
		return s.byHand(t)
	})
}

func testBlocks(t *testing.T, run func(session, *testing.T) [][]string) {
	needsHost(t, "each block runs on a host of its own")
	if !*update {
		t.Parallel()
	}
	lookAtSources()
	for _, page := range pages {
		all := sessions(t, page)
		got := make([][][]string, len(all))
		t.Run(page, func(t *testing.T) {
			for i, s := range all {
				t.Run(fmt.Sprintf("%s, line %d", s.section, s.first), func(t *testing.T) {
					t.Parallel()
					s.needsTools(t)
					for word, why := range map[string]string{"go build ": "it builds programs", "record ": "it draws a picture", "hosts ": "it makes three more hosts"} {
						if slices.ContainsFunc(s.commands, func(c typed) bool { return strings.Contains(c.command, word) }) {
							takesLong(t, why)
						}
					}
					got[i] = run(s, t)
					if !*update {
						s.compare(t, got[i])
					}
				})
			}
		})
		if *update && !t.Failed() {
			rewrite(t, page, all, got)
		}
	}
}

// rewrite writes what the commands have printed into the page.
func rewrite(t *testing.T, page string, all []session, got [][][]string) {
	lines := readPage(t, page)
	var out []string
	end := 0
	for i, s := range all {
		if got[i] == nil {
			continue // -run has left it out
		}
		for k, c := range s.commands {
			first := c.line + strings.Count(c.command, "\n")
			out = append(out, lines[end:first]...)
			out = append(out, got[i][k]...)
			end = first + len(c.output)
		}
	}
	out = append(out, lines[end:]...)
	if err := os.WriteFile(filepath.Join(root, page), []byte(strings.Join(out, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// needsTools skips the block where a tool that it types is not installed.
func (s session) needsTools(t *testing.T) {
	t.Helper()
	of := map[string][]string{"capture": {"tcpdump"}, "record": {"strace", "tcpdump"}} // as lab/host has them
	for tool := range packages() {
		of[tool] = []string{tool}
	}
	word := regexp.MustCompile(`\w+`)
	for _, c := range s.commands {
		for _, typed := range word.FindAllString(c.command, -1) {
			needsTools(t, of[typed]...)
		}
	}
	if s.diff != "" {
		needsTools(t, "patch")
	}
}

// shell prepares a shell on a new host.
func (s session) shell(t *testing.T) *process {
	shell := command(t, filepath.Join(root, "lab/host"))
	shell.cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir(), "COLUMNS=200")
	return shell
}

// piped gives the commands of a session to a shell, each once the one before has
// had its effect, and returns the lines that each printed.
func (s session) piped(t *testing.T) [][]string {
	shell := s.shell(t)
	shell.cmd.Stderr = shell.cmd.Stdout
	marks := newOutput(t)
	shell.cmd.ExtraFiles = []*os.File{marks.File} // descriptor 3 of the shell, and moved to 63
	shell.start()
	var got [][]string
	printed := 0
	setup := "exec 63>&3 3>&-; mark() { local status=$?; echo $1 >&63; return $status; }"
	if s.diff != "" {
		setup += "\npatch -p0 << 'END OF DIFF'\n" + s.diff + "END OF DIFF"
	}
	for _, c := range append([]typed{{command: setup}}, s.commands...) {
		// The mark says that the shell has done the command, and keeps its $?.
		shell.typed(fmt.Sprintf("%s\nmark %d\n", c.command, len(got)))
		await(t, "the shell has done: "+c.command, func() bool {
			return strings.HasSuffix(marks.String(), fmt.Sprintf("%d\n", len(got)))
		})
		quiet(t, shell.pid())
		out := shell.out.String()[printed:]
		printed += len(out)
		got = append(got, lines(withoutNice(out)))
	}
	s.isPatched(t, strings.Join(got[0], "\n"))
	return got[1:]
}

// isPatched checks what patch has printed: that each file of the diff is changed, where its
// lines are as the diff shows them, wherever they are.
func (s session) isPatched(t *testing.T, out string) {
	t.Helper()
	files := regexp.MustCompile(`(?m)^\+\+\+ `).FindAllString(s.diff, -1)
	if strings.Count(out, "patching file ") != len(files) || strings.Contains(out, "FAILED") || strings.Contains(out, "fuzz") {
		t.Errorf("%s: the diff above line %d does not fit:\n%s", s.page, s.first, out)
	}
}

// lines splits an output, without the spaces at the end of a line.
func lines(out string) []string {
	list := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	for i := range list {
		list[i] = strings.TrimRight(list[i], " ")
	}
	if len(list) == 1 && list[0] == "" {
		return nil
	}
	return list
}

// What a terminal adds to what a page shows: the shell's lines about its jobs, before
// which it may leave one empty, the terminal's name, and the + of the processes in
// its foreground.
var (
	job        = regexp.MustCompile(`(?m)^(\[\d+\]([-+ ] +\S.*| \d+))?\n`)
	terminal   = regexp.MustCompile(`pts/\d+ *`)
	foreground = regexp.MustCompile(`\b([A-Z][a-z]*)\+`)
)

// plain is an output without what the terminal has added.
func plain(out string) string {
	return foreground.ReplaceAllString(terminal.ReplaceAllString(job.ReplaceAllString(out, ""), "? "), "$1")
}

// byHand types the commands of a session into an interactive shell on a terminal,
// each once the one before has had its effect, and an Enter too many after each.
func (s session) byHand(t *testing.T) [][]string {
	w := openWindow(t, s.shell(t))
	if s.diff != "" { // pasted into patch
		before := w.screen()
		w.answers("echo patch; cat | patch -p0\n", `^patch$`) // then the shell no longer edits what is typed
		w.types(s.diff + controlD)
		await(t, "the prompt after the diff", func() bool { return strings.Count(w.screen(), prompt) > strings.Count(before, prompt) })
		s.isPatched(t, w.screen()[len(before):])
	}
	var got [][]string
	for _, c := range s.commands {
		before := w.screen()
		w.types(c.command + "\n")
		await(t, "the prompt after: "+c.command, func() bool { return strings.Count(w.screen(), prompt) > strings.Count(before, prompt) })
		quiet(t, w.shell.pid())
		w.types("\n")
		await(t, "the prompt after an Enter", func() bool { return strings.Count(w.screen(), prompt) > strings.Count(before, prompt)+1 })
		out := strings.ReplaceAll(w.screen()[len(before):], prompt, "")
		out = strings.TrimPrefix(out, c.command+"\n") // the echo of what has been typed
		got = append(got, lines(plain(out)))
	}
	return got
}

// quiet waits until every process that descends from this one sleeps, no packet is
// under way, and nothing changes any more: what a command has set off has come to
// rest. It counts looks, and not time alone, because a busy machine delays both.
func quiet(t *testing.T, root int) {
	t.Helper()
	const looks = 12
	last, same := "", 0
	await(t, "all is quiet", func() bool {
		time.Sleep(10 * time.Millisecond)
		state := activity(root)
		if state != last || state == "" {
			last, same = state, 0
		}
		same++
		return same > looks
	})
}

// activity is how often each thread has been switched to, and empty while one of
// them runs or a packet waits in the kernel.
func activity(root int) string {
	var b strings.Builder
	for pids := []int{root}; len(pids) > 0; pids = pids[1:] {
		names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pids[0]))
		for _, name := range names {
			status, _ := os.ReadFile(name + "/status")
			for _, line := range strings.Split(string(status), "\n") {
				if strings.HasPrefix(line, "State:\tR") || strings.HasPrefix(line, "State:\tD") {
					return ""
				}
				if strings.Contains(line, "ctxt_switches") && !strings.HasPrefix(string(status), "Name:\ttcpdump\n") { // it wakes ten times a second
					b.WriteString(line)
				}
			}
			below, _ := os.ReadFile(name + "/children")
			for _, pid := range strings.Fields(string(below)) {
				n, _ := strconv.Atoi(pid)
				pids = append(pids, n)
			}
		}
	}
	processors, _ := os.ReadFile("/proc/net/softnet_stat")
	for _, counters := range strings.Split(strings.TrimSpace(string(processors)), "\n") {
		const backlog = 11
		if f := strings.Fields(counters); len(f) > backlog && f[backlog] != "00000000" {
			return ""
		}
	}
	return b.String()
}

// varies is what is compared by its shape: addresses in memory, times, names of
// terminals, and numbers of five and more digits (ids, ephemeral ports).
var (
	varies   = regexp.MustCompile(`0x[0-9a-f]+|\d\d:\d\d:\d\d\.\d+|\bpts/\d+|\b[1-9]\d{4,}`)
	isNumber = regexp.MustCompile(`^\d+$`)
)

// A match maps each number of the page to the number of the run that stands in for
// it, and back, throughout a block.
type match struct{ there, back map[string]string }

// line compares two lines by their fields.
func (m match) line(want, got string) bool {
	w, g := strings.Fields(want), strings.Fields(got)
	return slices.EqualFunc(w, g, func(w, g string) bool {
		return varies.ReplaceAllString(w, "#") == varies.ReplaceAllString(g, "#") &&
			slices.EqualFunc(varies.FindAllString(w, -1), varies.FindAllString(g, -1), m.varying)
	})
}

func (m match) varying(want, got string) bool {
	if !isNumber.MatchString(want) || !isNumber.MatchString(got) {
		return isNumber.MatchString(want) == isNumber.MatchString(got)
	}
	if m.there[want] == "" && m.back[got] == "" {
		m.there[want], m.back[got] = got, want
	}
	return m.there[want] == got && m.back[got] == want
}

// compare reports the first command that prints something else.
func (s session) compare(t *testing.T, got [][]string) {
	m := match{map[string]string{}, map[string]string{}}
	for i, c := range s.commands {
		if !slices.EqualFunc(c.output, got[i], m.line) {
			t.Errorf("section %q, %s:%d\n$ %s\nexpected:\n%s\ncame:\n%s",
				s.section, s.page, c.line, c.command, strings.Join(c.output, "\n"), strings.Join(got[i], "\n"))
			return
		}
	}
}

// TestPages checks what the transcripts do not. Every link within the pages leads somewhere; a
// link that names a line of its file in its title, as in
// [Bind](../unp/wrapsock.go "func Bind("), leads to a file with that text; a block ```go is a
// quotation from the Go file to which the last link above it leads. No line of a block is wider
// than 120 columns, except in diagrams. The experiments' headings carry the numbers of their
// sections; the laboratory's table of contents and the map in README.md have them all.
func TestPages(t *testing.T) {
	lookAtSources()
	link := regexp.MustCompile(`\]\(([^ )]*)(?: "([^"]*)")?\)`)
	linked := map[string]bool{} // "page link"
	for _, page := range pages {
		inside, drawn := false, false
		var source, quoted string // the last Go file that is linked, and what is quoted from it
		for i, line := range readPage(t, page) {
			if strings.HasPrefix(line, "```") {
				inside, drawn = !inside, line == "```mermaid"
				if quoted != "" && !strings.Contains(strings.Join(readPage(t, source), "\n"), quoted) {
					t.Errorf("%s:%d: the block above is not in %s", page, i+1, source)
				}
				quoted = ""
				if line == "```go" {
					quoted = "\n"
				}
			} else if quoted != "" {
				quoted += line + "\n"
			}
			if inside && !drawn && len([]rune(line)) > 120 {
				t.Errorf("%s:%d is wider than 120 columns", page, i+1)
			}
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				linked[page+" "+m[1]] = true
				target, anchor, _ := strings.Cut(m[1], "#")
				file := filepath.Join(filepath.Dir(page), target)
				if target == "" {
					file = page
				}
				if strings.HasSuffix(file, ".go") {
					source = file
				}
				if strings.HasPrefix(target, "https://") {
					continue // outside
				} else if _, err := os.Stat(filepath.Join(root, file)); err != nil {
					t.Errorf("%s:%d: %v", page, i+1, err)
				} else if named := m[2]; named != "" && !strings.Contains(strings.Join(readPage(t, file), "\n"), named) {
					t.Errorf("%s:%d: %s has no line with %q", page, i+1, file, named)
				} else if anchor != "" && !slices.Contains(anchors(t, file), anchor) {
					t.Errorf("%s:%d: no heading %s in %s", page, i+1, anchor, file)
				}
			}
		}
	}
	for i, line := range readPage(t, "lab/README.md") {
		if title, isHeading := strings.CutPrefix(line, "## "); isHeading && !linked["lab/README.md #"+anchorOf(title)] {
			t.Errorf("lab/README.md:%d: the table of contents lacks %q", i+1, title)
		}
	}
	last := 0 // section 5.last
	number := regexp.MustCompile(`5\.(\d+)`)
	for i, line := range readPage(t, "lab/README.md") {
		title, isHeading := strings.CutPrefix(line, "## ")
		if !isHeading || last == 0 && !strings.HasPrefix(title, "5.") || last == 18 {
			continue // before the first experiment, or after the last
		}
		before := last
		for _, m := range number.FindAllStringSubmatch(title, -1) {
			if n, _ := strconv.Atoi(m[1]); n == last+1 {
				last = n
			}
		}
		if last == before {
			t.Errorf("lab/README.md:%d: the heading after section 5.%d is %q", i+1, last, title)
		}
	}
	if last != 18 {
		t.Errorf("lab/README.md: the last section is 5.%d", last)
	}
	listed := map[string]bool{} // by the map's first column, in rows that lead to the laboratory
	for _, line := range readPage(t, "README.md") {
		if cells := strings.Split(line, "|"); len(cells) > 1 && strings.Contains(line, "](lab/README.md#") {
			for _, m := range number.FindAllString(cells[1], -1) {
				listed[m] = true
			}
		}
	}
	for n := 1; n <= last; n++ {
		if !listed[fmt.Sprintf("5.%d", n)] {
			t.Errorf("README.md: the map has no row for section 5.%d", n)
		}
	}
}

var notInAnchor = regexp.MustCompile(`[^\pL\pN_ -]`)

// anchorOf is what GitHub calls a heading in a link.
func anchorOf(title string) string {
	return strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
}

// anchors lists the places in a page to which a link can lead: its headings.
func anchors(t *testing.T, page string) (list []string) {
	for _, line := range readPage(t, page) {
		if strings.HasPrefix(line, "#") {
			list = append(list, anchorOf(strings.TrimLeft(line, "# ")))
		}
	}
	return list
}

// TestNames checks that every name of unp and unp/sys that a page mentions exists.
func TestNames(t *testing.T) {
	lookAtSources()
	name := regexp.MustCompile(`\b(unp|sys)\.([A-Z]\w*)`)
	exported := map[string]bool{}
	for pkg, dir := range map[string]string{"unp": "unp", "sys": "unp/sys"} {
		for _, ident := range declared(t, filepath.Join(root, dir)) {
			exported[pkg+"."+ident] = true
		}
	}
	for _, page := range pages {
		for i, line := range readPage(t, page) {
			for _, m := range name.FindAllString(line, -1) {
				if !exported[m] {
					t.Errorf("%s:%d: there is no %s", page, i+1, m)
				}
			}
		}
	}
}

// declared lists what the Go files of a directory declare outside functions.
func declared(t *testing.T, dir string) (list []string) {
	names, _ := filepath.Glob(filepath.Join(dir, "*.go"))
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				list = append(list, d.Name.Name)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						list = append(list, spec.Name.Name)
					case *ast.ValueSpec:
						for _, ident := range spec.Names {
							list = append(list, ident.Name)
						}
					}
				}
			}
		}
	}
	return list
}

// TestMessages checks that the messages in changing.md are those that the programs, unp and
// sys can print, and all of them.
func TestMessages(t *testing.T) {
	lookAtSources()
	const page = "lab/changing.md"
	var listed []string // the code in the first cells below the heading
	below := false
	for _, line := range readPage(t, page) {
		if strings.HasPrefix(line, "## ") {
			below = line == "## Messages"
		} else if cells := strings.Split(line, " | "); below && len(cells) == 2 {
			for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[0], -1) {
				listed = append(listed, m[1])
			}
		}
	}
	printed := messages(t)
	if len(printed) < 30 {
		t.Fatalf("the source has only these messages: %q", printed)
	}
	for _, re := range printed {
		if !slices.ContainsFunc(listed, re.MatchString) {
			t.Errorf("%s lacks the message %s", page, re)
		}
	}
	for _, message := range listed {
		if !slices.ContainsFunc(printed, func(re *regexp.Regexp) bool { return re.MatchString(message) }) {
			t.Errorf("%s has %q, which nothing prints", page, message)
		}
	}
}

// messages returns, for each line that the source can print by ErrSys, ErrQuit or Fatal, what
// it looks like.
func messages(t *testing.T) (list []*regexp.Regexp) {
	before := map[string]string{"ErrSys": "^", "ErrQuit": "^", "Fatal": "^", "Errorf": "(?i)^fork error: .*", "New": "(?i)^fork error: .*"}
	after := map[string]string{"ErrSys": ": .+$", "ErrQuit": "$", "Fatal": "$", "Errorf": "", "New": ""}
	verb := regexp.MustCompile(`%[-+#.0-9]*[a-zA-Z]`)
	for _, pattern := range []string{"unp/*.go", "unp/sys/*.go", "tcp*/*.go", "lab/poll/*.go"} {
		names, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				var function string
				switch f := call.Fun.(type) {
				case *ast.Ident:
					function = f.Name
				case *ast.SelectorExpr:
					function = f.Sel.Name
				}
				if _, prints := before[function]; !prints {
					return true
				}
				for _, arg := range call.Args {
					for i, line := range strings.Split(literal(arg), "\n") {
						if line == "" || line == "%s: %s" { // that of ErrSys itself
							continue
						}
						start := before[function]
						if i > 0 {
							start = "^"
						}
						parts := verb.Split(line, -1)
						for i := range parts {
							parts[i] = regexp.QuoteMeta(parts[i])
						}
						list = append(list, regexp.MustCompile(start+strings.Join(parts, ".+")+after[function]))
					}
					if literal(arg) != "" {
						break
					}
				}
				return true
			})
		}
	}
	return list
}

// literal is the text of a string, also of one that is added up, and "" for anything else.
func literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return text
		}
	case *ast.BinaryExpr:
		return literal(e.X) + literal(e.Y)
	}
	return ""
}
