// Package conformance holds the suite that every transport must pass: the same
// cases over the eager broker, an embedded Redis, a real Redis (through
// Machinery's brokers and through redisadapter) and RabbitMQ.
package conformance
