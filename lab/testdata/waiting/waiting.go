// Waiting does nothing, forever: what memory it takes, any Go program takes.
package main

import "syscall"

func main() { syscall.Pause() }
