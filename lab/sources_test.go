package lab

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A source is a package as it is written: its files, and what each name in them means.
type source struct {
	fset  *token.FileSet
	files []*ast.File
	pkg   *types.Package
	info  *types.Info
}

// readPackage reads the package in a directory below root, without its tests.
func readPackage(t *testing.T, dir string) source {
	t.Helper()
	lookAtSources()
	texts := map[string]string{}
	for _, name := range goList(t, `{{range .GoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}`, "./"+dir) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(name)] = string(text)
	}
	exports := map[string]string{} // of each package, the file that describes it to importers
	for _, line := range goList(t, "{{.ImportPath}} {{.Export}}", "-export", "-deps", "./"+dir) {
		path, file, _ := strings.Cut(line, " ")
		exports[path] = file
	}
	return check(t, texts, func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
}

// check parses the files of a package, and finds out what their names mean.
func check(t *testing.T, texts map[string]string, lookup importer.Lookup) source {
	t.Helper()
	s := source{fset: token.NewFileSet(), info: &types.Info{Uses: map[*ast.Ident]types.Object{}}}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		file, err := parser.ParseFile(s.fset, name, texts[name], parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		s.files = append(s.files, file)
	}
	var err error
	config := types.Config{Importer: importer.ForCompiler(s.fset, "gc", lookup)}
	if s.pkg, err = config.Check("sys", s.fset, s.files, s.info); err != nil {
		t.Fatal(err)
	}
	return s
}

// goList returns the lines that go list prints of a package.
func goList(t *testing.T, format string, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-f", format}, args...)...)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	return slices.DeleteFunc(strings.Split(string(out), "\n"), func(line string) bool { return line == "" })
}

// A need is what one file takes from another.
type need struct{ from, to string }

// needs lists the names in each file that another file declares: constants, variables,
// types, functions, and methods.
func (s source) needs() map[need][]string {
	file := func(pos token.Pos) string { return s.fset.Position(pos).Filename }
	names := map[need][]string{}
	for id, object := range s.info.Uses {
		function, _ := object.(*types.Func)
		isMethod := function != nil && function.Signature().Recv() != nil
		if object.Pkg() != s.pkg || object.Parent() != s.pkg.Scope() && !isMethod {
			continue
		}
		n := need{file(id.Pos()), file(object.Pos())}
		if n.from != n.to && !slices.Contains(names[n], id.Name) {
			names[n] = append(names[n], id.Name)
		}
	}
	for _, list := range names {
		slices.Sort(list)
	}
	return names
}

// circle returns files of which each needs the next, and the last the first; none, if
// there is no such circle.
func circle(needs map[need][]string) []string {
	below := map[string][]string{}
	for n := range needs {
		below[n.from] = append(below[n.from], n.to)
	}
	var way []string // from the file at which the search began
	done := map[string]bool{}
	var search func(file string) []string
	search = func(file string) []string {
		if i := slices.Index(way, file); i >= 0 {
			return slices.Clone(way[i:])
		}
		if done[file] {
			return nil
		}
		done[file] = true
		way = append(way, file)
		for _, next := range slices.Sorted(slices.Values(below[file])) {
			if found := search(next); found != nil {
				return found
			}
		}
		way = way[:len(way)-1]
		return nil
	}
	for _, file := range slices.Sorted(maps.Keys(below)) {
		if found := search(file); found != nil {
			return found
		}
	}
	return nil
}

// describe says who needs what of whom in a circle.
func describe(files []string, needs map[need][]string) string {
	var b strings.Builder
	for i, from := range files {
		to := files[(i+1)%len(files)]
		fmt.Fprintf(&b, "%s needs %s of %s\n", from, strings.Join(needs[need{from, to}], ", "), to)
	}
	return b.String()
}

// A reader can read unp/sys a file at a time: no two of its files need each other, not
// by way of others either.
func TestFilesOfSysHaveNoCircle(t *testing.T) {
	needs := readPackage(t, "unp/sys").needs()
	if files := circle(needs); files != nil {
		t.Errorf("\n%s", describe(files, needs))
	}
}

// What TestFilesOfSysHaveNoCircle finds, and what it does not mind.
func TestCircle(t *testing.T) {
	const head = "package sys\n"
	for _, c := range []struct {
		name  string
		texts map[string]string
		want  string
	}{
		{"layers", map[string]string{"a.go": head + "func a() { b(); c() }", "b.go": head + "func b() { c() }", "c.go": head + "func c() {}"}, ""},
		{"within a file", map[string]string{"a.go": head + "func a() { b() }; func b() { a() }"}, ""},
		{"names of other scopes", map[string]string{"a.go": head + "func a() { b() }", "b.go": head + "func b() { a := 1; _ = a }; type s struct { a int }"}, ""},
		{"two functions", map[string]string{"a.go": head + "func a() { b() }", "b.go": head + "func b() { a() }"},
			"a.go needs b of b.go\nb.go needs a of a.go\n"},
		{"a method", map[string]string{"a.go": head + "type A int", "b.go": head + "func (A) m() {}; func b(x A) { x.n() }", "c.go": head + "func (x A) n() { x.m() }"},
			"b.go needs n of c.go\nc.go needs m of b.go\n"},
		{"by way of a third", map[string]string{"a.go": head + "var x = y", "b.go": head + "const y = z", "c.go": head + "type T int; const z = 1; func f() { _ = x; _ = a(0) }; type a int"},
			"a.go needs y of b.go\nb.go needs z of c.go\nc.go needs x of a.go\n"},
	} {
		needs := check(t, c.texts, nil).needs()
		if got := describe(circle(needs), needs); got != c.want {
			t.Errorf("%s:\n%swant\n%s", c.name, got, c.want)
		}
	}
}

// Unp is the book's library. How Go differs from C is the business of unp/sys.
func TestImportsOfUnp(t *testing.T) {
	lookAtSources()
	for _, path := range goList(t, `{{join .Imports "\n"}}`, "./unp") {
		if slices.Contains([]string{"reflect", "unsafe", "os/signal", "runtime", "sync/atomic"}, path) {
			t.Errorf("unp imports %s", path)
		}
	}
}

// A function fits a screen.
func TestFunctionsFitAScreen(t *testing.T) {
	const screen = 50 // lines
	for _, dir := range []string{"unp", "unp/sys"} {
		s := readPackage(t, dir)
		for _, file := range s.files {
			for _, declaration := range file.Decls {
				function, ok := declaration.(*ast.FuncDecl)
				if !ok {
					continue
				}
				first, last := s.fset.Position(function.Pos()), s.fset.Position(function.End())
				if lines := last.Line - first.Line + 1; lines > screen {
					t.Errorf("%s/%s: %s has %d lines", dir, first, function.Name.Name, lines)
				}
			}
		}
	}
}
