// Package middleware lets the tasks of a Machinery application take and return the application's own Go types.
//
// Install it once on an existing server, register tasks through it, and make signatures with it:
//
//	registry := envelope.NewRegistry()
//	envelope.MustRegister[Order](registry, "orders.Order")
//
//	m, err := middleware.Install(server, registry)
//	err = m.RegisterTask("orders.price", func(ctx context.Context, o Order) (Quote, error) { … })
//	signature, err := m.Signature(ctx, "orders.price", Order{ID: "o-1"})
//	result, err := server.SendTaskWithContext(ctx, signature)
//	quote, err := middleware.Await[Quote](ctx, m, result)
//
// On the way out, values of registered types are put in envelopes; on receipt they are restored before the task runs;
// what the task returns takes the same way back. What Machinery carries by itself (bool, integers, floats, strings and
// slices of those, and of types that are defined as those and not registered) stays as it is, so tasks registered with
// Machinery directly work beside wrapped ones, in one chain too.
//
// # What else there is
//
//   - Typed tasks, for new code: NewTask.
//   - Arguments by name: Named and Params. Several results: Scan.
//   - Sends that keep their context: SendTask, SendTasks, SendChain, SendGroup, SendChord.
//   - Failures that keep their type: TaskError.
//   - Handlers of your own: WithPrePublish, WithPreTask, Args.
//   - What nobody can do: WithDeadLetters, WithDeadLetterFailures.
//   - Rolling deployments: RetryUnknown, RetryUnknownFunc.
//   - Closed to strangers: SignTasks, EnvelopeAll, and envelope.EncryptAll.
//   - What was sent, read again: ReadArg. What is installed: Of.
//   - Tests of your own: package middlewaretest.
//   - Traces, metrics and logs: WithPropagator, WithObserver, WithLogger, package otelmiddleware.
//   - Brokers of your own: Process, Redeliverer, Abandoner, DeadLetterBroker, ManyPublisher. Backends: ManyPender.
package middleware
