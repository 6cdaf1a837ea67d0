package redisadapter_test

import (
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"testing"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	machinerybackend "github.com/RichardKnop/machinery/v2/backends/redis"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// BenchmarkStates writes what a worker writes of a task, eight at a time.
func BenchmarkStates(b *testing.B) {
	options := realRedis(b)
	client := redis.NewClient(options)
	defer client.Close()
	for name, backend := range map[string]backendsiface.Backend{
		"ours":                 redisadapter.NewBackend(newConfig(), client),
		"machinery's redigo":   machinerybackend.New(newConfig(), options.Addr, options.Username, options.Password, "", options.DB),
		"machinery's go-redis": machinerybackend.NewGR(newConfig(), []string{options.Addr}, options.DB),
	} {
		b.Run(name, func(b *testing.B) {
			prefix := "test-" + rand.Text()
			results := []*tasks.TaskResult{{Type: "int64", Value: int64(7)}}
			var n atomic.Int64
			b.SetParallelism(4)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					signature := task("add", fmt.Sprint(prefix, n.Add(1)))
					if backend.SetStateReceived(signature) != nil || backend.SetStateStarted(signature) != nil ||
						backend.SetStateSuccess(signature, results) != nil {
						b.Fail()
					}
				}
			})
		})
	}
}
