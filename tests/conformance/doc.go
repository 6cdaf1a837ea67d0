// Package conformance is the suite that every transport must pass: Run runs the same cases over any broker and result
// backend. Its own tests run it over the eager broker, an embedded Redis, a real Redis (through Machinery's brokers and
// through redisadapter) and RabbitMQ; those of tests/backends over the others that Machinery has.
package conformance
