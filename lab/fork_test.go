package lab

import (
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// forks starts the program in testdata that does what mode says.
func forks(t *testing.T, mode ...string) *process {
	return start(t, "forks", mode...)
}

// A child of a child of a child works, each with the descriptors of its parent.
func TestForkOfFork(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	forks(t, "grandchild").ends(0, "great-grandchild: 3 3 4, bad file descriptor <nil>\n"+
		"its status is 3\ngrandchild: 3 3 4\nits status is 2\nchild: 3 3 4\nits status is 1\nparent: 3\n", "")
}

// The child has its parent's handlers, also for the end of its own child.
func TestForkHandler(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	forks(t, "handler").ends(0, "its status is 7\nits status is 6\n", "")
}

// The child's environment is its parent's, and what it starts starts afresh.
func TestForkEnvironment(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	p := command(t, "forks", "environment")
	p.cmd.Env = []string{"A=1", "B=2"}
	p.start().ends(0, "in the child: \"\"\nA=1\nB=2\nits status is 0\nafter exec: 4\nits status is 0\n", "")
}

// A main that takes another way in the child than in its parent ends there.
func TestForkOtherWay(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	for _, mode := range []string{"more", "fewer"} {
		forks(t, mode, filepath.Join(t.TempDir(), "first")).ends(0, "its status is 1\n",
			"fork error: main makes other sockets before Fork than its parent has open\n")
	}
	forks(t, "closed").ends(0, "its status is 1\n", "fork error: descriptor 3 of the parent: Bad file descriptor\n")
}

// A variable that Fork has not made ends the program, whatever is in it.
func TestForgedFork(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	name := strings.Repeat("61", 16)
	step := func(fd string) string { return fd + strings.Repeat("00", 16) }
	for _, value := range []string{"", "3", "\xff\n%s", name, name + "00", name + step("00000003"), name[2:] + step("ffffffff"),
		name + step("ffffffff") + "0", strings.Repeat("0", 100_000), name + step("ffffffff") + step("ffffffff") + step("00000000")} {
		p := command(t, "tcpserv01")
		p.cmd.Env = append(os.Environ(), "UNP_FORK="+value)
		p.start().ends(1, "", fmt.Sprintf("UNP_FORK is not what Fork hands to its child: %q\n", value))
	}
	for fd, why := range map[string]string{"00000000": "Socket operation on non-socket", "00000009": "Bad file descriptor", "7fffffff": "Bad file descriptor", "fffffffe": "Bad file descriptor"} {
		p := command(t, "tcpserv01")
		p.cmd.Env = append(os.Environ(), "UNP_FORK="+name+step(fd)+step("ffffffff"))
		b, _ := hex.DecodeString(fd)
		number := int32(b[0])<<24 | int32(b[1])<<16 | int32(b[2])<<8 | int32(b[3])
		p.start().ends(1, "", fmt.Sprintf("fork error: descriptor %d of the parent: %s\n", number, why))
	}
	p := command(t, "tcpserv01") // a way without descriptors
	p.cmd.Env = append(os.Environ(), "UNP_FORK="+name+step("ffffffff"))
	p.start().ends(1, "", "fork error: main makes other sockets before Fork than its parent has open\n")
}

// Where the program cannot be executed again, Fork says so.
func TestForkError(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	start(t, "unshare", "--mount", filepath.Join(bin, "forks"), "noexec").ends(1, "", "fork error: No such file or directory\n")
}

// Where the kernel allows no process more, Fork says so and ends the server. Where
// it allows the child but not its threads, the child's runtime says so, and the
// server goes on. Where it allows those too, all is well.
func TestProcessLimit(t *testing.T) {
	t.Parallel()
	lookAtSources()
	seen := map[string]int{}
	for limit := 1; seen["served"] < 3 && limit < 100; limit++ {
		cmd := asOrdinaryUser(t, "bash", "-c", `bin/tcpserv01 2> said & server=$!
			until echo first | bin/tcpcli01 127.0.0.1 2> /dev/null; do sleep .01; done
			prlimit --pid $server --nproc=$0
			echo second | bin/tcpcli01 127.0.0.1 2> /dev/null
			kill $server 2> /dev/null; wait $server 2> /dev/null; echo $?; cat said`, strconv.Itoa(limit))
		out, err := cmd.CombinedOutput()
		switch s := string(out); {
		case err != nil:
			t.Errorf("%v\n%s", err, out)
		case s == "first\n1\nfork error: Resource temporarily unavailable\n":
			seen["no process"]++
		case strings.HasPrefix(s, "first\n143\nruntime: failed to create new OS thread"):
			seen["no thread"]++
		case s == "first\nsecond\n143\n":
			seen["served"]++
		default:
			t.Errorf("with a limit of %d:\n%s", limit, s)
		}
	}
	if seen["no process"] == 0 || seen["no thread"] == 0 || seen["served"] == 0 {
		t.Errorf("seen: %v", seen)
	}
}

// The child knows the peer's address without asking the kernel.
func TestForkPeer(t *testing.T) {
	if !onOwnHost(t) {
		return
	}
	srv := server(t, "forks", "accept")
	conn, err := net.Dial("tcp", "127.0.0.1:9877")
	if err != nil {
		t.Fatal(err)
	}
	srv.ends(0, fmt.Sprintf("child: 4 127.0.0.1 port %d, 16 bytes\nits status is 0\n", conn.LocalAddr().(*net.TCPAddr).Port), "")
}
