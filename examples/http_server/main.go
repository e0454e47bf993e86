// Ring profile, for N (default 300) HTTP requests, from four clients of this same process:
//
//	read, write, epoll_pwait, futex  syscall  ring 3->0  different in every run: goroutines, threads
//	                                                     and the network poller run as they come
//	clock_gettime                    vdso     ring 3     likewise
//
// With -extra each request makes one more write: N more, and nothing else.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
)

const clients = 4

func main() {
	requests := flag.Int("requests", 300, "how many requests are made, in all")
	extra := flag.Bool("extra", false, "one more write for each request")
	flag.Parse()

	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	check(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if *extra {
			_, err := null.Write([]byte{0})
			check(err)
		}
		fmt.Fprintln(w, "hello", r.URL.Path)
	}))

	var group sync.WaitGroup
	for client := 0; client < clients; client++ {
		group.Add(1)
		go func(first int) {
			defer group.Done()
			// A client of its own, and so one connection of its own.
			get := http.Client{Transport: &http.Transport{}}
			for i := first; i < *requests; i += clients {
				response, err := get.Get(fmt.Sprintf("http://%s/%d", listener.Addr(), i))
				check(err)
				_, err = io.Copy(io.Discard, response.Body)
				check(err)
				response.Body.Close()
			}
		}(client)
	}
	group.Wait()
	fmt.Printf("%d requests\n", *requests)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
