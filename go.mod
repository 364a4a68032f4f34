module tcpcliserv

go 1.25.0

// The Go runtime may keep one or two files open to follow the processor limits of
// its cgroup. With these settings it does not, and the listening socket is descriptor
// 3, as in C.
godebug (
	containermaxprocs=0
	updatemaxprocs=0
)

require golang.org/x/sys v0.47.0
