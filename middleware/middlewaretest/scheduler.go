package middlewaretest

import (
	"runtime"
	"time"

	"github.com/RichardKnop/machinery/v2"
	"github.com/robfig/cron/v3"
)

// machinery.NewServer starts a goroutine for its scheduler and keeps the scheduler to itself: nobody can stop it. But
// the goroutine calls cron's logger, which is ours where cron.DefaultLogger is when the server is made. To stop it, we
// register a periodic task with a schedule that nobody else has, and end the goroutine when it tells the logger so.

// lastSchedule is the schedule of the periodic task that ends a scheduler: every 290 years.
const lastSchedule = "@every 2540400h"

var lastDelay = 2540400 * time.Hour

func init() { cron.DefaultLogger = endingLogger{cron.DefaultLogger} }

// endingLogger ends the goroutine of a scheduler that adds lastSchedule.
type endingLogger struct{ cron.Logger }

func (l endingLogger) Info(message string, keysAndValues ...any) {
	if isLast(keysAndValues) {
		runtime.Goexit()
	}
	l.Logger.Info(message, keysAndValues...)
}

// isLast reports whether a message is about an entry whose next time is as far ahead as that of lastSchedule. Cron
// begins an interval at a full second.
func isLast(keysAndValues []any) bool {
	var now, next time.Time
	for i := 1; i < len(keysAndValues); i += 2 {
		switch keysAndValues[i-1] {
		case "now":
			now, _ = keysAndValues[i].(time.Time)
		case "next":
			next, _ = keysAndValues[i].(time.Time)
		}
	}
	return !now.IsZero() && !next.IsZero() && next.Add(-lastDelay).Equal(now.Truncate(time.Second))
}

// stopScheduler ends the goroutine of a server's scheduler. No periodic task can be registered with it from then on.
func stopScheduler(server *machinery.Server) {
	_ = server.RegisterPeriodicTask(lastSchedule, "", nil) // the schedule is good
}
