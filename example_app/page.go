package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect/otelinspect"
	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// page shows in a browser what is in the queues, and under /metrics how much, for Prometheus. A nil page shows nothing.
type page struct {
	handler *inspect.Handler
	server  *http.Server
	ended   chan error
}

// servePage serves the page of a transport, if that is wanted.
//
// Without a role for whoever asks, the page answers to this machine alone; in a container nobody is on this machine. An
// application says who may do what by inspect.WithAuthorize. The demo has no users, so that there it can only be read.
func servePage(ctx context.Context, options options, t *transport, r *envelope.Registry, m *metrics, out io.Writer) (*page, error) {
	if options.inspect == "" {
		return nil, nil
	}
	var listening net.ListenConfig
	listener, err := listening.Listen(ctx, "tcp", options.inspect)
	if err != nil {
		return nil, fmt.Errorf("-inspect: %w", err)
	}
	source := t.newSource()
	if _, err := otelinspect.Observe(m.meter, source); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	var handling []inspect.HandlerOption
	if options.readOnly {
		handling = append(handling, inspect.WithReadOnly())
	}
	p := &page{handler: inspect.NewHandler(r, []inspect.Source{source}, handling...), ended: make(chan error, 1)}
	routes := http.NewServeMux()
	routes.Handle("/", p.handler)
	routes.Handle("GET /metrics", m)
	p.server = &http.Server{Handler: routes, ReadHeaderTimeout: reachTimeout}
	go func() { p.ended <- p.server.Serve(listener) }()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	fmt.Fprintf(out, "page      http://localhost:%s/\n", port)
	return p, nil
}

// stay lets the page be looked at until ctx ends.
func (p *page) stay(ctx context.Context, out io.Writer) {
	if p == nil {
		return
	}
	fmt.Fprintln(out, "the page stays until Ctrl-C")
	<-ctx.Done()
}

func (p *page) close() error {
	if p == nil {
		return nil
	}
	closed := p.handler.Close() // ends live updates, for which Shutdown would wait
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := p.server.Shutdown(ctx)
	if served := <-p.ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return errors.Join(closed, err)
}
