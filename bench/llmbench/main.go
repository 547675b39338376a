// llmbench is both ends of the benchmark in one program: a mock provider that speaks OpenAI's
// format, and a load generator. Neither does more than it must, so that the proxy between them is
// what gets measured.
//
//	llmbench mock 127.0.0.1:9001 127.0.0.1:9002
//	llmbench load -url http://127.0.0.1:9001/v1/chat/completions -connections 64 -duration 2s
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case "mock":
			mock(os.Args[2:])
			return
		case "load":
			load(os.Args[2:])
			return
		}
	}
	fail("usage: llmbench mock ADDRESS... | llmbench load -url URL [flags]")
}

func fail(message any) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(2)
}
