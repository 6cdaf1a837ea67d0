// Package security holds the tests of what someone can do who may write to a queue or a result backend: on an embedded
// Redis, a real one and RabbitMQ.
package security
