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
//	defer broker.(io.Closer).Close()
//	server := machinery.NewServer(cnf, broker, redisadapter.NewBackend(cnf, client), lock)
//
// # Mixing with Machinery's own AMQP broker
//
// Exchange, queues, bindings and messages are Machinery's, so that servers and workers of both kinds may share queues. Two
// things differ. With a direct exchange, tasks of the default queue go to the default queue, and no queue is made that is
// named after the binding key: Machinery's Publish makes one where the two names differ, and nobody reads it. A worker of
// another queue binds it with its own name only, and removes the binding with the default key that Machinery's worker has
// made, because of which default tasks would run there too.
//
// A queue that exists with other arguments is refused by RabbitMQ (PRECONDITION_FAILED) and reported with its name.
//
// # What is promised
//
// A task is done at least once. Publish returns when RabbitMQ has confirmed the task, and the task stays there until the
// worker has processed it. Where a connection is lost in between, a task may be sent, or run, twice. Lost connections are
// opened again, by publishers for as long as WithPublishTimeout says, by workers for as long as they run. Quit waits for
// the tasks that run; those that were only handed out go back.
//
// A task that no queue takes is an error of Publish. One whose processing ends with an error, because its state could not be
// written or it could not be published again, is put back with a growing pause; one that came again because a worker was
// lost, too. After WithMaxAttempts of either it goes to the dead letters, and so does at once what is no task or has
// arguments that Machinery cannot reflect. A task that this worker does not know goes back to the queue for others, with a
// growing pause.
//
// # Delayed tasks
//
// Tasks with an ETA wait in RabbitMQ, on disk, and come to the exchange when they are due: never earlier, and up to 1/65536
// of the delay later, which is 55 ms for an hour. They keep their priority, and any worker may take them. Beyond 49.7 days,
// they come to a worker of this package in between, which delays them again; one of Machinery's would run them then. Where
// config.AMQPConfig.DelayedQueue is set they wait in that queue as Machinery has them do: behind each other, and all for one
// routing key.
//
// On their way they pass from queue to queue inside RabbitMQ. Its classic queues do not confirm that to each other: a server
// that is killed in just that moment may lose a delayed task.
//
// # Queues
//
// All are durable, and none is ever deleted:
//   - the work queues, with config.AMQPConfig.QueueDeclareArgs; made by who publishes to them or consumes them first
//   - beside each that is consumed, {queue}.redelivered, with the same arguments: tasks that RabbitMQ has handed out before
//     pass through it, because only there it is certain that a worker was lost with one that comes again
//   - {queue}.dead, when there is the first dead letter (see WithDeadLetters)
//   - machinery.delay.0 to machinery.delay.31, as far as delays need them, for all users of the virtual host; with exchanges
//     of the same names and machinery.delay.due
//
// A user of RabbitMQ with restricted permissions needs them for these names.
//
// # Headers and properties
//
// A message has its task's headers as AMQP headers, and TypesHeader and FormatHeader besides, so that operators can tell
// without opening the body what it carries, and bind queues to it. Its type is the name of the task, its correlation id the
// UUID. Nothing of that is read by workers. AttemptsHeader counts attempts.
//
// # Results
//
// RabbitMQ hands a result out once: who reads it takes it away. The results of a chord come in the order in which its tasks
// ended, states do not outlive RabbitMQ, and each one costs a connection. Most people keep results in Redis instead, with
// redisadapter.NewBackend, and use RabbitMQ for the tasks alone; large payloads may go to redisadapter.NewStore.
//
// Logs name tasks and their UUIDs, never what they carry.
package amqpadapter
