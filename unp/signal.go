package unp

import (
	"golang.org/x/sys/unix"
	"tcpcliserv/unp/sys"
)

// signal is Figure 5.6.
func signal(signo unix.Signal, fn Sigfunc) (Sigfunc, error) {
	var act, oact sys.Sigaction_t

	act.Handler = fn
	sys.Sigemptyset(&act.Mask)
	act.Flags = 0
	if signo == unix.SIGALRM {
		// SA_INTERRUPT, of SunOS 4.x: on Linux it would do nothing
	} else {
		act.Flags |= sys.SA_RESTART // SVR4, 44BSD
	}
	if err := sys.Sigaction(signo, &act, &oact); err != nil {
		return nil, err
	}
	return oact.Handler, nil
}

// Signal sets the disposition of signo to fn: a handler, sys.SIG_DFL or sys.SIG_IGN. It
// returns the previous disposition. The kernel restarts most slow system calls that the handler
// interrupts, such as accept or read, but not sleep, select or poll; after SIGALRM it restarts
// none (Figure 5.6). On error, for example if signo is SIGKILL, it prints "signal error" and the
// error's text, and exits.
func Signal(signo unix.Signal, fn Sigfunc) Sigfunc { // for our signal() function
	sigfunc, err := signal(signo, fn)
	if err != nil {
		ErrSys(err, "signal error")
	}
	return sigfunc
}
