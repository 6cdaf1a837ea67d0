// Package management reads the HTTP API of RabbitMQ's management plugin.
//
// What comes from there is foreign: its size is bounded, and a value that is not what it should be is unknown.
package management
