//go:build linux && (amd64 || arm64)

package unp

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// InetPton turns a dotted-decimal IPv4 address into its 4 bytes (section 3.7). Given
// anything else, or a family other than AF_INET, it prints "inet_pton error for" and
// the string on standard error, and exits.
func InetPton(family int, strptr string, addrptr *[4]byte) {
	addr, err := netip.ParseAddr(strptr)
	if err != nil || !addr.Is4() || family != unix.AF_INET {
		ErrQuit("inet_pton error for %s", strptr)
	}

	// nothing to return
	*addrptr = addr.As4()
}

// Htons turns a port number from host to network byte order (section 3.4).
func Htons(host16bitvalue uint16) uint16 {
	return binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, host16bitvalue))
}

// Htonl turns an IPv4 address from host to network byte order, as the 4 bytes
// that sin_addr holds (section 3.4).
func Htonl(host32bitvalue uint32) [4]byte {
	return [4]byte(binary.BigEndian.AppendUint32(nil, host32bitvalue))
}
