// Starts programs with os/exec, from as many goroutines at once as it starts programs, and prints
// the pid of each with the number of its command line:
//
//	spawn TIMES COMMAND [ARG]... [:: COMMAND [ARG]...]...
//
// Ring profile: whatever the programs have; each of TIMES times the number of commands is a
// process of its own, and makes its own execve.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
)

func main() {
	times, err := 0, error(nil)
	if len(os.Args) > 2 {
		times, err = strconv.Atoi(os.Args[1])
	}
	if times < 1 || err != nil {
		fmt.Fprintln(os.Stderr, "usage: spawn TIMES COMMAND [ARG]... [:: COMMAND [ARG]...]...")
		os.Exit(2)
	}
	commands := [][]string{nil}
	for _, word := range os.Args[2:] {
		if word == "::" {
			commands = append(commands, nil)
		} else {
			last := &commands[len(commands)-1]
			*last = append(*last, word)
		}
	}
	var ready, done sync.WaitGroup
	ready.Add(1)
	for i := 0; i < times; i++ {
		for number, words := range commands {
			done.Add(1)
			go func(number int, words []string) {
				defer done.Done()
				command := exec.Command(words[0], words[1:]...)
				command.Stderr = os.Stderr
				ready.Wait()
				if err := command.Run(); err != nil {
					fmt.Fprintln(os.Stderr, words[0], err)
					os.Exit(1)
				}
				fmt.Printf("%d %d\n", command.Process.Pid, number)
			}(number, words)
		}
	}
	ready.Done()
	done.Wait()
}
