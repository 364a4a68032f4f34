package main

import (
	"fmt"

	"tcpcliserv/unp"
)

// strEcho answers each line with the sum of the two numbers in it. A number beyond 64 bits is
// an input error; glibc's sscanf takes the nearest number that fits.
//
// Figure 5.17.
func strEcho(sockfd int) {
	var arg1, arg2 int64
	var n int
	line := make([]byte, unp.MAXLINE)

	for {
		if n = unp.Readline(sockfd, &line, unp.MAXLINE); n == 0 {
			return // connection closed by other end
		}

		if n, _ := fmt.Sscanf(string(line), "%d%d", &arg1, &arg2); n == 2 {
			line = fmt.Appendf(line[:0], "%d\n", arg1+arg2)
		} else {
			line = fmt.Appendf(line[:0], "input error\n")
		}

		n = len(line)
		unp.Writen(sockfd, line[:n])
	}
}
