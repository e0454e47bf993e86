// An HTTP server and 8 clients of its own that ask without a pause: something busy to attach to.
// Prints "ready", and for each line that it reads how many requests were answered, and how many
// failed, so far; ends when there is no more to read.
//
//	clock_gettime  vdso  ring 3  at least 7 REALTIME for each request
package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"time"
)

const clients = 8

func main() {
	var answered, failed atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		for i := 0; i < 7; i++ {
			_ = time.Now()
		}
		fmt.Fprintln(answer, "hello")
	}))
	for i := 0; i < clients; i++ {
		go func() {
			for {
				response, err := http.Get(server.URL)
				if err == nil {
					_, err = io.Copy(io.Discard, response.Body)
					response.Body.Close()
				}
				if err == nil && response.StatusCode == http.StatusOK {
					answered.Add(1)
				} else {
					failed.Add(1)
				}
			}
		}()
	}
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(answered.Load(), failed.Load())
	}
}
