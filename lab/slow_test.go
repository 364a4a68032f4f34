package lab

import (
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// In lab: go test -run TestSlow -slow -timeout 30m -v .
var slow = flag.Bool("slow", false, "TestSlow measures what takes minutes, up to 16 of them; TestCounter and TestThousandsOfConnections make 7000 connections each")

// TestSlow measures the times that lab/README.md quotes: how long a client waits for
// a crashed host, and how long TIME_WAIT lasts. It measures nothing without -slow.
func TestSlow(t *testing.T) {
	if !*slow {
		skip(t, "it measures for up to 16 minutes", "only -slow asks for that")
	}
	needsHost(t, "each measurement runs on a host of its own")
	const crash = `hosts client router server
on client sysctl -qw net.ipv4.tcp_early_retrans=0 net.ipv4.tcp_retries2=%d
on server bin/tcpserv01 &
until on server ss -Htln | grep -q 9877; do sleep .1; done
exec 5> >(on client bin/tcpcli01 10.0.2.2 > said 2>&1); client=$!
echo hello >&5
until grep -qs hello said; do sleep .1; done
capture router client
on router ip neigh replace 10.0.2.2 lladdr 02:00:00:00:00:99 dev server nud permanent
began=$EPOCHREALTIME
echo another line >&5
wait $client
ended=$EPOCHREALTIME
cat said
echo $(($(grep -c 'P\.' capture) - 1)) retransmissions, $(((${ended/.} - ${began/.}) / 1000000)) seconds
`
	const timeWait = `bin/tcpserv01 &
until ss -Htln | grep -q 9877; do sleep .1; done
echo hello | bin/tcpcli01 127.0.0.1
began=$EPOCHREALTIME
until ss -Htan state time-wait | grep -q 9877; do sleep .1; done
while ss -Htan state time-wait | grep -q 9877; do sleep .1; done
ended=$EPOCHREALTIME
echo TIME_WAIT, $(((${ended/.} - ${began/.}) / 1000000)) seconds
`
	const timedOut = "hello\nreadline error: Connection timed out\n"
	for _, m := range []struct {
		name, script, want string
		atLeast, atMost    int // seconds
	}{
		{"TIME_WAIT", timeWait, "hello\nTIME_WAIT", 60, 63},
		{"tcp_retries2=12", fmt.Sprintf(crash, 12), timedOut + "12 retransmissions", 560, 600},
		{"tcp_retries2=15", fmt.Sprintf(crash, 15), timedOut + "15 retransmissions", 900, 1000},
	} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			host := command(t, filepath.Join(root, "lab/host"))
			host.start()
			host.typed(m.script)
			host.stdin.Close()
			select {
			case <-host.done:
			case <-time.After(25 * time.Minute):
			}
			got := host.out.String()
			t.Log(got)
			seconds := regexp.MustCompile(`^([\s\S]*), (\d+) seconds\n$`).FindStringSubmatch(got)
			if seconds == nil || seconds[1] != m.want {
				t.Fatalf("%q, standard error %q; want %q", got, host.err.String(), m.want)
			}
			if n, _ := strconv.Atoi(seconds[2]); n < m.atLeast || n > m.atMost {
				t.Errorf("%d seconds, want %d to %d", n, m.atLeast, m.atMost)
			}
		})
	}
}
