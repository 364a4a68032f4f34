//go:build linux && (amd64 || arm64)

package unp

import "golang.org/x/sys/unix"

func signalIntr(signo unix.Signal, fn Sigfunc) (Sigfunc, error) {
	var act, oact sigactiont

	act.handler = fn
	act.flags = 0
	if err := sigaction(signo, &act, &oact); err != nil {
		return nil, err
	}
	return oact.handler, nil
}

// SignalIntr is [Signal] without the restart: a slow system call that the
// handler interrupts fails with EINTR, as it did on the text's Solaris (section
// 5.9).
func SignalIntr(signo unix.Signal, fn Sigfunc) Sigfunc {
	sigfunc, err := signalIntr(signo, fn)
	if err != nil {
		ErrSys(err, "signal_intr error")
	}
	return sigfunc
}
