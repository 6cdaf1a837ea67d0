// Package redis does to Redis and to workers what happens to them in service: they are killed, restarted, cut off and
// sent nonsense, while every effect of every task is counted. It consists of tests alone.
package redis
