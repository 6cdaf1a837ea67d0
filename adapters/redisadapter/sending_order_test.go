package redisadapter_test

import (
	"fmt"
	"regexp"
	"sync"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// sendTogether has some goroutines send tasks at the same time, each one after the other, and returns their UUIDs by
// goroutine.
func (s *site) sendTogether(t *testing.T, server *machinery.Server, goroutines, each int) [][]string {
	uuids := make([][]string, goroutines)
	var sending sync.WaitGroup
	for g := range goroutines {
		for i := range each {
			uuids[g] = append(uuids[g], fmt.Sprintf("%s-%d-%d", s.name, g, i))
		}
		sending.Go(func() {
			for _, uuid := range uuids[g] {
				_, err := server.SendTask(task("add", uuid))
				assert.NoError(t, err)
			}
		})
	}
	sending.Wait()
	return uuids
}

// listed are the UUIDs of the tasks in the queue that have a prefix, in their order.
func (s *site) listed(t *testing.T, prefix string) (uuids []string) {
	uuid := regexp.MustCompile(`"UUID":"(` + regexp.QuoteMeta(prefix) + `[^"]*)"`)
	for _, body := range s.list(t, s.cnf.DefaultQueue) {
		if found := uuid.FindStringSubmatch(body); found != nil {
			uuids = append(uuids, found[1])
		}
	}
	return uuids
}

func TestTasksOfEachOfManySendersKeepTheirOrder(t *testing.T) {
	onEveryTopology(t, func(t *testing.T, s *site) {
		server, other := sendingServer(t, s), redisadapter.NewBackend(s.cnf, s.client)
		for g, uuids := range s.sendTogether(t, server, 8, 10) {
			require.Equal(t, uuids, s.listed(t, fmt.Sprintf("%s-%d-", s.name, g)))
			for _, uuid := range uuids {
				require.Equal(t, tasks.StatePending, stateOf(t, other, uuid))
			}
		}
	})
}

// The client repeats what has no reply: the tasks that went together may be there twice, and the others once.
func TestNoTaskIsMissingWhenTheReplyToManySendersIsLost(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		reply := &lostReply{text: s.name + "-5-5"}
		options := *s.options
		options.Dialer = reply.dial
		client := redis.NewClient(&options)
		defer func() { require.NoError(t, client.Close()) }()
		losing := &site{client: client, options: s.options, cnf: s.cnf, name: s.name}
		server, other := sendingServer(t, losing), redisadapter.NewBackend(s.cnf, s.client)
		for g, uuids := range losing.sendTogether(t, server, 8, 10) {
			require.Subset(t, s.listed(t, fmt.Sprintf("%s-%d-", s.name, g)), uuids)
			for _, uuid := range uuids {
				require.Equal(t, tasks.StatePending, stateOf(t, other, uuid))
			}
		}
		require.True(t, reply.isLost())
	})
}
