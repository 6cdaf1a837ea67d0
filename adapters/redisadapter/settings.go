package redisadapter

import (
	"time"

	"github.com/RichardKnop/machinery/v2/config"
)

const (
	// defaultDelayedTasksKey and defaultPollPeriod are Machinery's, so that a fleet of both kinds of workers behaves alike.
	defaultDelayedTasksKey = "delayed_tasks"
	defaultPollPeriod      = time.Second
	// defaultDelayedPollPeriod is twice Machinery's: to look for delayed tasks is most of what an idle worker asks for.
	defaultDelayedPollPeriod = time.Second
)

func delayedTasksKey(cnf *config.Config) string {
	if cnf.Redis == nil || cnf.Redis.DelayedTasksKey == "" {
		return defaultDelayedTasksKey
	}
	return cnf.Redis.DelayedTasksKey
}

// pollPeriod is for how long a worker waits whose PreConsumeHandler refuses. Waiting for tasks is up to Redis.
func pollPeriod(cnf *config.Config) time.Duration {
	if cnf.Redis == nil || cnf.Redis.NormalTasksPollPeriod <= 0 {
		return defaultPollPeriod
	}
	return time.Duration(cnf.Redis.NormalTasksPollPeriod) * time.Millisecond
}

// delayedPollPeriod is at most between two looks of a worker at the delayed tasks: others may delay tasks without telling.
func delayedPollPeriod(cnf *config.Config) time.Duration {
	if cnf.Redis == nil || cnf.Redis.DelayedTasksPollPeriod <= 0 {
		return defaultDelayedPollPeriod
	}
	return time.Duration(cnf.Redis.DelayedTasksPollPeriod) * time.Millisecond
}

// resultExpiry returns 0 for results that never expire.
func resultExpiry(cnf *config.Config) time.Duration {
	if cnf.ResultsExpireIn == 0 {
		return config.DefaultResultsExpireIn * time.Second
	}
	if cnf.ResultsExpireIn < 0 {
		return 0
	}
	return time.Duration(cnf.ResultsExpireIn) * time.Second
}
