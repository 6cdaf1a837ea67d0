package documents_test

import (
	"testing"

	"github.com/machinery-envelope/machinery-envelope/middleware/middlewaretest"
	"github.com/machinery-envelope/machinery-envelope/middleware/wirelock"
)

func TestWire(t *testing.T) {
	s := middlewaretest.NewServer(t, newRegistry()) // with the options that your program gives to Install
	if err := registerTasks(s.Middleware); err != nil {
		t.Fatal(err)
	}
	wirelock.Check(t, s.Middleware.Schema(), "testdata/wire.lock")
}
