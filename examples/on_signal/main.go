// Waits, and at each SIGUSR1 calls time.Now() so often (default 10,007) in each of 8 threads at
// once: something to attach to. Prints "ready" once, and "done" after each round.
//
//	clock_gettime  vdso  ring 3  8 * N REALTIME a round, and at least as many MONOTONIC
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"systrace.example/count"
)

const threads = 8

func main() {
	n := count.Argument(10_007)
	var begin [threads]chan bool
	var done sync.WaitGroup
	for i := range begin {
		begin[i] = make(chan bool)
		go func(begin chan bool) {
			runtime.LockOSThread()
			for range begin {
				for j := 0; j < n; j++ {
					_ = time.Now()
				}
				done.Done()
			}
		}(begin[i])
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	fmt.Println("ready")
	for range signals {
		done.Add(threads)
		for _, channel := range begin {
			channel <- true
		}
		done.Wait()
		fmt.Println("done")
	}
}
