package main

import (
	"bufio"
	"encoding/binary"
	"fmt"

	"tcpcliserv/unp"
)

// strCli sends the two numbers in each line as integers, and prints their sum.
//
// Figure 5.19.
func strCli(fp *bufio.Reader, sockfd int) {
	sendline := make([]byte, unp.MAXLINE)
	var args args
	var result result
	argsbuf, resultbuf := make([]byte, binary.Size(args)), make([]byte, binary.Size(result))

	for unp.Fgets(&sendline, unp.MAXLINE, fp) != nil {

		if n, _ := fmt.Sscanf(string(sendline), "%d%d", &args.Arg1, &args.Arg2); n != 2 {
			fmt.Printf("invalid input: %s", sendline)
			continue
		}
		binary.Encode(argsbuf, order, &args)
		unp.Writen(sockfd, argsbuf)

		if unp.Readn(sockfd, resultbuf) == 0 {
			unp.ErrQuit("str_cli: server terminated prematurely")
		}

		binary.Decode(resultbuf, order, &result)
		fmt.Printf("%d\n", result.Sum)
	}
}
