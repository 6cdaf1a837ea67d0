package main

import (
	"context"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-redis/redis/v8"
)

// cpuTime is the time that this process and a server have computed.
type cpuTime struct {
	server func(*testing.B) time.Duration
	begin  time.Duration
}

func startCPU(b *testing.B, server func(*testing.B) time.Duration) *cpuTime {
	b.Helper()
	c := &cpuTime{server: server}
	c.begin = c.now(b)
	return c
}

// report adds the time since startCPU to the benchmark's result, for each task.
func (c *cpuTime) report(b *testing.B) {
	b.ReportMetric((c.now(b)-c.begin).Seconds()/float64(b.N), cpuUnit)
}

func (c *cpuTime) now(b *testing.B) time.Duration {
	b.Helper()
	return ownCPU(b) + c.server(b)
}

// ownCPU is the time that this process has computed.
func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		b.Fatal(err)
	}
	return time.Duration(own.Utime.Nano() + own.Stime.Nano())
}

// ofRedis is a server for startCPU.
func ofRedis(b *testing.B) func(*testing.B) time.Duration {
	b.Helper()
	client := redis.NewClient(redisOptions(b))
	b.Cleanup(func() { _ = client.Close() })
	return func(b *testing.B) time.Duration { return redisCPU(b, client) }
}

// redisCPU is the time that the main process of Redis has computed.
func redisCPU(b *testing.B, client *redis.Client) (sum time.Duration) {
	b.Helper()
	info, err := client.Info(context.Background(), "cpu").Result()
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name != "used_cpu_sys" && name != "used_cpu_user" {
			continue
		}
		seconds, err := strconv.ParseFloat(value, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(seconds * float64(time.Second))
	}
	return sum
}
