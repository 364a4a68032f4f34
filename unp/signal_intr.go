package unp

import (
	"golang.org/x/sys/unix"
	"tcpcliserv/unp/sys"
)

func signalIntr(signo unix.Signal, fn Sigfunc) (Sigfunc, error) {
	var act, oact sys.Sigaction_t

	act.Handler = fn
	sys.Sigemptyset(&act.Mask)
	act.Flags = 0
	// SA_INTERRUPT, of SunOS: on Linux it would do nothing
	if err := sys.Sigaction(signo, &act, &oact); err != nil {
		return nil, err
	}
	return oact.Handler, nil
}

// SignalIntr is [Signal] without the restart: a slow system call that the handler interrupts
// fails with EINTR (section 5.9). On error it prints "signal_intr error" and the error's text,
// and exits.
func SignalIntr(signo unix.Signal, fn Sigfunc) Sigfunc { // for our signal_intr() function
	sigfunc, err := signalIntr(signo, fn)
	if err != nil {
		ErrSys(err, "signal_intr error")
	}
	return sigfunc
}
