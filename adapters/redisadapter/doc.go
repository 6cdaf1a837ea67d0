// Package redisadapter runs Machinery on a go-redis v8 client that you own, and loses no task.
//
// Make a client, make the two parts, and give them to Machinery:
//
//	client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{"localhost:6379"}})
//	cnf := &config.Config{DefaultQueue: "machinery_tasks"}
//	broker := redisadapter.NewBroker(cnf, client)
//	backend := redisadapter.NewBackend(cnf, client)
//	server := machinery.NewServer(cnf, broker, backend, lock)
//
// It needs Redis 6.2 or later: a single server, Sentinel or a Redis Cluster; for the last, see NewClusterClient. TLS,
// passwords, pool sizes and timeouts are the client's affair; an idle worker keeps one connection busy. All parts may
// share one client. None of them ever closes it: close it yourself, after the workers have quit.
//
// # What is promised
//
// Delivery is at least once. A task that a worker takes moves, in one step, to a list of what this worker is
// processing. It is removed from there when it has been processed; until then Redis has it. So no task is lost that
// Redis has confirmed and keeps, whatever becomes of workers and connections:
//   - A worker that dies leaves its list behind. When it has not been heard of for the heartbeat timeout, others put
//     its tasks back at the head of the queue, the oldest first.
//   - A task that could not be processed to its end, because the result backend was down, say, is put back, and comes
//     again after a pause that grows from a second to a minute. A task that fails has been processed: whether it is
//     retried is Machinery's affair.
//   - A lost connection stops nothing. The worker tries until Redis is back, and says so once.
//   - Quit waits for the tasks that run. A worker that is idle takes up to a second to stop.
//   - A task that was delivered too often (see WithDeliveryLimit) goes to the dead letters, and with it what can never
//     be a task. Tasks that two workers died of run apart from each other, so that the one to blame is found out and
//     the others are done.
//   - Delayed tasks become due in the order of their ETA, many at a time, by the clock of Redis.
//   - Tasks that a worker does not know go to the end of its queue, for others.
//
// # Results
//
// A task is RECEIVED for a moment only before it is STARTED, so that RECEIVED is hardly ever seen: it is not written where
// STARTED follows at once. The state of a task only moves forward: when a task that has ended is delivered again, RECEIVED, STARTED and RETRY
// leave its end alone, FAILURE leaves SUCCESS alone, and SUCCESS takes the place of FAILURE. A new send of the same UUID
// begins anew.
//
// The callback of a chord is sent once by the worker that ends the last member. If it dies before it has, it is sent by
// the one that runs that member again, under the same UUID: see WithCallbackTimeout. It is sent twice where it still
// waits in a long queue when that happens, and in rare cases where a worker with Machinery's own backend ends a member
// of the same chord at the same moment.
//
// The end of a task is published on the channel machinery:end:<UUID>, so that middleware.Await wakes at once. Where the
// message is lost, or the worker has Machinery's own backend, Await finds the result within 250 ms by polling.
//
// # What is not
//
// Not exactly once: a task runs again when its worker dies after its effects and before Redis has noted its end, when a
// worker is silent for longer than the heartbeat timeout without being dead, and when a send is repeated because its
// confirmation was lost. Tasks must put up with that: let them do what they do under a key of their own (their UUID is
// the same each time), or check whether it is done already.
//
// Not in order, once a task is delivered again, deferred, or turned away, or as soon as there are several workers.
//
// Not every callback in an outage of Redis that lasts: Machinery's worker does not tell that it could not send one. The
// broker and the backend try for 15 s each; see WithPublishTimeout and WithRetryTimeout.
//
// Not safer than Redis itself. What it confirms and forgets (without appendfsync always, in a failover) is gone:
// replication is asynchronous, and min-replicas-to-write only bounds how much that may be. Redis must not evict keys:
// leave maxmemory-policy at noeviction.
//
// # What is in Redis
//
// Keys and JSON are those of Machinery, so servers and workers that use its Redis brokers and backends can work on the
// same queues and read the same results. What one of its workers takes is delivered at most once; its messages are
// nobody's while it runs them. For the queue q and the delayed tasks d there are
//
//	q                       list: what waits, the next one at its head; Machinery's
//	d                       sorted set: what waits for its ETA, in nanoseconds; Machinery's, delayed_tasks by default
//	{q}:processing:<worker> list: what a worker has taken, the oldest at its head
//	{q}:consumers           sorted set: workers by when their heartbeat is overdue, in milliseconds
//	{q}:deferred            sorted set: what was put back after an error, by when it comes again, in milliseconds
//	{q}:suspects            list: what two workers died of
//	{q}:deliveries          sorted set: SHA-1 of messages by their failed deliveries; at most 10,000
//	{q}:dead                stream: dead letters, unless WithDeadLetters names others; at most 10,000
//	{d}:claimed, {d}:claim  sorted set and string: due tasks on their way to their queues, and who moves them
//
// and the states and groups of the backend, under their UUIDs. The braces keep what belongs together in one slot of a
// Redis Cluster. A name that has a part in braces of its own keeps that instead, as app:{q}:processing:… for
// app:{q}; in a Redis Cluster, names may have no other braces.
//
// Before you go back to Machinery's brokers, let the workers of this package run until no processing, deferred,
// suspects or claimed key is left: Machinery does not look there.
//
// Logs name tasks and their UUIDs, never what they carry.
package redisadapter
