//go:build linux && (amd64 || arm64)

package unp

import "golang.org/x/sys/unix"

// SignalIntr is [Signal] without the restart: a slow system call that the handler
// interrupts fails with EINTR (section 5.9).
func SignalIntr(signo unix.Signal, fn Sigfunc) Sigfunc {
	var act, oact sigactiont

	act.handler = fn
	// no SA_RESTART
	if err := sigaction(signo, &act, &oact); err != nil {
		ErrSys(err, "signal_intr error")
	}
	return oact.handler
}
