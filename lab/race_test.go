//go:build race

package lab

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Under go test -race, programs that use handlers and children heavily are built so too:
// the race detector, whose words would be on standard error, finds nothing in unp.
func TestRaces(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	program := filepath.Join(t.TempDir(), "forks")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-race", "-o", program, "./testdata/forks").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"struck at once", "installed as it strikes", "again while it runs", "waits with pause", "sigsuspend", "pause", "prints in a goroutine", "list of children", "respawn", "stands still", "handler"} {
		p := start(t, program, name)
		if status := p.end(); status != 0 || strings.Contains(p.err.String(), "DATA RACE") {
			t.Errorf("%s: status %d, %s", name, status, p.err.String())
		}
	}
}
