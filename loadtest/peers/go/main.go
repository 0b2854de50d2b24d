// Go's own net/http on both sides: a goroutine per call, replies spliced into one object, which checks that they are JSON.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

var client = &http.Client{Transport: &http.Transport{
	MaxConnsPerHost:     128,
	MaxIdleConnsPerHost: 128,
	IdleConnTimeout:     time.Hour,
	DisableCompression:  true,
}}

type part struct {
	name string
	body json.RawMessage
	err  error
}

func call(origin, path string, into chan<- part) {
	response, err := client.Get(origin + path)
	if err != nil {
		into <- part{err: err}
		return
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %d", path, response.StatusCode)
	}
	into <- part{path[1:], body, err}
}

func main() {
	origin := os.Getenv("ORIGIN")
	count, _ := strconv.Atoi(os.Getenv("FANOUT"))
	http.HandleFunc("GET /fan/{count}", func(response http.ResponseWriter, _ *http.Request) {
		parts := make(chan part, count)
		for index := 1; index <= count; index++ {
			go call(origin, fmt.Sprintf("/a%d", index), parts)
		}
		all := make(map[string]json.RawMessage, count)
		for range count {
			one := <-parts
			if one.err != nil {
				http.Error(response, one.err.Error(), http.StatusBadGateway)
				return
			}
			all[one.name] = one.body
		}
		body, err := json.Marshal(all)
		if err != nil {
			http.Error(response, err.Error(), http.StatusBadGateway)
			return
		}
		response.Header().Set("content-type", "application/json")
		response.Write(body)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("http://%s\n", listener.Addr())
	go func() {
		io.Copy(io.Discard, os.Stdin) // ends with whoever started it
		os.Exit(0)
	}()
	panic(http.Serve(listener, nil))
}
