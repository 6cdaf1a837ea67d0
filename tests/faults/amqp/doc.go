// Package amqp tests that no fault loses a task on RabbitMQ: real worker processes are killed, and a RabbitMQ of the
// tests' own is stopped, killed and made to close its connections, while tasks are sent and run.
//
// Tests that leave RabbitMQ as it is share a node and run at the same time. Those that kill or configure one have another
// to themselves, one after the other, and so do those that keep one busy. All nodes end with the tests.
//
// Each worker writes down what it does in a file of its own. The result backend is Machinery's null backend, which
// keeps nothing: the queues of its AMQP backend do not outlive RabbitMQ.
package amqp
