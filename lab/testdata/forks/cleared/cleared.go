// Package cleared is initialized before unp, and leaves no environment to some programs.
package cleared

import (
	"os"
	"strings"
)

func init() {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "environment cleared") {
		os.Clearenv()
	}
}
