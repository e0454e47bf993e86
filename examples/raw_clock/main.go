// Ring profile, for N (default 100,003) raw clock_gettime system calls:
//
//	clock_gettime  syscall  ring 3->0  exactly N
//
// The vDSO has the same function, and this program goes around it: what it would have had in
// ring 3, it fetches from ring 0. The clock_gettime rows in ring 3 are the Go runtime's own.
package main

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"systrace.example/count"
)

const clockMonotonic = 1 // CLOCK_MONOTONIC, linux/time.h

func main() {
	n := count.Argument(100_003)
	var now syscall.Timespec
	for i := 0; i < n; i++ {
		_, _, errno := syscall.RawSyscall(
			syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0)
		if errno != 0 {
			fmt.Fprintln(os.Stderr, errno)
			os.Exit(1)
		}
	}
	fmt.Printf("%d clock_gettime system calls, at %d.%09d s\n", n, now.Sec, now.Nsec)
}
