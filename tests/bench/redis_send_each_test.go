package main

import (
	"context"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
)

// benchmarkSendEach times as many tasks as a group has, one after the other.
func benchmarkSendEach(b *testing.B, server *machinery.Server) {
	removeQueue(b, server)
	m := installed(b, server)
	groups := make([]*tasks.Group, b.N)
	for i := range groups {
		groups[i] = newGroup(b)
	}
	b.ResetTimer()
	for _, group := range groups {
		for _, member := range group.Tasks {
			if _, err := m.SendTask(context.Background(), member); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.StopTimer()
	needWaiting(b, server)
}

// needWaiting fails a benchmark whose groups' members are not all in the queue.
func needWaiting(b *testing.B, server *machinery.Server) {
	b.Helper()
	client := redis.NewClient(redisOptions(b))
	defer client.Close()
	if got := lengthOf(b, client, server.GetConfig().DefaultQueue); got != b.N*groupMembers {
		b.Fatalf("%d tasks wait of %d that were sent", got, b.N*groupMembers)
	}
}
