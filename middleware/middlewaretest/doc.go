// Package middlewaretest runs the tasks of an application in its own tests, without Redis or RabbitMQ:
//
//	func TestPrice(t *testing.T) {
//		s := middlewaretest.NewServer(t, newRegistry())
//		require.NoError(t, registerTasks(s.Middleware))
//
//		signature, err := s.Middleware.Signature(t.Context(), "orders.price", Order{ID: "o-1", Qty: 3}, 250)
//		require.NoError(t, err)
//		quote, err := middlewaretest.Run[Quote](t, s.Middleware, signature)
//	}
//
// A Server is a *machinery.Server whose broker and result backend are in memory and do what Machinery's do: each task
// goes through the JSON of its message and of its states, waits in the queue that it names, is put off until its ETA,
// is retried, and triggers the callbacks, the next step of its chain and the callback of its chord. Like the brokers of
// packages redisadapter and amqpadapter it delivers at least once and keeps dead letters.
//
// Tasks wait until the test has them run: Run runs what is due, RunOne one of it, both on the goroutine of the test, in
// the order in which they are due; Signature.Priority plays no part. Sent, RequireSent and RequireNotSent look at what
// was sent. Whoever waits for a result before the task has run, with middleware.Await for one, waits until the context
// ends. Workers can also be launched as in production; they end with the test.
//
// # Time
//
// A server has a clock of its own, which says what is due. It stands still until Advance puts it forward, so that what
// a test finds does not depend on how fast it runs. Everybody else reads time.Now: the application when it sets an ETA,
// Machinery when it puts off a retry, and the tasks themselves. The two meet when a task is published: what its ETA is
// ahead of time.Now then, the task is put off by the clock of the server. So a task with an ETA in an hour is due after
// Advance(time.Hour), also where the clock was put forward before. Expiry times that others compute from time.Now, such
// as those of contexts and of signatures (see middleware.SignTasks), do not move with Advance.
//
// In a bubble of testing/synctest there is one clock: that of the server is time.Now, and Advance sleeps. Contexts,
// time.Sleep in tasks and Machinery's periodic tasks keep to it too. A periodic task fires there when time.Now
// reaches its time, and outside of bubbles by the real clock only.
//
// A launched worker cannot wait for Advance: from then on the clock of the server runs on by itself. Advance still puts
// it forward.
//
// # Faults
//
// FailPublish, LoseConnection, Redeliver, Corrupt and KillWorkerAfter make happen what happens in production, and
// RequireIdempotent tries a task on all of its deaths.
//
// # Output
//
// Machinery logs every task to the standard output. Its log.Set, called in TestMain, makes it quiet:
//
//	log.Set(stdlog.New(io.Discard, "", 0)) // github.com/RichardKnop/machinery/v2/log and the standard log
//
// # Leaks
//
// No goroutine of a server outlives its test, so goleak and synctest find none. Two are not the server's: importing
// Machinery starts one of go.opencensus.io, and a group of which a member cannot be published leaves one of Machinery's
// SendGroupWithContext behind. To stop the scheduler of a machinery.Server, which offers no way to it, the package sets
// cron.DefaultLogger of github.com/robfig/cron/v3 to a logger that passes on what it gets.
package middlewaretest
