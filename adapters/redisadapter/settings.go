package redisadapter

import (
	"time"

	"github.com/RichardKnop/machinery/v2/config"
)

// Machinery's own values, so that a fleet of both kinds of workers behaves alike.
const (
	defaultDelayedTasksKey   = "delayed_tasks"
	defaultPollPeriod        = time.Second
	defaultDelayedPollPeriod = 500 * time.Millisecond
)

func delayedTasksKey(cnf *config.Config) string {
	if cnf.Redis == nil || cnf.Redis.DelayedTasksKey == "" {
		return defaultDelayedTasksKey
	}
	return cnf.Redis.DelayedTasksKey
}

func pollPeriod(cnf *config.Config) time.Duration {
	if cnf.Redis == nil || cnf.Redis.NormalTasksPollPeriod <= 0 {
		return defaultPollPeriod
	}
	return time.Duration(cnf.Redis.NormalTasksPollPeriod) * time.Millisecond
}

func delayedPollPeriod(cnf *config.Config) time.Duration {
	if cnf.Redis == nil || cnf.Redis.DelayedTasksPollPeriod <= 0 {
		return defaultDelayedPollPeriod
	}
	return time.Duration(cnf.Redis.DelayedTasksPollPeriod) * time.Millisecond
}

func resultExpiry(cnf *config.Config) time.Duration {
	if cnf.ResultsExpireIn == 0 {
		return config.DefaultResultsExpireIn * time.Second
	}
	return time.Duration(cnf.ResultsExpireIn) * time.Second
}
