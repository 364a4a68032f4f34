// Waiting does nothing, for ever: what memory it takes, any Go program takes.
package main

import "syscall"

func main() { syscall.Pause() }
