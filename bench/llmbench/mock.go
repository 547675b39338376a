package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// The ways a provider can behave.
const (
	fine   = "ok"
	broken = "500"
	down   = "down" // nobody listens, connections are refused
)

// provider is one listening address. It counts the requests that reach it.
type provider struct {
	address string
	seen    atomic.Int64
	broken  atomic.Bool

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]struct{}
}

// question is what a request may ask of the mock. Every proxy passes these two standard
// parameters on: max_tokens is the number of chunks, seed the microseconds before each.
type question struct {
	Stream bool `json:"stream"`
	Chunks int  `json:"max_tokens"`
	Delay  int  `json:"seed"`
}

const (
	role  = `{"role":"assistant","content":""}`
	token = `{"content":" word%d"}`
)

var (
	answer  = response("200 OK", `{"id":"chatcmpl-mock","object":"chat.completion","created":1700000000,"model":"mock","choices":[{"index":0,"message":{"role":"assistant","content":"The quick brown fox jumps over the lazy dog and then writes a short, friendly paragraph about sidecars, circuit breakers and the value of having a second provider.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":24,"completion_tokens":32,"total_tokens":56,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}`)
	failure = response("500 Internal Server Error", `{"error":{"message":"mock failure","type":"server_error","param":null,"code":null}}`)

	streamHead = []byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n")
	firstEvent = event(role, "null")
	lastEvents = append(append(event("{}", `"stop"`), chunk("data: [DONE]\n\n")...), chunk("")...)
	tokens     = func() (events [8][]byte) {
		for i := range events {
			events[i] = event(fmt.Sprintf(token, i), "null")
		}
		return events
	}()
)

func response(status, body string) []byte {
	return []byte(fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body))
}

func event(delta, finish string) []byte {
	return chunk(fmt.Sprintf(`data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":"mock","choices":[{"index":0,"delta":%s,"logprobs":null,"finish_reason":%s}]}`+"\n\n", delta, finish))
}

func chunk(data string) []byte {
	return []byte(fmt.Sprintf("%x\r\n%s\r\n", len(data), data))
}

// mock serves every address until standard input ends, so it cannot outlive whoever started it.
// Each line there is "ADDRESS MODE"; the answer is how many requests the address has seen so far.
func mock(addresses []string) {
	providers := map[string]*provider{}
	for _, address := range addresses {
		p := &provider{address: address, open: map[net.Conn]struct{}{}}
		if err := p.behave(fine); err != nil {
			fail(err)
		}
		providers[address] = p
	}
	fmt.Println("ready")
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		var address, mode string
		fmt.Sscan(commands.Text(), &address, &mode)
		p, known := providers[address]
		if !known {
			fail("no such provider: " + commands.Text())
		}
		if err := p.behave(mode); err != nil {
			fail(err)
		}
		fmt.Println(p.seen.Load())
	}
}

// behave changes what requests meet from now on.
func (p *provider) behave(mode string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken.Store(mode == broken)
	if mode == down {
		p.close()
		return nil
	}
	if p.listener != nil {
		return nil
	}
	listener, err := net.Listen("tcp", p.address)
	if err != nil {
		return err
	}
	p.listener = listener
	go p.accept(listener)
	return nil
}

func (p *provider) close() {
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
	for conn := range p.open {
		conn.Close()
	}
}

func (p *provider) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go p.serve(conn)
	}
}

func (p *provider) serve(conn net.Conn) {
	p.mu.Lock()
	p.open[conn] = struct{}{}
	p.mu.Unlock()
	defer func() {
		conn.Close()
		p.mu.Lock()
		delete(p.open, conn)
		p.mu.Unlock()
	}()
	for r := bufio.NewReaderSize(conn, 16<<10); ; {
		var q question
		request, err := http.ReadRequest(r)
		if err != nil || json.NewDecoder(request.Body).Decode(&q) != nil {
			return
		}
		request.Body.Close() // reads what the decoder left
		if p.answer(conn, request.URL.Path, q) != nil {
			return
		}
	}
}

func (p *provider) answer(conn net.Conn, path string, q question) (err error) {
	p.seen.Add(1)
	switch {
	case path != "/v1/chat/completions":
		_, err = conn.Write(response("404 Not Found", "{}"))
	case p.broken.Load():
		_, err = conn.Write(failure)
	case q.Stream:
		err = stream(conn, q.Chunks, time.Duration(q.Delay)*time.Microsecond)
	default:
		_, err = conn.Write(answer)
	}
	return err
}

// stream sends every event by a write of its own, as providers do. Delays do not add up.
func stream(conn net.Conn, chunks int, delay time.Duration) error {
	if _, err := conn.Write(append(streamHead[:len(streamHead):len(streamHead)], firstEvent...)); err != nil {
		return err
	}
	began := time.Now()
	for i := 1; i < chunks; i++ {
		if delay > 0 {
			time.Sleep(time.Until(began.Add(time.Duration(i) * delay)))
		}
		next := tokens[i%len(tokens)]
		if i == chunks-1 {
			next = lastEvents
		}
		if _, err := conn.Write(next); err != nil {
			return err
		}
	}
	return nil
}
