// Package early is initialized before unp.
package early

import (
	"os"
	"slices"
	"strings"
)

// What this package finds when it is initialized.
var (
	Setting = os.Getenv("SETTING")
	File, _ = os.ReadFile("file")
	Verbose = takeOption()
)

// takeOption takes the option -v out of the program's arguments.
func takeOption() bool {
	i := slices.Index(os.Args, "-v")
	if i >= 0 {
		os.Args = slices.Delete(os.Args, i, i+1)
	}
	return i >= 0
}

func init() {
	switch strings.Join(os.Args[1:], " ") {
	case "environment cleared":
		os.Clearenv()
	case "changed early", "changed early and restored":
		os.Setenv("SETTING", os.Getenv("SETTING")+"+")
		os.Mkdir("sub", 0o700)
		os.Chdir("sub")
	}
}
