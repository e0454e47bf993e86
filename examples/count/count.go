// Package count reads the one argument that the Go examples take.
package count

import (
	"fmt"
	"os"
	"strconv"
)

// Argument is the count named on the command line, or otherwise where none is.
func Argument(otherwise int) int {
	if len(os.Args) < 2 {
		return otherwise
	}
	n, err := strconv.Atoi(os.Args[1])
	if err != nil || n < 0 || len(os.Args) > 2 {
		fmt.Fprintf(os.Stderr, "usage: %s [COUNT]\n", os.Args[0])
		os.Exit(2)
	}
	return n
}
