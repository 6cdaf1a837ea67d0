package main

import (
	"testing"

	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

func TestDemoOnRealServers(t *testing.T) {
	t.Run("Redis", func(t *testing.T) { assertSolves(t, "-broker", services.Redis(t)) })
	t.Run("RabbitMQ", func(t *testing.T) { assertSolves(t, "-broker", services.AMQP(t)) })
	t.Run("RabbitMQ and Redis", func(t *testing.T) {
		assertSolves(t, "-broker", services.AMQP(t), "-backend", services.Redis(t))
	})
}

func TestSendAndWorkersOnRealServers(t *testing.T) {
	// A queue of the test's own: what others left in the demo's is not for these workers.
	t.Run("Redis", func(t *testing.T) {
		assertSendsToWorkers(t, "-broker", services.Redis(t), "-queue", newPassingQueue().name)
	})
	t.Run("RabbitMQ", func(t *testing.T) {
		assertSendsToWorkers(t, "-broker", services.AMQP(t), "-queue", newPassingQueue().name)
	})
	t.Run("RabbitMQ and Redis", func(t *testing.T) {
		assertSendsToWorkers(t, "-broker", services.AMQP(t), "-backend", services.Redis(t), "-queue", newPassingQueue().name)
	})
}
