//go:build linux && (amd64 || arm64)

package sys

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// <netinet/in.h> and <sys/un.h>

// INADDR_ANY is the address that means every interface, in host byte order, see ip(7).
const INADDR_ANY = 0

// Socklen is socklen_t, the size of a socket address in bytes (Figure 3.2).
type Socklen uint32

// SA is struct sockaddr, C's type for an address of any family: a *SockaddrIn, *SockaddrIn6 or
// *SockaddrUn.
type SA interface {
	texter
	memory() []byte
}

// SockaddrIn is struct sockaddr_in, see ip(7) and Figure 3.1: Family is sin_family; Port is
// sin_port and Addr is sin_addr, both in network byte order.
type SockaddrIn unix.RawSockaddrInet4

// SockaddrIn6 is struct sockaddr_in6, see ipv6(7) and Figure 3.4: Family is sin6_family; Port
// is sin6_port and Addr is sin6_addr, both in network byte order.
type SockaddrIn6 unix.RawSockaddrInet6

// SockaddrUn is struct sockaddr_un, see unix(7) and Figure 15.1: Family is sun_family and Path
// is sun_path, which ends with a byte of 0.
type SockaddrUn struct {
	Family uint16
	Path   [108]byte
}

// Sizeof is C's sizeof for a socket address: its size in bytes.
func Sizeof[T SockaddrIn | SockaddrIn6 | SockaddrUn](sa T) Socklen { return Socklen(unsafe.Sizeof(sa)) }

// Htons turns a port number from host to network byte order, see htons(3).
func Htons(hostshort uint16) uint16 {
	return binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, hostshort))
}

// Ntohs turns a port number from network to host byte order, see ntohs(3).
func Ntohs(netshort uint16) uint16 { return Htons(netshort) }

// Htonl turns an IPv4 address from host to network byte order: the 4 bytes that sin_addr
// holds, see htonl(3).
func Htonl(hostlong uint32) [4]byte {
	return [4]byte(binary.BigEndian.AppendUint32(nil, hostlong))
}

// Ntohl turns an IPv4 address from network to host byte order, see ntohl(3).
func Ntohl(netlong [4]byte) uint32 { return binary.BigEndian.Uint32(netlong[:]) }

// bytesOf returns the bytes of an address, or nil if there is none.
func bytesOf[T SockaddrIn | SockaddrIn6 | SockaddrUn](sa *T) []byte {
	if sa == nil {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(sa)), unsafe.Sizeof(*sa))
}

func (sa *SockaddrIn) memory() []byte { return bytesOf(sa) }

func (sa *SockaddrIn6) memory() []byte { return bytesOf(sa) }

func (sa *SockaddrUn) memory() []byte { return bytesOf(sa) }

// The text of an address is that of netip, such as 127.0.0.1:9877, if that text is complete;
// otherwise it is the bytes, without the zeros at the end.

func (sa *SockaddrIn) valueText() string {
	if sa.Family != unix.AF_INET || sa.Zero != [8]byte{} {
		return bytesText(sa.memory())
	}
	return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), Ntohs(sa.Port)).String()
}

func (sa *SockaddrIn) setText(text string) error {
	if strings.HasPrefix(text, `"`) {
		return setBytes(sa.memory(), text)
	}
	ap, err := netip.ParseAddrPort(text)
	if err != nil || !ap.Addr().Is4() {
		return errNoValue
	}
	*sa = SockaddrIn{Family: unix.AF_INET, Port: Htons(ap.Port()), Addr: ap.Addr().As4()}
	return nil
}

func (sa *SockaddrIn6) valueText() string {
	if sa.Family != unix.AF_INET6 || sa.Flowinfo != 0 || sa.Scope_id != 0 {
		return bytesText(sa.memory())
	}
	return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), Ntohs(sa.Port)).String()
}

func (sa *SockaddrIn6) setText(text string) error {
	if strings.HasPrefix(text, `"`) {
		return setBytes(sa.memory(), text)
	}
	ap, err := netip.ParseAddrPort(text)
	if err != nil || !ap.Addr().Is6() {
		return errNoValue
	}
	*sa = SockaddrIn6{Family: unix.AF_INET6, Port: Htons(ap.Port()), Addr: ap.Addr().As16()}
	return nil
}

func (sa *SockaddrUn) valueText() string { return bytesText(sa.memory()) }

func (sa *SockaddrUn) setText(text string) error { return setBytes(sa.memory(), text) }

func bytesText(b []byte) string { return strconv.QuoteToASCII(strings.TrimRight(string(b), "\x00")) }

func setBytes(b []byte, text string) error {
	bytes, err := strconv.Unquote(text)
	if err != nil || len(bytes) > len(b) {
		return errNoValue
	}
	clear(b[copy(b, bytes):])
	return nil
}

// none tells whether an address is C's NULL.
func none(sa SA) bool { return sa == nil || sa.memory() == nil }

// sizeofStorage is the size of struct sockaddr_storage, in bytes: the kernel reads no more.
const sizeofStorage = 128

// raw returns an address and its size for the kernel. If the kernel is to read more than there
// is, zeros follow the address.
func raw(sa SA, salen Socklen) (unsafe.Pointer, Socklen) {
	if none(sa) {
		return nil, salen
	}
	b := sa.memory()
	if int(salen) > len(b) {
		b = append(make([]byte, 0, sizeofStorage), b...)
	}
	return unsafe.Pointer(unsafe.SliceData(b)), salen
}

// storing makes a call that stores an address and its size, and has it store no more of the
// address than there is room for.
func storing(sa SA, salen *Socklen, call func(p unsafe.Pointer, n *Socklen) (int, error)) (int, error) {
	p, _ := raw(sa, 0)
	if salen == nil {
		return call(p, nil)
	}
	room := *salen
	negative := int32(room) < 0 // the kernel stores nothing, and says EINVAL
	if !none(sa) && !negative {
		room = min(room, Socklen(len(sa.memory())))
	}
	n, err := call(p, &room)
	if err == nil && !none(sa) {
		*salen = room
	}
	return n, err
}

// outOf returns pointers to the variables in which a call stores an address.
func outOf(sa SA, salen *Socklen) (out []any) {
	if !none(sa) {
		out = append(out, sa)
	}
	if salen != nil {
		out = append(out, salen)
	}
	return out
}

// shown is an address as an argument of a call.
func shown(sa SA) any {
	if none(sa) {
		return nil
	}
	return constant(sa.valueText())
}
