package redisadapter_test

import (
	"testing"
	"time"

	machinerybroker "github.com/RichardKnop/machinery/v2/brokers/redis"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
)

func TestMachinerysWorkerRunsOurTasks(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		theirs := machinerybroker.NewGR(s.cnf, []string{s.options.Addr}, s.options.DB)
		theirs.SetRegisteredTaskNames([]string{"add"})
		var seen journal
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = theirs.StartConsuming("worker", 1, &processor{Func: seen.Add})
		}()
		ours := redisadapter.NewBroker(s.cnf, s.client)
		publish(t, ours, task("add", "a"))
		seen.AwaitInOrder(t, "a")
		publish(t, ours, delayed("b", time.Now().Add(glance)))
		seen.AwaitInOrder(t, "a", "b")

		theirs.StopConsuming()
		await(t, ended)
	})
}

func TestOurWorkerRunsMachinerysTasks(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, s *site) {
		ours := redisadapter.NewBroker(s.cnf, s.client)
		ours.SetRegisteredTaskNames([]string{"add"})
		var seen journal
		work(t, ours, 1, &processor{Func: seen.Add})

		theirs := machinerybroker.NewGR(s.cnf, []string{s.options.Addr}, s.options.DB)
		defer theirs.StopConsuming()
		publish(t, theirs, task("add", "a"))
		seen.AwaitInOrder(t, "a")
		publish(t, theirs, delayed("b", time.Now().Add(glance)))
		seen.AwaitInOrder(t, "a", "b")
	})
}
