package inspect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

const (
	headerTimeout   = 10 * time.Second
	shutdownTimeout = 5 * time.Second
)

// serve serves the page until ctx ends.
func (i *invocation) serve(ctx context.Context) error {
	var options []HandlerOption
	if i.values.readOnly {
		options = append(options, WithReadOnly())
	}
	var listening net.ListenConfig
	listener, err := listening.Listen(ctx, "tcp", i.values.listen)
	if err != nil {
		return err
	}
	handler := NewHandler(i.Registry, i.sources, options...)
	fmt.Fprintf(i.Stdout, "http://%s/\n", listener.Addr())
	if !i.values.readOnly && !isLoopback(listener.Addr().String()) {
		fmt.Fprintln(i.Stderr, "it answers to this machine alone; others may look with -read-only")
	}
	return serveUntil(ctx, listener, handler)
}

// serveUntil ends the handler too.
func serveUntil(ctx context.Context, listener net.Listener, handler *Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return errors.Join(err, handler.Close())
	case <-ctx.Done():
	}
	// Live updates end with the handler; Shutdown would wait for them.
	closed := handler.Close()
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := errors.Join(closed, server.Shutdown(ending))
	<-failed
	return err
}
