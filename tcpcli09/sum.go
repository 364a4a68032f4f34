package main

import "encoding/binary"

// args is what the client sends, and result is what the server sends back. On 64-bit
// Linux a C long is an int64.
//
// Figure 5.18.
type args struct {
	Arg1 int64
	Arg2 int64
}

type result struct {
	Sum int64
}

// order is the order of an integer's bytes in memory, in which C sends them.
var order = binary.NativeEndian
