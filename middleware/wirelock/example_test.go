package wirelock_test

import (
	"fmt"
	"os"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware/wirelock"
)

type Order struct {
	ID  string `json:"id"`
	Qty int32  `json:"qty"`
}

type WideOrder struct {
	ID  string `json:"id"`
	Qty int64  `json:"qty"`
}

type TextOrder struct {
	ID  string `json:"id"`
	Qty string `json:"qty"`
}

// printing stands for the *testing.T of a test.
type printing struct{}

func (printing) Helper()             {}
func (printing) Logf(string, ...any) {}
func (printing) Errorf(format string, args ...any) {
	fmt.Printf("the test fails: "+format+"\n", args...)
}

func ExampleCheck() {
	registry := envelope.NewRegistry()
	envelope.MustRegister[TextOrder](registry, "orders.Order")
	var t printing
	wirelock.Check(t, registry.Schema(), "testdata/example.lock") // written with an Order
	// Output:
	// the test fails: wire lock testdata/example.lock: the wire has changed, and breaks:
	// breaking: orders.Order.qty: int32 becomes string
	//     hurts   new workers, by what old senders have sent: queued, delayed and retried messages, periodic tasks, dead letters
	//     hurts   old workers, by new senders
	//     remedy  orders.Order: envelope.Version(2) and envelope.Upgrade(1, …) from the type as it was
}

func ExampleCompare() {
	before, after := envelope.NewRegistry(), envelope.NewRegistry()
	envelope.MustRegister[Order](before, "orders.Order")
	envelope.MustRegister[WideOrder](after, "orders.Order")
	changes := wirelock.Compare(before.Schema(), after.Schema())
	for _, c := range changes {
		fmt.Println(c)
	}
	if wirelock.Verdict(changes) == wirelock.Breaking {
		os.Exit(1)
	}
	// Output:
	// ordered: orders.Order.qty: int32 becomes int64
	//     hurts   old workers, by new senders
	//     order   readers first: deploy workers, then senders
}
