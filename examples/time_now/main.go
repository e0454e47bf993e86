// Ring profile, for N (default 1,000,003) calls of time.Now(), on a clock source that the vDSO
// can read (tsc, kvm-clock, hyperv):
//
//	clock_gettime  vdso  ring 3  at least 2N: REALTIME at least N, MONOTONIC at least N
//
// and no clock_gettime in ring 0. time.Now() reads both clocks, so it makes two vDSO calls.
// "At least", because the runtime reads CLOCK_MONOTONIC for purposes of its own.
package main

import (
	"fmt"
	"time"

	"systrace.example/count"
)

func main() {
	n := count.Argument(1_000_003)
	var first, last time.Time
	for i := 0; i < n; i++ {
		last = time.Now()
		if i == 0 {
			first = last
		}
	}
	fmt.Printf("%d calls of time.Now() in %v\n", n, last.Sub(first))
}
