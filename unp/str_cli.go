//go:build linux && (amd64 || arm64)

package unp

import (
	"bufio"
	"os"
)

// StrCli sends each line of fp to the server and prints the line that comes back,
// until fp ends (Figure 5.5). If the server closes first, it says "str_cli: server
// terminated prematurely" and exits.
func StrCli(fp *bufio.Reader, sockfd int) {
	sendline, recvline := make([]byte, MAXLINE), make([]byte, MAXLINE)

	for Fgets(&sendline, MAXLINE, fp) != nil {

		Writen(sockfd, sendline)

		if Readline(sockfd, &recvline, MAXLINE) == 0 {
			ErrQuit("str_cli: server terminated prematurely")
		}

		Fputs(recvline, os.Stdout)
	}
}
