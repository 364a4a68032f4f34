//go:build linux

package sys

import (
	"strings"
	"testing"
)

// A server's finished rounds are forgotten. In the notation of this test a step is a letter
// for its place, capital for an accept, with a digit for its arguments, a + if its descriptor is
// open, a - if it is idle, a ! if it has found input, a ? if it is lost, and a ~ if it skips; = and
// : are two calls to Keep.
func TestWithoutFinishedRounds(t *testing.T) {
	for _, c := range []struct{ name, path, want string }{
		{"tcpserv04", "s+ b A f A+ f", "s+ b A+ f"},
		{"the first client", "s+ b A+ f", "s+ b A+ f"},
		{"a round that is not complete", "s+ b A f A+", "s+ b A f A+"},
		{"without Close", "s+ b A+ f A+ f A+ f", "s+ b A+ f A+ f A+ f"},
		{"interrupted", "s+ A A A+ f", "s+ A+ f"},
		{"a socket of each round", "s+ o A f o+ A+ f", "s+ o+ A+ f"},
		{"two accepts", "s+ A B f A+ B+ f", "s+ A+ B+ f"},
		{"closed late", "s+ A f A+ f A+ f", "s+ A+ f A+ f"},
		{"no accept in the loop", "s+ o o o A+ f", "s+ o o o A+ f"},
		{"opened in the first round", "s+ o l+ A f o A f o A+ f", "s+ o l+ A f o A+ f"},
		{"opened and closed in the first round", "s+ o l A f o A f o A+ f", "s+ o l A f o A+ f"},
		{"a call of every third round", "s+ A f A f A w f A f A f A+ w f", "s+ A+ w f"},
		{"a call of some round", "s+ A f A f A w f A f A f A+ f", "s+ A w f A+ f"},
		{"a loop in each round", "s+ A r r r f A r r f A+ r f", "s+ A+ r f"},
		{"accepts in a loop of each round", "s+ o A A A f o A A A+ f", "s+ o A+ f"},
		{"a loop first in each round", "s+ p p p A f p p A f p p p A+ f", "s+ p p p A+ f"},
		{"an accept in some rounds", "s+ o o o A f o o A f o o A+ f", "s+ o o A+ f"},
		{"two loops before", "p q p q s+ A f q A f q A+ f", "p q p q s+ A f q A+ f"},
		{"accepts of three sockets in each round", "s+ k A3 A4 f A5 k A3 A4 A5+ f", "s+ k A3 A4 A5+ f"},
		{"other arguments in each round", "s+ o1 A f o2 A f o3 A f o4 A+ f", "s+ o1 A f o4 A+ f"},
		{"a loop before", "p p p p s+ A f A+ f", "p p p p s+ A+ f"},
		{"a call first in each round that often has no step", "s+ w~ A f w~ A f w~ A+ f", "s+ w~ A f w~ A f w~ A+ f"},
		{"such a call in a loop first in each round", "s+ w~ t w~ t A f w~ t w~ t A+ f", "s+ w~ t w~ t A f w~ t w~ t A+ f"},
		{"rounds without a client before a lost one", "s+ t m t A r? t A+ f", "s+ t m t A r? t A+ f"},
		{"rounds without a client before a lost one, all made again", "s+ t m t A r? t m A+ f", "s+ t m A+ f"},
		{"rounds with Keep, one of which has a descriptor, and one is lost", "s+ = o+ = A r? = A+ f", "s+ = o+ = A+ f"},
		{"Keep in a loop within a round that begins with Keep", "s+ = o m : m : A f m : m : A+ f", "s+ = o m : m : A f m : m : A+ f"},
		{"such a call after a lost round", "s+ A f? w~ A+ f", "s+ A f? w~ A+ f"},
		{"such a call after a lost round and another", "s+ A f? w~ A f w~ A+ f", "s+ A f? w~ A f w~ A+ f"},
		{"such a call after a lost round and two others", "s+ A f? w~ A f w~ A f w~ A+ f", "s+ A f w~ A f w~ A+ f"},
		{"such a call first in a round whose descriptor is open", "s+ A f w~ A+ f w~ A f w~ A f w~ A f", "s+ A f w~ A+ f w~ A f w~ A f w~ A f"},
	} {
		if got := notation(withoutFinishedRounds(steps(c.path))); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// Where the path has no room for more that main reads, idle rounds are forgotten too.
func TestWithoutIdleRounds(t *testing.T) {
	for _, c := range []struct{ name, path, want string }{
		{"select", "s+ i- i- i- i- i A+ f", "s+ i A+ f"},
		{"the last one is idle", "s+ i- i- i-", "s+ i-"},
		{"a descriptor of an idle round", "s+ i- i- o+ i- i-", "s+ i- o+ i-"},
		{"input before it is idle", "s+ i! r! i! r! i- i- i- A+ f", "s+ i! r! i! r! i- A+ f"},
		{"idle at the beginning of each round", "s+ k k i- k k i- k k i- A+ f", "s+ k k i- A+ f"},
		{"nothing idle", "s+ i i i A+ f", "s+ i i i A+ f"},
		{"input twice in each round", "s+ r! r! A i- i- f r! r! A+ i- i- f", "s+ r! r! A+ i- f"},
		{"much read in idle rounds", "s+ k i-? k? k? k j- k j- k j- k A+ f", "s+ k i-? k? k? k j- k j- k A+ f"},
		{"a call of an idle round that only a later round repeats", "s+ k i- k w i- k i- k i- A+ f k w i- A+ f", "s+ k w i- k i- A+ f k w i- A+ f"},
		{"idle in a loop of each round", "s+ o x k i- A+ f k i- k i- o x k i- k i! r! k i- k i- o x k i- k i- k i A+ f", "s+ o x k i- A+ f k i- o x k i! r! k i- o x k i A+ f"},
		{"select in each round", "s+ A+ i- i- i- f A+ i- i- f", "s+ A+ i- f A+ i- f"},
	} {
		if got := notation(withoutIdleRounds(withoutFinishedRounds(steps(c.path)))); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func steps(notation string) (list []*step) {
	for _, f := range strings.Fields(notation) {
		s := &step{at: place(strings.ToLower(f)[0]), accepts: 'A' <= f[0] && f[0] <= 'Z', call: strings.TrimRight(f[1:], "+-!?~")}
		if f == "=" || f == ":" {
			s.call = "Keep()"
		}
		if strings.Contains(f, "+") {
			s.open = []int{3}
		}
		s.idle = strings.Contains(f, "-")
		s.found = strings.Contains(f, "!")
		s.lost = strings.Contains(f, "?")
		s.skips = strings.Contains(f, "~")
		list = append(list, s)
	}
	return list
}

func notation(list []*step) string {
	var fields []string
	for _, s := range list {
		f := string(rune(s.at))
		if s.accepts {
			f = strings.ToUpper(f)
		}
		if !s.isKeep() {
			f += s.call
		}
		if len(s.open) > 0 {
			f += "+"
		}
		if s.idle {
			f += "-"
		}
		if s.found {
			f += "!"
		}
		if s.lost {
			f += "?"
		}
		if s.skips {
			f += "~"
		}
		fields = append(fields, f)
	}
	return strings.Join(fields, " ")
}

// When rounds are forgotten, the step that follows them counts the skipped calls since the step
// that precedes them, and each step that stays keeps its own values of the kept variables.
func TestStepsAfterForgottenRounds(t *testing.T) {
	list := steps("s+ A f A f A+ f")
	for i, s := range list {
		s.kept = []keptValue{{"n", string(rune('0' + i))}}
		s.after = int64(i)
	}
	list = withoutFinishedRounds(list)
	if notation(list) != "s+ A+ f" || list[0].kept[0].text != "0" || list[1].kept[0].text != "5" || list[1].after != 1 {
		t.Errorf("%s, kept %v and %v, after %d", notation(list), list[0].kept, list[1].kept, list[1].after)
	}
}
