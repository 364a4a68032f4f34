//go:build linux

package tcpcliserv

import (
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// sh runs a script in the test's namespaces.
func sh(t *testing.T, script string) string {
	t.Helper()
	out, err := exec.Command("bash", "-e", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%s\n%v\n%s", script, err, out)
	}
	return string(out)
}

// hosts makes a client, a router and a server host, each a network namespace:
// 10.0.1.1 - 10.0.1.254 10.0.2.254 - 10.0.2.1. The client gives up after two or
// three retransmissions, not fifteen.
func hosts(t *testing.T) {
	t.Helper()
	need(t, "ip", "sysctl", "mount")
	sh(t, `mount -t tmpfs none /run
		for host in client router server; do ip netns add $host; ip -n $host link set lo up; done
		ip link add eth0 netns client type veth peer name eth1 netns router
		ip link add eth0 netns server type veth peer name eth2 netns router
		ip -n client addr add 10.0.1.1/24 dev eth0
		ip -n router addr add 10.0.1.254/24 dev eth1
		ip -n router addr add 10.0.2.254/24 dev eth2
		ip -n server addr add 10.0.2.1/24 dev eth0
		ip -n client link set eth0 up
		ip -n router link set eth1 up
		ip -n router link set eth2 up
		ip -n server link set eth0 up
		ip -n client route add default via 10.0.1.254
		ip -n server route add default via 10.0.2.254
		ip netns exec router sysctl -qw net.ipv4.ip_forward=1
		ip netns exec client sysctl -qw net.ipv4.tcp_retries2=3`)
}

// connected starts a server on its host and a client on its own, and sends a
// line through. Both hosts are processes of "ip netns exec", which execs them.
func connected(t *testing.T) (srv, cli *process) {
	t.Helper()
	srv = start(t, "ip", "netns", "exec", "server", bin+"/tcpserv04")
	srv.accepts()
	cli = start(t, "ip", "netns", "exec", "client", bin+"/tcpcli01", "10.0.2.1")
	cli.typed("hello\n")
	cli.printed("hello\n")
	return srv, cli
}

// The client's last words, by what happens to the server's host, or on the way.
func TestCrashingOfServerHost(t *testing.T) {
	if elsewhere(t) {
		return
	}
	hosts(t)
	for _, c := range []struct{ what, crash, mend, words string }{
		{"nothing answers", "ip -n router neigh replace 10.0.2.1 lladdr 02:00:00:00:00:99 dev eth2 nud permanent",
			"ip -n router neigh del 10.0.2.1 dev eth2", "readline error: Connection timed out\n"},
		{"the router answers host unreachable", "ip -n router route add unreachable 10.0.2.1",
			"ip -n router route del unreachable 10.0.2.1", "readline error: No route to host\n"},
		{"the router answers network unreachable", "ip -n router route del 10.0.2.0/24",
			"ip -n router route add 10.0.2.0/24 dev eth2 src 10.0.2.254", "readline error: Network is unreachable\n"},
	} {
		t.Run(c.what, func(t *testing.T) {
			srv, cli := connected(t)
			sh(t, c.crash)
			cli.typed("another line\n")
			cli.ends(1, "hello\n", c.words)
			sh(t, c.mend)
			srv.signal(unix.SIGKILL)
			srv.end()
			sh(t, "pkill -KILL tcpserv04")
			// The child's connection is still there: a new server needs a new host.
			reboot(t)
		})
	}
}

// reboot ends the server's host and makes a new one with the same address.
func reboot(t *testing.T) {
	t.Helper()
	sh(t, `ip -n router link del eth2
		ip netns del server
		ip netns add server
		ip -n server link set lo up
		ip link add eth0 netns server type veth peer name eth2 netns router
		ip -n router addr add 10.0.2.254/24 dev eth2
		ip -n server addr add 10.0.2.1/24 dev eth0
		ip -n router link set eth2 up
		ip -n server link set eth0 up
		ip -n server route add default via 10.0.2.254`)
}

// The rebooted host knows nothing of the connection, and answers with an RST.
func TestCrashingAndRebootingOfServerHost(t *testing.T) {
	if elsewhere(t) {
		return
	}
	hosts(t)
	srv, cli := connected(t)
	sh(t, "ip -n router link set eth2 down")
	sh(t, "pkill -KILL tcpserv04")
	srv.end()
	reboot(t)
	start(t, "ip", "netns", "exec", "server", bin+"/tcpserv04").accepts()
	cli.typed("another line\n")
	cli.ends(1, "hello\n", "readline error: Connection reset by peer\n")
}

// init sends SIGTERM to every process of the host; the client finds out at its
// next line, as if only the server's process had ended.
func TestShutdownOfServerHost(t *testing.T) {
	if elsewhere(t) {
		return
	}
	hosts(t)
	srv, cli := connected(t)
	sh(t, "kill -TERM $(ip netns pids server)")
	srv.ends(128+15, "", "")
	await(t, "the client's connection is in CLOSE_WAIT", func() bool {
		return strings.Contains(sh(t, "ip netns exec client ss -Htn"), "CLOSE-WAIT")
	})
	cli.typed("another line\n")
	cli.ends(1, "hello\n", "str_cli: server terminated prematurely\n")
}
