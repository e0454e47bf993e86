// Ring profile, for N (default 13) files opened, each by a goroutine of its own:
//
//	openat  syscall  ring 3->0  N, and those of the runtime, which are the same in every run
//
// How often the runtime calls futex, nanosleep, madvise and their like is another matter.
package main

import (
	"fmt"
	"os"
	"sync"

	"systrace.example/count"
)

func main() {
	n := count.Argument(13)
	var opened sync.WaitGroup
	for i := 0; i < n; i++ {
		opened.Add(1)
		go func() {
			defer opened.Done()
			if _, err := os.ReadFile("/dev/null"); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}()
	}
	opened.Wait()
	fmt.Printf("%d files opened\n", n)
}
