// Package inspect shows what is in the queues of a Machinery application, and acts on it.
//
// A Source is a broker with its result backend. Packages redisadapter and amqpadapter each have one. NewHandler shows sources in a browser and
// Main on a command line; ParseFilter, SelectLetters and SelectTasks choose what to act on.
package inspect
