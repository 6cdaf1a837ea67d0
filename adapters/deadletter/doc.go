// Package deadletter says what dead letters are, whichever broker keeps them: messages that no worker can process, kept
// as the bytes they came in, with the reason, until somebody replays or drops them.
//
// Packages redisadapter and amqpadapter each have a Store.
package deadletter
