// load clock GOROUTINES MILLISECONDS: calls time.Now over and over, once a line came on standard
// input, and prints how many calls there were, and how many ns of one CPU each took.
//
// load serve: an HTTP server; prints its address, and ends with its standard input.
//
// load get ADDRESS CONNECTIONS MILLISECONDS: prints how many requests were answered in a second.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

func number(index int) int {
	n, err := strconv.Atoi(os.Args[index])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return n
}

// together runs work in so many goroutines for so long, and returns the sum of what they return.
func together(count int, limit time.Duration, work func(end time.Time) int64) int64 {
	var total int64
	var all sync.WaitGroup
	end := time.Now().Add(limit)
	for i := 0; i < count; i++ {
		all.Add(1)
		go func() {
			atomic.AddInt64(&total, work(end))
			all.Done()
		}()
	}
	all.Wait()
	return total
}

func clock() {
	goroutines := number(2)
	os.Stdin.Read(make([]byte, 1))
	begin := time.Now()
	calls := together(goroutines, time.Duration(number(3))*time.Millisecond, func(end time.Time) int64 {
		var count int64
		for time.Now().Before(end) {
			count++
		}
		return count
	})
	cpus := runtime.NumCPU()
	if goroutines < cpus {
		cpus = goroutines
	}
	fmt.Printf("%d %.2f\n", calls, float64(time.Since(begin).Nanoseconds())*float64(cpus)/float64(calls))
}

func serve() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(listener.Addr())
	go http.Serve(listener, http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(answer, time.Now())
	}))
	io.Copy(io.Discard, os.Stdin)
}

func get() {
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = number(3)
	limit := time.Duration(number(4)) * time.Millisecond
	begin := time.Now()
	answered := together(number(3), limit, func(end time.Time) int64 {
		var count int64
		for time.Now().Before(end) {
			answer, err := http.Get("http://" + os.Args[2])
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			count++
		}
		return count
	})
	fmt.Printf("%.1f\n", float64(answered)/time.Since(begin).Seconds())
}

func main() {
	map[string]func(){"clock": clock, "serve": serve, "get": get}[os.Args[1]]()
}
