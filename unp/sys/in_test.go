//go:build linux

package sys

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestByteOrder(t *testing.T) {
	if got := Htonl(0x7f000001); got != [4]byte{127, 0, 0, 1} || Ntohl(got) != 0x7f000001 {
		t.Errorf("Htonl: %v", got)
	}
	const port = 9877
	if Htons(port) != 0x9526 || Ntohs(Htons(port)) != port {
		t.Errorf("Htons(9877) is %#x", Htons(port))
	}
}

// The kernel and the text of the path have all of an address, whatever its family.
func TestAddresses(t *testing.T) {
	un := SockaddrUn{Family: unix.AF_UNIX}
	copy(un.Path[:], t.TempDir()+"/socket")
	for _, c := range []struct {
		name     string
		sa, same SA
	}{
		{"AF_INET", &SockaddrIn{Family: unix.AF_INET, Addr: [4]byte{127, 0, 0, 1}}, &SockaddrIn{}},
		{"AF_INET6", &SockaddrIn6{Family: unix.AF_INET6, Addr: [16]byte{15: 1}}, &SockaddrIn6{}},
		{"AF_UNIX", &un, &SockaddrUn{}},
		{"another family", &SockaddrIn{Family: unix.AF_UNIX, Addr: [4]byte{1, 2}, Zero: [8]uint8{7: 1}}, &SockaddrIn{}},
		{"another family", &SockaddrIn6{Family: unix.AF_INET6, Scope_id: 7}, &SockaddrIn6{}},
	} {
		if c.name != "another family" {
			fd, err := Socket(int(c.sa.memory()[0]), unix.SOCK_STREAM, 0)
			if err != nil {
				t.Fatal(err)
			}
			const tooMuch = 1 << 20 // bytes: no more is stored than there is room for
			size := Socklen(tooMuch)
			if err := Bind(fd, c.sa, tooMuch); err != unix.EINVAL {
				t.Errorf("%s: bind with an address of %d bytes: %v", c.name, tooMuch, err)
			}
			if err := Bind(fd, c.sa, unix.SizeofSockaddrUnix+1); c.name == "AF_UNIX" && err != unix.EINVAL {
				t.Errorf("%s: bind with a byte too many: %v", c.name, err)
			} else if err == nil { // zeros follow
				unix.Close(fd)
				fd, _ = Socket(int(c.sa.memory()[0]), unix.SOCK_STREAM, 0)
			}
			if err := Bind(fd, c.sa, Socklen(len(c.sa.memory()))); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if err := Getsockname(fd, c.sa, &size); err != nil || int(size) > len(c.sa.memory()) {
				t.Errorf("%s: getsockname: %v, %d bytes", c.name, err, size)
			}
			size = sizeofStorage
			if err := Getsockname(-1, c.sa, &size); err != unix.EBADF || size != sizeofStorage {
				t.Errorf("%s: getsockname that fails: %v, %d bytes", c.name, err, size)
			}
			size = 1 << 31 // a negative number in C
			if err := Getsockname(fd, c.sa, &size); err != unix.EINVAL {
				t.Errorf("%s: getsockname into %d bytes: %v", c.name, int32(size), err)
			}
			unix.Close(fd)
		}
		if err := c.same.setText(c.sa.valueText()); err != nil || string(c.same.memory()) != string(c.sa.memory()) {
			t.Errorf("%s: %s gives %v, %v", c.name, c.sa.valueText(), c.same.memory(), err)
		}
	}
	if fd, err := Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err != nil || Bind(fd, nil, 16) != unix.EFAULT {
		t.Errorf("no address: %v", err)
	}
}
