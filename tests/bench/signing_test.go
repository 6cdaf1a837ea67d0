package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/backends/null"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// A loop is a broker that delivers in place what is published.
type loop struct{ taker }

func (l *loop) AdjustRoutingKey(s *tasks.Signature) { s.RoutingKey = "queue" }

func (l *loop) Publish(_ context.Context, s *tasks.Signature) error {
	received := *s
	return l.processor.Process(&received)
}

// hmacKey is a MAC out of the standard library.
type hmacKey []byte

func (k hmacKey) ComputeMAC(data []byte) ([]byte, error) {
	h := hmac.New(sha256.New, k)
	h.Write(data)
	return h.Sum(nil), nil
}

func (k hmacKey) VerifyMAC(mac, data []byte) error {
	if want, _ := k.ComputeMAC(data); !hmac.Equal(mac, want) {
		return errors.New("wrong code")
	}
	return nil
}

func newTinkMAC(b *testing.B) middleware.MAC {
	key, err := keyset.NewHandle(mac.HMACSHA256Tag256KeyTemplate())
	if err != nil {
		b.Fatal(err)
	}
	primitive, err := mac.New(key)
	if err != nil {
		b.Fatal(err)
	}
	return primitive
}

func BenchmarkSigning(b *testing.B) {
	for _, by := range []struct {
		name string
		opts []middleware.Option
	}{
		{"none", nil},
		{"hmac", []middleware.Option{middleware.SignTasks(hmacKey("0123456789abcdef0123456789abcdef"))}},
		{"tink", []middleware.Option{middleware.SignTasks(newTinkMAC(b))}},
	} {
		b.Run("by="+by.name, func(b *testing.B) { send(b, by.opts...) })
	}
}

// send times a task from Publish to the end of the task.
func send(b *testing.B, opts ...middleware.Option) {
	broker := &loop{}
	server := machinery.NewServer(newConfig(), broker, null.New(), eagerlock.New())
	m, err := middleware.Install(server, registry, opts...)
	if err != nil {
		b.Fatal(err)
	}
	calls := 0
	if err := server.RegisterTask("task", func(first, second string) error { calls++; return nil }); err != nil {
		b.Fatal(err)
	}
	if _, err := server.GetBroker().StartConsuming("", 0, caller{server: server}); err != nil {
		b.Fatal(err)
	}
	order := newOrder(10) // 1 KB in its envelope
	sent, err := m.Signature(context.Background(), "task", order, order)
	if err != nil {
		b.Fatal(err)
	}
	sent.UUID = "task_2f1c4f0e-6f0a-4d5e-9b57-0f3f3a1f7a11"
	b.ReportAllocs()
	for b.Loop() {
		if err := server.GetBroker().Publish(context.Background(), sent); err != nil {
			b.Fatal(err)
		}
	}
	if calls != b.N {
		b.Fatalf("%d calls of %d", calls, b.N)
	}
}
