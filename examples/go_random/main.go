// Ring profile, for N (default 10,007) reads of 16 bytes from crypto/rand, with Go 1.24 or later
// on Linux 6.11 or later:
//
//	getrandom  vdso           ring 3     the rest of at least N
//	getrandom  vdso-fallback  ring 3->0  a few: the vDSO fetches a seed for each thread that
//	                                     draws, and again when the kernel reseeds
//
// With an older Go or an older kernel every read is a system call: getrandom, syscall, 3->0.
package main

import (
	"crypto/rand"
	"fmt"
	"os"

	"systrace.example/count"
)

func main() {
	n := count.Argument(10_007)
	var block [16]byte
	for i := 0; i < n; i++ {
		if _, err := rand.Read(block[:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fmt.Printf("%d reads of %d random bytes\n", n, len(block))
}
