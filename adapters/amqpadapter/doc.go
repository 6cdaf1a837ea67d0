// Package amqpadapter runs Machinery on RabbitMQ.
//
// Say where RabbitMQ is, make the two parts, and give them to Machinery:
//
//	cnf := &config.Config{
//		Broker:        "amqp://guest:guest@localhost:5672/",
//		ResultBackend: "amqp://guest:guest@localhost:5672/",
//		DefaultQueue:  "machinery_tasks",
//		AMQP: &config.AMQPConfig{
//			Exchange: "machinery_exchange", ExchangeType: "direct", BindingKey: "machinery_task", PrefetchCount: 3,
//		},
//	}
//	server := machinery.NewServer(cnf, amqpadapter.NewBroker(cnf), amqpadapter.NewBackend(cnf), lock)
//
// Both are built on Machinery's own AMQP parts, so queues, bindings and messages are the same, and workers of both
// kinds may share a queue.
//
// # Results
//
// RabbitMQ hands a result out once: who reads it takes it away, and the results of a chord come in the order in which
// its tasks ended. Where results are to be read again, or in the order of the chord, keep them in Redis with
// redisadapter.NewBackend and use RabbitMQ for the tasks alone.
package amqpadapter
