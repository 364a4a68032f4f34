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

// order is the byte order of integers in memory; C sends them in that order.
var order = binary.NativeEndian
