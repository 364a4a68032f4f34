package main

import (
	"bufio"
	"os"

	"tcpcliserv/unp"
	"tcpcliserv/unp/sys"
)

// strCli is str_cli with two writes for each line.
//
// Figure 5.14; lecture notes: SIGPIPE Signal.
func strCli(fp *bufio.Reader, sockfd int) {
	sendline, recvline := make([]byte, unp.MAXLINE), make([]byte, unp.MAXLINE)

	for unp.Fgets(&sendline, unp.MAXLINE, fp) != nil {

		unp.Writen(sockfd, sendline[:1])
		sys.Sleep(1)
		unp.Writen(sockfd, sendline[1:])

		if unp.Readline(sockfd, &recvline, unp.MAXLINE) == 0 {
			unp.ErrQuit("str_cli: server terminated prematurely")
		}

		unp.Fputs(recvline, os.Stdout)
	}
}
