// Package amqpadapter runs Machinery on RabbitMQ.
//
// Say where RabbitMQ is, make the two parts, and give them to Machinery. Results are best kept in Redis (see Results):
//
//	cnf := &config.Config{
//		Broker:       "amqp://guest:guest@localhost:5672/",
//		DefaultQueue: "machinery_tasks",
//		AMQP: &config.AMQPConfig{
//			Exchange: "machinery_exchange", ExchangeType: "direct", BindingKey: "machinery_task", PrefetchCount: 3,
//		},
//	}
//	broker := amqpadapter.NewBroker(cnf)
//	defer broker.(amqpadapter.Broker).Close()
//	server := machinery.NewServer(cnf, broker, redisadapter.NewBackend(cnf, client), lock)
//
// # Mixing with Machinery's own AMQP broker
//
// Exchange, queues, bindings and messages are Machinery's, so that servers and workers of both kinds may share queues.
// Two things differ. With a direct exchange, tasks of the default queue go to the default queue, and no queue is made
// that is named after the binding key: Machinery's Publish makes one where the two names differ, and nobody reads it. A
// worker of another queue binds it with its own name only, and removes the binding with the default key that
// Machinery's worker has made, because of which default tasks would run there too.
//
// A queue that exists with other arguments or as another type is used as it is, which the broker logs once. Machinery's
// own brokers fail there. Only config.AMQPConfig.DelayedQueue must exist just as it is declared.
//
// # What is promised
//
// Delivery is at least once. Publish returns when RabbitMQ has confirmed the task, and the task stays there until the
// worker has processed it. Where a connection is lost in between, a task may be sent, or run, twice:
//   - A task whose worker is lost, with its process or its connection, comes again. So may one that has ended in the
//     last millisecond before: acknowledgements wait that long for each other, where PrefetchCount is above the worker's
//     concurrency, or 0. So many wait as it is above, at most half of PrefetchCount, and 32. A task that was due may be
//     delivered twice likewise.
//   - A task that could not be processed to its end, because the result backend was down, say, is put back, and comes
//     again after a pause (see WithBackoff). A task that fails has been processed: whether it is retried is Machinery's
//     affair.
//   - A task that takes longer than RabbitMQ waits for an acknowledgement (see WithConsumerTimeout) is delivered again.
//     The worker that still runs it, or has ended it, does not run it twice; another worker does, from the second time on
//     as a further attempt: raise RabbitMQ's consumer_timeout, or set WithConsumerTimeout, where tasks take so long.
//   - What a task sends after it, such as its callbacks, the next task of a chain or itself for a retry, is tried for
//     as long as the worker runs, whatever becomes of the task's context, and the task is done when it is sent: an
//     outage, or an alarm in which RabbitMQ takes no messages, is waited out, and the task counts among those that the
//     worker runs meanwhile. A worker that has to stop before that leaves the task to others: it runs again. What can
//     never be sent goes to the dead letters of WithDeadLetters, or else of the default queue; where these cannot take
//     it either, because RabbitMQ takes no message so large or because it has no JSON, they get the beginning of it,
//     which cannot be replayed. Where they take nothing at all, the task is put back, and that counts as an attempt.
//   - RabbitMQ closes the channel on which a process sends, up to 256 tasks at a time, for one that it refuses: the
//     exchange was just deleted, the user may not write to it, or max_message_size is below 1 MiB. The others are sent
//     again, and those that RabbitMQ had taken already are there twice. A task of more than 1 MiB is sent on a channel
//     of its own.
//   - What cannot be moved to the dead letters or put back, because a queue is full, say, is tried again beside other
//     tasks, and counts among those that RabbitMQ has handed out: as many as PrefetchCount hold up the worker. So do
//     tasks that come a second time while RabbitMQ is short of memory or disk space.
//   - A lost connection stops nothing. Workers try until RabbitMQ is back, and the broker logs that once; Publish tries
//     for as long as WithPublishTimeout says, from the first connection on. Only a user that RabbitMQ does not know and
//     a certificate that nobody knows are errors at once. The error of a Publish in an alarm says so.
//   - A node that swallows packets keeps nobody from the others, where the configuration has several addresses: each gets
//     its share of the time, of at least two seconds, and the one that failed last is the last to be tried again.
//   - A queue that neither takes a task nor refuses it, as a quorum queue without a majority of its nodes, keeps those
//     to other queues from being sent for five seconds at a time at most.
//   - Quit waits for the tasks that run; those that were only handed out go back at once. Where RabbitMQ does not answer,
//     it takes longer, as WithStopTimeout says.
//   - A task that was tried too often (see WithMaxAttempts) goes to the dead letters, and so does at once what is no
//     task or has arguments that Machinery cannot reflect. With the middleware installed, the state of a task that was
//     tried too often is FAILURE then.
//   - Tasks that a worker does not know go back to its queue after a pause, for others.
//   - A task that no queue takes is an error of Publish.
//
// # Delayed tasks
//
// Tasks with an ETA wait in RabbitMQ, on disk, and come to the exchange when they are due: never earlier, and up to
// 1/32768 of the delay later, for an hour 64 ms, and the time that RabbitMQ takes to pass them on. They keep
// their priority, and any worker may take them.
// Beyond 49.7 days, they come to a worker of this package in between, which delays them again; one of Machinery's would
// run them then. Where config.AMQPConfig.DelayedQueue is set they wait in that queue as Machinery has them do: behind
// each other, and all for one routing key.
//
// On their way they pass from queue to queue inside RabbitMQ, to the due queue of their exchange. These are quorum
// queues, each of which keeps a task until the next one has confirmed it, which needs RabbitMQ 3.10 or later and its
// feature flag stream_queue. Every worker of this package on the exchange delivers from the due queue, and waits for
// RabbitMQ's confirmation. A task that cannot be delivered, because its queue is full or gone, waits again, for about
// a second at first and up to 45 s, and does not hold up others; a binding or an exchange that was deleted is
// declared again.
//
// Where no worker of this package runs for two seconds, RabbitMQ delivers what is due itself. It repeats only every
// three minutes what it could not deliver. What remains to be lost: what is purged or deleted in those queues, also by
// a policy with expires, message-ttl or max-length (with drop-head) whose pattern matches their names; with
// WithQueueType("classic") what comes due just as the server is killed; and what RabbitMQ 3.10 has confirmed less than a
// second after it made the queues, where it is killed then. Workers make them when they start, so that they are older
// than that when they hold tasks; where there was no worker, the first delayed task does.
//
// What is just on its way between two of these queues when a node is killed, or starts again, RabbitMQ passes on again
// after three minutes, and what is behind it in the same queue waits for that. A line of advanced.config in the
// configuration of RabbitMQ makes it ten seconds:
//
//	[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 10000}]}].
//
// Of the policies that match a queue RabbitMQ applies the one of the highest priority. Where one with expires matches
// all names, another one keeps it from these queues; no argument of a queue does, and a quorum queue that is declared
// again expires all the same:
//
//	rabbitmqctl set_policy --priority 100 --apply-to queues delayed-tasks \
//	    '^machinery\.delayed\.|\.due$' '{"overflow":"reject-publish"}'
//
// # Queues
//
// All are durable, and none is ever deleted. Work queues, those beside them and dead letters are of the type that they
// have already, or else of the virtual host's default type; see WithQueueType.
//
//	                        classic queue                   quorum queue
//	tasks of one node       lost with its disk              kept by the other nodes
//	Signature.Priority      needs x-max-priority            3.x: ignored; 4.0: two levels; x-max-priority is left out
//	GetPendingTasks         lists                           ErrNotListable, unless empty
//	DeadLetters             letters stay in their places    letters are published anew when they are looked at
//	delivery limit          none                            RabbitMQ 4 drops or dead-letters after 20 deliveries; each
//	                                                        task that comes again is published anew, which starts at 0
//
// They are:
//   - the work queues, with config.AMQPConfig.QueueDeclareArgs; made by who publishes to them or consumes them first
//   - beside each that is consumed, {queue}.redelivered, with the same arguments: tasks that RabbitMQ has handed out
//     before pass through it, because only there it is certain that a worker was lost with one that comes again
//   - {queue}.dead, when there is the first dead letter (see WithDeadLetters)
//   - {queue}.pause, beside each that is consumed: it holds a message while the queue is paused (see NewSource)
//   - {exchange}.due, for delayed tasks that are due
//   - machinery.delayed.0 to machinery.delayed.31, for all users of the virtual host, or machinery.delayed.classic.0 and
//     so on with WithQueueType("classic"); machinery.delayed.unclaimed, for what no due queue takes; with exchanges of
//     the same names, machinery.delayed.due and machinery.delayed.direct. The first worker, or delayed task, makes them
//     all, which takes about half a second.
//
// Earlier versions kept delayed tasks in machinery.delay.0 to machinery.delay.31, which go on by themselves until they
// are empty.
//
// A user of RabbitMQ with restricted permissions needs them to configure, to write and to read, for these names: in
// each of the three, for an exchange named E and each queue named Q,
//
//	^(amq\.default|machinery\.delayed\..+|E(\.due)?|Q(\.redelivered|\.dead|\.pause)?)$
//
// Without those for Q.pause all works but Pause: workers log once that they cannot see it.
//
// A queue is one process of Erlang, and so uses one core. Beyond that spread tasks over several queues, with a worker for
// each: by name, with Signature.RoutingKey, or through an exchange of the type x-consistent-hash, which RabbitMQ's plugin
// rabbitmq_consistent_hash_exchange brings. Then each worker has a DefaultQueue of its own and its share as BindingKey:
//
//	AMQP: &config.AMQPConfig{Exchange: "machinery_hash", ExchangeType: "x-consistent-hash", BindingKey: "1"},
//
// Who sends has the configuration of one of the workers, since Publish makes and binds the queue too, and gives each task
// a RoutingKey, its UUID say, by which the exchange chooses. All tasks without one go to one of the queues.
//
// # Headers and properties
//
// A message has its task's headers as AMQP headers, and where there are envelopes among its arguments TypesHeader and
// FormatHeader besides, so that operators can tell without opening the body what it carries, and bind queues to it. Its
// type is the name of the task, its timestamp when it was sent, its message id another one each time that it is
// published. Workers read only the last two, by which they know a message that comes again after its task has run.
// DeliveriesHeader and UnregisteredHeader count, in messages that were put back: headers in the body of a task never set
// them. The UUID is in the body alone: as a property it would cost RabbitMQ some of the messages that it takes.
//
// # Looking into queues
//
// NewSource tells what is in the queues, for package inspect's page and command, and how to do so without changing
// anything. AMQP itself tells little of that; RabbitMQ's management plugin tells more. Workers say who they are in the
// arguments of their consumers, envelope-host, envelope-process, envelope-concurrency and envelope-started, and their
// connections in the client properties host and process.
//
// # Versions of RabbitMQ
//
// The tests run on RabbitMQ 3.10, 4.0 and 4.3. What these do differently:
//   - 4.0 and later refuse messages of more than 16 MiB, unless max_message_size in their configuration is more, and
//     Publish returns their error. WithMaxMessage cannot raise that.
//   - 4.0 and later do not replicate classic queues in a cluster: they are gone for as long as their node is.
//   - 4.3 refuses x-consumer-timeout among the arguments of a classic queue (PRECONDITION_FAILED).
//   - 4.0 and later warn in their log of transient queues that are not exclusive, as NewBackend declares them. They are
//     refused where deprecated_features.permit.transient_nonexcl_queues is false.
//
// # Results
//
// Machinery's backend for RabbitMQ keeps each state in a queue that is neither durable nor exclusive. RabbitMQ 4 has
// deprecated these, and refuses them where deprecated_features.permit.transient_nonexcl_queues is false: results need
// another backend there.
//
// RabbitMQ hands a result out once: who reads it takes it away. The results of a chord come in the order in which its
// tasks ended, states do not outlive RabbitMQ, and each one costs a connection. Most people keep results in Redis
// instead, with redisadapter.NewBackend, and use RabbitMQ for the tasks alone; large payloads may go to
// redisadapter.NewStore.
//
// Logs name tasks and their UUIDs, never what they carry.
package amqpadapter
