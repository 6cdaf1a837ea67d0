package redisadapter

import (
	"bufio"
	"context"
	"log/slog"
	"maps"
	"strconv"
	"strings"

	"github.com/go-redis/redis/v8"
)

// oldest is the first version of Redis that has all commands, as major and minor number.
var oldest = [2]int{6, 2}

// checkServer warns of a Redis that loses tasks by its configuration or is too old. Some services do not let us look.
func checkServer(ctx context.Context, client redis.UniversalClient, logger *slog.Logger) {
	info := make(map[string]string)
	for _, section := range []string{"server", "memory"} { // without one, INFO may end a miniredis that is being closed
		text, err := client.Info(ctx, section).Result()
		if ctx.Err() != nil {
			return // the worker stops
		}
		if err != nil {
			logger.Info("could not look at the version and the maxmemory-policy of redis", "error", err)
			return
		}
		maps.Copy(info, parseInfo(text))
	}
	switch policy := info["maxmemory_policy"]; policy {
	case "noeviction":
	case "":
		logger.Info("could not look at the maxmemory-policy of redis: it must be noeviction")
	default:
		logger.Warn("redis may evict tasks and results: its maxmemory-policy must be noeviction", "policy", policy)
	}
	if version := info["redis_version"]; isOlder(version) {
		logger.Warn("redis is too old: it must be 6.2 or later", "version", version)
	}
}

// parseInfo reads a reply of INFO: a field and its value on each line.
func parseInfo(text string) map[string]string {
	info := make(map[string]string)
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		if field, value, found := strings.Cut(lines.Text(), ":"); found {
			info[field] = strings.TrimSpace(value)
		}
	}
	return info
}

// isOlder is false for what is no version.
func isOlder(version string) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	major, majorErr := strconv.Atoi(parts[0])
	minor, minorErr := strconv.Atoi(parts[1])
	if majorErr != nil || minorErr != nil {
		return false
	}
	return major < oldest[0] || major == oldest[0] && minor < oldest[1]
}
