//go:build linux && (amd64 || arm64)

package unp

import "golang.org/x/sys/unix"

// The dispositions that are not handlers (Figure 5.6).
var (
	SIG_DFL Sigfunc                        // the signal's default action
	SIG_IGN Sigfunc = func(unix.Signal) {} // ignore the signal
)

// signal is Figure 5.6.
func signal(signo unix.Signal, fn Sigfunc) (Sigfunc, error) {
	var act, oact sigactiont

	act.handler = fn
	act.flags = 0
	if signo == unix.SIGALRM {
		// SA_INTERRUPT, of SunOS 4.x: Linux ignores it
	} else {
		act.flags |= _SA_RESTART // SVR4, 4.4BSD
	}
	err := sigaction(signo, &act, &oact)
	return oact.handler, err
}

// Signal sets what happens when signo arrives: fn is called, or SIG_DFL or SIG_IGN
// applies. It returns the previous disposition. Except after SIGALRM, the kernel
// restarts a call such as accept or read that the handler interrupts (Figure 5.6). For
// SIGKILL, SIGSTOP and 32 to 34 it prints "signal error: Invalid argument" and exits.
func Signal(signo unix.Signal, fn Sigfunc) Sigfunc { // for our signal() function
	sigfunc, err := signal(signo, fn)
	if err != nil {
		ErrSys(err, "signal error")
	}
	return sigfunc
}
