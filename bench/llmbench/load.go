package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	patience = 60 * time.Second // for one whole answer
	lateness = time.Second / 4  // a request that starts later than this was not sent at the rate asked for
)

// plan is one load: who is asked, how, by how many connections, how often and for how long.
type plan struct {
	url         string
	connections int
	rate        float64
	duration    time.Duration
	limit       int64
	ramp        time.Duration
	stream      bool
	chunks      int
	delay       time.Duration
}

// sample is one finished request, in milliseconds from its first byte written. firstToken is the
// end of the second event: the first only names the role.
type sample struct {
	whole, firstToken float64
	chunks            int
	err               string
}

// result is printed as one line of JSON.
type result struct {
	OK            int            `json:"ok"`
	Errors        map[string]int `json:"errors"`
	Seconds       float64        `json:"seconds"`
	CPUSeconds    float64        `json:"cpu_s"`
	Chunks        int            `json:"chunks"`
	P50           float64        `json:"p50_ms"`
	P99           float64        `json:"p99_ms"`
	FirstTokenP50 float64        `json:"first_token_p50_ms"`
	FirstTokenP99 float64        `json:"first_token_p99_ms"`
	First         []float64      `json:"first_ms"` // the first answers of the first connection, in order
}

func load(args []string) {
	p := readPlan(args)
	message := p.request()
	start := time.Now()
	tickets := &tickets{plan: p, start: start}
	samples := make([][]sample, p.connections)
	var workers sync.WaitGroup
	for i := range samples {
		workers.Add(1)
		go func() {
			defer workers.Done()
			time.Sleep(p.ramp * time.Duration(i) / time.Duration(p.connections))
			samples[i] = work(tickets, &client{address: p.host(), message: message, stream: p.stream, chunks: p.chunks})
		}()
	}
	workers.Wait()
	line, _ := json.Marshal(sum(samples, time.Since(start)))
	fmt.Println(string(line))
}

func readPlan(args []string) plan {
	var p plan
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	flags.StringVar(&p.url, "url", "", "whom to ask")
	flags.IntVar(&p.connections, "connections", 1, "kept-alive connections; each has one request in flight")
	flags.Float64Var(&p.rate, "rate", 0, "requests per second; 0 sends the next as soon as the last is answered")
	flags.DurationVar(&p.duration, "duration", time.Second, "send no request after this time")
	flags.Int64Var(&p.limit, "limit", 1e6, "send no more requests than this")
	flags.DurationVar(&p.ramp, "ramp", 0, "spread the first request of each connection over this time")
	flags.BoolVar(&p.stream, "stream", false, "ask for streamed answers")
	flags.IntVar(&p.chunks, "chunks", 200, "chunks of a streamed answer")
	flags.DurationVar(&p.delay, "delay", 0, "time before each chunk")
	flags.Parse(args)
	return p
}

func (p plan) host() string {
	u, err := url.Parse(p.url)
	if err != nil || u.Host == "" {
		fail("not a URL: " + p.url)
	}
	return u.Host
}

// request is the whole message, made once: all requests are the same bytes.
func (p plan) request() []byte {
	body, _ := json.Marshal(map[string]any{
		"model": "mock", "max_tokens": p.chunks, "seed": p.delay.Microseconds(), "stream": p.stream, "temperature": 0.2,
		"messages": []map[string]string{
			{"role": "system", "content": "You are a helpful assistant that answers briefly."},
			{"role": "user", "content": "Explain what a failover sidecar does. " + strings.Repeat("Be exact. ", 10)},
		},
	})
	request, _ := http.NewRequest("POST", p.url, bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer sk-bench")
	var message bytes.Buffer
	request.Write(&message)
	return message.Bytes()
}

// tickets hands out the moments at which requests are to start, to all connections in turn.
type tickets struct {
	plan
	start time.Time
	taken atomic.Int64
}

func (t *tickets) next() (time.Time, bool) {
	number := t.taken.Add(1) - 1
	at := time.Now()
	if t.rate > 0 {
		at = t.start.Add(time.Duration(float64(number) / t.rate * float64(time.Second)))
	}
	if number >= t.limit || at.Sub(t.start) >= t.duration {
		return at, false
	}
	time.Sleep(time.Until(at))
	return at, true
}

func work(t *tickets, c *client) (samples []sample) {
	defer c.close()
	for {
		at, more := t.next()
		if !more {
			return samples
		}
		if time.Since(at) > lateness {
			samples = append(samples, sample{err: "late"})
			continue
		}
		s, err := c.ask()
		if err != nil {
			s.err = err.Error()
			c.close()
		}
		samples = append(samples, s)
	}
}

// client is one kept-alive connection.
type client struct {
	address string
	message []byte
	stream  bool
	chunks  int
	conn    net.Conn
	reader  *bufio.Reader
	buffer  [32 << 10]byte
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

func (c *client) connect() (err error) {
	if c.conn == nil {
		c.conn, err = net.DialTimeout("tcp", c.address, patience)
		c.reader = bufio.NewReaderSize(c.conn, len(c.buffer))
	}
	return err
}

func (c *client) ask() (s sample, err error) {
	if err := c.connect(); err != nil {
		return s, fmt.Errorf("connect")
	}
	sent := time.Now()
	c.conn.SetDeadline(sent.Add(patience))
	if _, err := c.conn.Write(c.message); err != nil {
		return s, fmt.Errorf("write")
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return s, fmt.Errorf("no answer")
	}
	if err := c.read(response.Body, sent, &s); err != nil {
		return s, fmt.Errorf("broken off")
	}
	s.whole = milliseconds(time.Since(sent))
	if response.Close {
		c.close()
	}
	if response.StatusCode != http.StatusOK {
		return s, fmt.Errorf("status %d", response.StatusCode)
	}
	if c.stream && s.chunks != c.chunks {
		return s, fmt.Errorf("not whole")
	}
	return s, nil
}

// read takes the whole body and counts its events, the last of which must be [DONE].
func (c *client) read(body io.Reader, sent time.Time, s *sample) error {
	const done = "data: [DONE]\n\n"
	var tail []byte
	for {
		n, err := body.Read(c.buffer[:])
		piece := c.buffer[:n]
		if c.stream {
			if len(tail) > 0 && n > 0 && tail[len(tail)-1] == '\n' && piece[0] == '\n' {
				s.chunks++ // cut between the two ends of line
			}
			s.chunks += bytes.Count(piece, []byte("\n\n"))
			tail = last(append(tail, last(piece, len(done))...), len(done))
		}
		if s.firstToken == 0 && s.chunks > 1 {
			s.firstToken = milliseconds(time.Since(sent))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if string(tail) == done {
		s.chunks-- // not a chunk
	} else {
		s.chunks = 0
	}
	return nil
}

func last(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

func sum(samples [][]sample, elapsed time.Duration) result {
	r := result{Errors: map[string]int{}, Seconds: elapsed.Seconds(), CPUSeconds: cpuSeconds(), First: []float64{}}
	var wholes, firstTokens []float64
	for connection, all := range samples {
		for _, s := range all {
			if s.err != "" {
				r.Errors[s.err]++
				continue
			}
			r.OK++
			r.Chunks += s.chunks
			wholes = append(wholes, s.whole)
			firstTokens = append(firstTokens, s.firstToken)
			if connection == 0 && len(r.First) < 10 {
				r.First = append(r.First, s.whole)
			}
		}
	}
	r.P50, r.P99 = quantile(wholes, 0.5), quantile(wholes, 0.99)
	r.FirstTokenP50, r.FirstTokenP99 = quantile(firstTokens, 0.5), quantile(firstTokens, 0.99)
	return r
}

func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(len(values)-1, int(q*float64(len(values))))]
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}
