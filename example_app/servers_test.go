package main

import (
	"testing"

	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

func TestDemoOnRealServers(t *testing.T) {
	t.Parallel()
	t.Run("Redis", func(t *testing.T) {
		t.Parallel()
		assertSolves(t, "-broker", services.Redis(t))
	})
	t.Run("RabbitMQ", func(t *testing.T) {
		t.Parallel()
		assertSolves(t, "-broker", services.AMQP(t))
	})
	t.Run("RabbitMQ and Redis", func(t *testing.T) {
		t.Parallel()
		assertSolves(t, "-broker", services.AMQP(t), "-backend", services.Redis(t))
	})
}

func TestSendAndWorkersOnRealServers(t *testing.T) {
	t.Parallel()
	// A queue of the test's own: what others left in the demo's is not for these workers.
	t.Run("Redis", func(t *testing.T) {
		t.Parallel()
		assertSendsToWorkers(t, "-broker", services.Redis(t), "-queue", newTemporaryQueue().name)
	})
	t.Run("RabbitMQ", func(t *testing.T) {
		t.Parallel()
		assertSendsToWorkers(t, "-broker", services.AMQP(t), "-queue", newTemporaryQueue().name)
	})
	t.Run("RabbitMQ and Redis", func(t *testing.T) {
		t.Parallel()
		assertSendsToWorkers(t, "-broker", services.AMQP(t), "-backend", services.Redis(t), "-queue", newTemporaryQueue().name)
	})
}
