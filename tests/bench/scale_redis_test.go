package main

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

// scaleRedis is a queue of its own.
type scaleRedis struct {
	cnf    *config.Config
	client *redis.Client
	broker brokersiface.Broker
}

func newScaleRedis(b *testing.B) *scaleRedis {
	b.Helper()
	cnf := newConfig()
	s := &scaleRedis{cnf: cnf, client: newScaleClient(b)}
	s.broker = redisadapter.NewBroker(cnf, s.client)
	b.Cleanup(func() { s.client.Del(context.Background(), cnf.DefaultQueue, cnf.Redis.DelayedTasksKey) })
	return s
}

func newScaleClient(b *testing.B) *redis.Client {
	b.Helper()
	client := redis.NewClient(redisOptions(b))
	b.Cleanup(func() { _ = client.Close() })
	return client
}

// filledRedis has a queue of n tasks.
func filledRedis(b *testing.B, n int) brokersiface.Broker {
	b.Helper()
	return newFilledRedis(b, n).broker
}

func newFilledRedis(b *testing.B, n int) *scaleRedis {
	b.Helper()
	s := newScaleRedis(b)
	s.fill(b, n, func(pipe redis.Pipeliner, i int, message []byte) {
		pipe.RPush(context.Background(), s.cnf.DefaultQueue, message)
	})
	return s
}

// newDelayedRedis has n tasks that are not due for long.
func newDelayedRedis(b *testing.B, n int) *scaleRedis {
	b.Helper()
	s := newScaleRedis(b)
	eta := time.Now().Add(time.Hour).UnixNano()
	s.fill(b, n, func(pipe redis.Pipeliner, i int, message []byte) {
		pipe.ZAdd(context.Background(), s.cnf.Redis.DelayedTasksKey, &redis.Z{Score: float64(eta + int64(i)), Member: message})
	})
	return s
}

// fill adds messages past the broker, which is faster.
func (s *scaleRedis) fill(b *testing.B, n int, add func(pipe redis.Pipeliner, i int, message []byte)) {
	b.Helper()
	for added := 0; added < n; added += manyTasks {
		_, err := s.client.Pipelined(context.Background(), func(pipe redis.Pipeliner) error {
			for i := added; i < min(added+manyTasks, n); i++ {
				message, err := json.Marshal(numbered(i, scaleBytes))
				if err != nil {
					return err
				}
				add(pipe, i, message)
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// scaleDelay is the time of one task that is delayed beside n others.
func scaleDelay(b *testing.B, n int) time.Duration {
	broker := newDelayedRedis(b, n).broker
	eta := time.Now().Add(2 * time.Hour)
	begin := time.Now()
	share(scaleTasks, workers, func(i int) { publish(b, broker, delayed(n+i, eta)) })
	return time.Since(begin) / scaleTasks
}

func delayed(i int, eta time.Time) *tasks.Signature {
	s := numbered(i, scaleBytes)
	s.ETA = &eta
	return s
}

// scaleDue is the time from when many tasks are due, beside n that are not, until all are done.
func scaleDue(b *testing.B, n int) time.Duration {
	broker := newDelayedRedis(b, n).broker
	var running sync.WaitGroup
	defer work([]brokersiface.Broker{broker}, workers, running.Done)()
	running.Add(dueTasks)
	eta := time.Now().Add(2 * time.Second)
	share(dueTasks, workers, func(i int) { publish(b, broker, delayed(n+i, eta)) })
	if time.Now().After(eta) {
		b.Fatal("it took too long to send the tasks")
	}
	running.Wait()
	return time.Since(eta)
}

// scaleWorkers is the time of one task that is done by so many workers.
func scaleWorkers(b *testing.B, n int) time.Duration {
	s := newFilledRedis(b, scaleTasks)
	brokers := make([]brokersiface.Broker, n)
	for i := range brokers {
		brokers[i] = redisadapter.NewBroker(s.cnf, newScaleClient(b))
	}
	return doneBy(b, brokers, workers, scaleTasks)
}
