package unp

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
	"tcpcliserv/unp/sys"
)

// ErrSys reports a failed system call and exits with status 1. It prints the message,
// formatted as by printf, a colon, the error's text and a newline on standard error
// (Figure D.3).
func ErrSys(err error, format string, a ...any) {
	ErrQuit("%s: %s", fmt.Sprintf(format, a...), strerror(err))
}

// ErrQuit reports a fatal error that is not a failed system call, and exits with status 1.
// It prints the message, formatted as by printf, and a newline on standard error
// (Figure D.3).
func ErrQuit(format string, a ...any) { sys.Fatal(format, a...) }

// strerror returns the text of an error, which begins with a capital letter in C.
func strerror(err error) string {
	switch err {
	case nil, unix.Errno(0):
		return "Success"
	case unix.EHWPOISON: // the one for which package syscall has no text
		return "Memory page has hardware error"
	}
	text := err.Error()
	number, unknown := strings.CutPrefix(text, "errno ")
	if unknown {
		return "Unknown error " + number
	}
	first, size := utf8.DecodeRuneInString(text)
	if first == utf8.RuneError { // no text, or none in UTF-8
		return text
	}
	return string(unicode.ToUpper(first)) + text[size:]
}
