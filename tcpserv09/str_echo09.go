package main

import (
	"encoding/binary"

	"tcpcliserv/unp"
)

// strEcho answers each pair of integers with their sum.
//
// Figure 5.20.
func strEcho(sockfd int) {
	var n int
	var args args
	var result result
	argsbuf, resultbuf := make([]byte, binary.Size(args)), make([]byte, binary.Size(result))

	for {
		if n = unp.Readn(sockfd, argsbuf); n == 0 {
			return // connection closed by other end
		}

		binary.Decode(argsbuf, order, &args)
		result.Sum = args.Arg1 + args.Arg2
		binary.Encode(resultbuf, order, &result)
		unp.Writen(sockfd, resultbuf)
	}
}
