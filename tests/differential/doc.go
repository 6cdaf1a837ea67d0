// Package differential sends the same tasks through Machinery alone and through a server on which the middleware is
// installed, with an empty registry and without options, and compares all that can be told: the messages in the queue,
// what the task functions get and how often, the errors of the senders, and what the result backend holds. The tasks
// are registered with Machinery on both: whoever installs the middleware and does nothing else shall not be able to
// tell. Its own tests run it over Redis and RabbitMQ, those of tests/backends over the other brokers.
package differential
