package amqp_test

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Tests run at the same time where they leave each other alone, as far as two processors allow.
var (
	// shared is a node that tests leave as it is.
	shared = &lent{name: "shared", advanced: "[]."}
	// disturbed is a node that one test at a time kills, say, or sets up otherwise.
	disturbed = &lent{name: "disturbed", advanced: passOnAgain}

	// laden is a node that one test at a time keeps busy.
	laden = &lent{name: "laden", advanced: passOnAgain}

	sharing    = make(chan struct{}, 2)
	disturbing = make(chan struct{}, 1)
	// working is for the laden node, and for tests with nodes of their own.
	working = make(chan struct{}, 1)
)

// A lent node starts with the first test that needs it.
type lent struct {
	name, advanced string
	start          sync.Once
	node           *node
	err            error
}

// rabbitMQ returns the node that tests share, which the test must leave as it is.
func rabbitMQ(t *testing.T) *node {
	t.Helper()
	needPrograms(t)
	take(t, sharing)
	return shared.lend(t)
}

// disturbedRabbitMQ returns a node that no other test uses meanwhile. It must be as it was when the test ends.
func disturbedRabbitMQ(t *testing.T) *node {
	t.Helper()
	needPrograms(t)
	take(t, disturbing)
	return disturbed.lend(t)
}

// ladenRabbitMQ returns a node that no other test uses meanwhile, and that is so busy that others would wait.
func ladenRabbitMQ(t *testing.T) *node {
	t.Helper()
	needPrograms(t)
	take(t, working)
	return laden.lend(t)
}

// take waits for a place, which is free again when the test has ended.
func take(t *testing.T, places chan struct{}) {
	places <- struct{}{}
	t.Cleanup(func() { <-places })
}

func (l *lent) lend(t *testing.T) *node {
	t.Helper()
	l.start.Do(func() { l.node, l.err = l.prepare() })
	require.NoError(t, l.err)
	l.node.await(t) // the test before may have failed and left it killed
	return l.node
}

// stop is for the end of all tests.
func (l *lent) stop() {
	if l.node != nil {
		l.node.stop()
	}
}

// prepare starts the node. Many tests need it: where it does not come up, it is started anew once, on other ports.
func (l *lent) prepare() (*node, error) {
	n, err := startNode(l.name, l.advanced)
	if err == nil {
		return n, nil
	}
	fmt.Fprintln(os.Stderr, "started anew:", err)
	return startNode(l.name, l.advanced)
}

// startNode starts a node with an epmd of its own, and waits until it takes connections.
func startNode(name, advanced string) (*node, error) {
	port := freePort()
	epmd, err := startEpmd(port)
	if err != nil {
		return nil, err
	}
	n, err := prepareNode(name, port, advanced)
	if err != nil {
		epmd.remove()
		return nil, err
	}
	n.epmd = epmd
	if err = n.start(); err == nil {
		err = n.up()
	}
	if err != nil {
		n.stop()
		return nil, err
	}
	return n, nil
}
