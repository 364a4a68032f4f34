module tcpcliserv

go 1.25.0

godebug (
	containermaxprocs=0
	updatemaxprocs=0
)

require golang.org/x/sys v0.47.0
