// Package redisadapter runs Machinery on a go-redis v8 client that you own, and loses no task.
//
// Make a client, make the two parts, and give them to Machinery:
//
//	client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{"localhost:6379"}})
//	cnf := &config.Config{DefaultQueue: "machinery_tasks"}
//	broker := redisadapter.NewBroker(cnf, client)
//	backend := redisadapter.NewBackend(cnf, client)
//	server := machinery.NewServer(cnf, broker, backend, redisadapter.NewLock(client))
//
// It needs Redis 6.2 or later: a single server, Sentinel or a Redis Cluster; for the last, see NewClusterClient. TLS,
// passwords, pool sizes and timeouts are set on the client; an idle worker keeps one connection busy, and half of a
// pool is left to all else: workers beyond that look for tasks once a second, which the log says once. A worker of
// several queues (see WithQueues and WithQueueWeights), or of a queue in shards (see WithShards), counts once for each. All
// parts may share one client. None of them ever closes it: close it yourself, after the workers have quit.
//
// # What is promised
//
// Delivery is at least once. A task that a worker takes moves, in one step, to a list of what this worker is
// processing. It is removed from there when it has been processed; until then Redis has it. So no task is lost that
// Redis has confirmed and keeps, whatever becomes of workers and connections:
//   - A worker that dies leaves its list behind. When it has not been heard of for the heartbeat timeout, others put
//     its tasks back at the head of the queue, the oldest first.
//   - A task whose processing ends with an error is put back with a growing pause (see WithBackoff). A task that fails
//     has been processed: whether it is retried is up to Machinery.
//   - After WithMaxAttempts of either a task goes to the dead letters, and so does at once what is no task or has
//     arguments that Machinery cannot reflect. Tasks that two workers died of run one at a time, so that it is clear
//     which of them kills workers, and the others are done. Dead letters are all kept, unless WithMaxDeadLetters or
//     WithMaxDeadLetterBytes says otherwise. A message comes there once, however often Redis' replies are lost within
//     an hour, and again only where its worker dies before it has removed the message from its queue.
//   - That the result backend fails, whichever it is, counts as no attempt. The worker takes no tasks then, but for one
//     after each pause to find out whether the backend works again. With the middleware a task that has run does not
//     run again for it: how it has ended is written again until the backend has it, and only then what follows it is
//     sent. If the worker has to stop before, the task is kept, and runs again.
//   - That the payload store fails counts as no attempt either: the task comes again with a growing pause, up to a
//     minute, for as long as that lasts. A payload that is gone fails its task at once with envelope.ErrMissingPayload.
//   - A task is done when what follows it is sent: its callbacks, the next step of its chain, the callback of its
//     chord, its retry. The worker tries until it succeeds. If it has to stop before, the task is kept, and runs again.
//     This holds with the backend of this package; Machinery's own may fail without the broker being told.
//   - A worker runs no more functions of tasks at a time than its concurrency, unless one of them writes by the backend
//     how its own task has ended. Where broker and backend share a client, the next task begins when a function has
//     returned, while the end of that one's task is written and what follows it is sent. At a concurrency of 8 that may
//     be so for 7 tasks beside the 8 that run, and all 15 may run again when the worker dies. Post-task and error
//     handlers run beside the next tasks then. At a concurrency of 1 a task begins when all is done for the one before.
//   - A lost connection stops nothing. The worker tries until Redis is back, and logs that once.
//   - Quit waits for the tasks that run. A worker that is idle takes up to a second to stop, one that has been so for
//     longer up to two (six with WithOwnSendersOnly), and where Redis does not answer up to WithStopTimeout.
//   - An idle worker makes no more than two requests a second with all defaults, and one in two seconds with
//     WithOwnSendersOnly.
//   - On a Redis that has reached maxmemory, workers go on and empty it: they take tasks, write states, send callbacks
//     and keep dead letters. Who sends a task gets Redis' error at once.
//   - No reply to a worker brings more than 1 MiB of messages, but for a single message that is larger. Where replies
//     do not come in time it asks for less. A message must come within the ReadTimeout of the client.
//   - Sends of a process share round trips: what is sent while Redis answers others goes together. Where broker and
//     backend share a client that is not one of a Cluster, a task and its state PENDING are sent together: both arrive, or
//     neither; where the message has 64 KiB or more the state arrives first. Between SetStatePending and Publish the state
//     is written 10 ms late, or when GetState of that backend asks.
//   - Delayed tasks become due in the order of their ETA, many at a time, by the clock of Redis. What is delayed with
//     this package is published on the channel machinery:sooner:<d> where it comes before all others, so that it starts
//     at its ETA; what Machinery's own brokers delay starts within DelayedTasksPollPeriod.
//   - When the clock of Redis is set back, what was to come soon by the old time comes soon by the new one too: the
//     tasks of dead workers, and those that were put back. Delayed tasks keep their ETA.
//   - Workers take nothing from a queue that is paused (see NewSource), and what they run goes on. When it is resumed they
//     hear of it on the channel machinery:sooner:<d>, or see it within two seconds (six with WithOwnSendersOnly).
//   - A task that a worker does not know goes to the end of its queue, for others, without its priority.
//   - With WithPriorities those of high Priority are taken first; with WithQueueWeights no queue starves, and with
//     WithQueues those that are named first are emptied first.
//   - With WithShards a queue of a Redis Cluster lies on several masters. While the number of shards changes no task is left
//     behind, in the order that WithShards says.
//
// # Results
//
// RECEIVED is written when a task has been so for 10 ms, or when GetState of the worker's backend asks, and so is STARTED
// where broker and backend share a client: the state of a short task is PENDING until it has ended. Otherwise, and while
// Redis fails, STARTED is written at once: a worker begins no task whose end it may not be able to write. The state of a
// task only moves forward: when a task that has ended is delivered again, RECEIVED, STARTED and RETRY leave its end
// alone, FAILURE leaves SUCCESS alone, and SUCCESS takes the place of FAILURE. A new send of the same UUID begins anew.
//
// The callback of a chord is sent once by the worker that ends the last member. If it dies before it has, it is sent by
// the one that runs that member again, under the same UUID: see WithCallbackTimeout. It is sent twice where it still
// waits in a long queue when that happens, and in rare cases where a worker with Machinery's own backend ends a member
// of the same chord at the same moment.
//
// The states of a chord's members and its group are kept until all members have ended, for as long as WithChordExpiry
// says (7 days by default), and expire ResultsExpireIn after that; those of another group's members until each has ended.
// A chord whose group is gone all the same fails with ErrGroupGone: Await returns that, and its members do not run again.
//
// Where a sender dies before it has sent all members of a group or a chord, those that were sent run, and the callback
// does not. The states of the others expire after WithChordExpiry. An Await of them, or of the chord, that has begun
// before returns middleware.ErrStateGone within seconds of that; one that begins later waits until its context ends, as
// for any task whose state is not kept: it may be about to be sent. ResultsExpireIn: -1 keeps all states and groups for
// ever: then Await waits for such a member until its context ends, and its keys stay until somebody deletes them.
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
// Not in order, once a task is delivered again, deferred or returned, or as soon as there are several workers.
//
// Not safer than Redis itself. What it confirms and forgets (without appendfsync always, in a failover) is gone: with
// appendfsync everysec that is what was sent in the last two seconds before it was killed; the steps of a chain that
// Redis has kept go on. Replication is asynchronous, and min-replicas-to-write only bounds how much that may be. Redis
// must not evict keys: leave maxmemory-policy at noeviction. The first worker of a broker looks at INFO, and the log
// warns of a policy that evicts and of a Redis that is too old, or says that it could not look; it warns too of commands
// and keys that the user may not use.
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
//	{q}:isolated            list: what two workers died of, to run one at a time
//	{q}:deliveries          sorted set: SHA-1 of messages by their failed deliveries; at most 10,000
//	{q}:priorities          string: that the queue has priorities; only with WithPriorities
//	{q}:priority:<n>        list: what waits with priority n, from 1 to 9, the next one at its head
//	{q}:paused              string: that workers take nothing from the queue, since then; until inspect.Source.Resume
//	{q}:done                string: how many messages workers have done; once they have, it stays
//	{q}:worker:<worker>     string: what a worker tells of itself and of the tasks it runs; expires with its heartbeat
//	{q}:check               string: for the check of permissions at a worker's start; is removed at once
//	{q}:dead                stream: dead letters, unless WithDeadLetters names others
//	{shard-<i>.<k>}:q       list: shard i of the queue, from 1 on, as q; beside it are its own keys, as
//	                        {shard-<i>.<k>}:q:consumers, but for dead letters; only with WithShards
//	{l}:replaying:<id>      string: that somebody replays this letter of the dead letters l; expires after 10 s
//	{l}:added:<token>       string: that this letter was added, should that be repeated; expires after an hour
//	{l}:queues              set: the queues whose workers have used these dead letters, to which letters are replayed
//	{l}:bytes               string: how many bytes the letters have; only with WithMaxDeadLetterBytes
//	{g}:ended               set: members of the chord's group g that have ended
//	{d}:queues              set: the queues, and shards, that workers have consumed, for inspect.Source
//	{d}:claimed, {d}:claim  sorted set and string: due tasks on their way to their queues, and who moves them
//
// and the states and groups of the backend, under their UUIDs. The braces keep what belongs together in one slot of a
// Redis Cluster. A name that has a part in braces of its own keeps that instead, as app:{q}:processing:… for
// app:{q}; in a Redis Cluster, names may have no other braces.
//
// Before you go back to Machinery's brokers, let the workers of this package run until no processing, deferred,
// isolated, priority or claimed key is left, and no shard: Machinery does not look there.
//
// # Permissions
//
// All that this package asks of a single Redis is in this line, for the queue machinery_tasks, delayed_tasks, dead
// letters of the queue, task UUIDs as Machinery makes them, and a store and a lock with their default keys. Further
// queues, and other dead letters, need two patterns each as those of machinery_tasks, and shards of that queue
// ~{shard-*}:machinery_tasks and ~{shard-*}:machinery_tasks:* too.
//
//	ACL SETUSER machinery on >password resetkeys resetchannels -@all
//	  ~machinery_tasks ~{machinery_tasks}:* ~delayed_tasks ~{delayed_tasks}:*
//	  ~task_* ~group_* ~{group_*}:ended ~chord_* ~machinery:payload:* ~machinery_lock_*
//	  &machinery:end:* &machinery:sooner:delayed_tasks
//	  +blmove +decrby +del +eval +evalsha +exists +get +getrange +info +lindex +llen +lmove +lpop +lpos +lpush +lrange
//	  +lrem +lset +persist +pexpire +ping +pttl +publish +rpush +sadd +scard +set +sismember +smembers +srem +strlen
//	  +subscribe +time +unsubscribe +xadd +xdel +xlen +xrange +xrevrange +zadd +zcard +zincrby +zrange +zrangebyscore
//	  +zrank +zrem +zremrangebyrank +zscore
//
// The rights +lset and +smembers are for inspect.Source alone. A Redis Cluster needs +cluster|slots and +command too,
// which its client asks. Without +info workers cannot warn of Redis' configuration. Without +publish Await polls; without
// it, or the channel machinery:sooner:delayed_tasks, delayed tasks start within DelayedTasksPollPeriod. Without +getrange
// each member of a chord that ends reads the states of all, and a source cuts no long state. Without +ping and
// +unsubscribe connections that listen are made anew. All else fails without its right, with an error that names it.
//
// # What was tried where
//
//	Redis 7.0.15             alone, TLS, Sentinel, Cluster  all tests, those of faults among them
//	Redis 8.0.2              alone, Sentinel, Cluster       the tests of this package, the conformance suite
//	Valkey 8.1.1 and 9.1.2   alone, Sentinel, Cluster       the same
//	miniredis                alone                          the tests of this package that need no other
//
// Redis 6.2 has all commands, and was not tried; nor was a service that others run.
//
// Logs name tasks and their UUIDs, never what they carry.
package redisadapter
