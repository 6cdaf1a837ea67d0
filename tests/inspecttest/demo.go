package inspecttest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// What is in a source that Fill has filled.
const (
	Script      = `<script>document.title = "executed"</script>` // a queue, a task's name, and a value
	CardNumber  = "4111-1111-1111-1111"                          // in a Card, never to be shown
	BloodGroup  = "AB negative"                                  // in a Patient, to be shown decrypted
	PlacedUUID  = "task_placed"                                  // waits in orders, with an Order
	PatientUUID = "task_patient"                                 // waits in orders, with a Patient
	ChainUUID   = "task_chain"                                   // runs, with two tasks after it
	MemberUUID  = "task_member_3"                                // waits, a member of the group
	LaterUUID   = "task_later"                                   // is delayed
	DoneUUID    = "task_done"                                    // is in no queue, has succeeded
	GroupUUID   = "group_reports"
	Letters     = 120 // the dead letters of orders, of which every third is of customer 42
	Million     = 1_000_000
)

// Fill puts queues, tasks in all states, hostile names, workers, states, a group with a chord's callback, and dead
// letters in a source.
func Fill(ctx context.Context, source *Source, registry *envelope.Registry) error {
	f := &filler{ctx: ctx, source: source, registry: registry}
	f.orders()
	f.flows()
	f.hostile()
	f.letters()
	f.workers()
	source.AddQueue("idle")
	return f.err
}

type filler struct {
	ctx      context.Context
	source   *Source
	registry *envelope.Registry
	err      error
}

func (f *filler) signature(uuid, name string, values ...any) *tasks.Signature {
	signature := &tasks.Signature{UUID: uuid, Name: name, RoutingKey: "orders", Headers: tasks.Headers{"trace": "00-1"}}
	for _, value := range values {
		signature.Args = append(signature.Args, f.arg(value))
	}
	return signature
}

func (f *filler) arg(value any) tasks.Arg {
	switch value := value.(type) {
	case string:
		return tasks.Arg{Type: "string", Value: value}
	case int:
		return tasks.Arg{Type: "int", Value: value}
	}
	text, err := f.registry.Marshal(f.ctx, value)
	f.err = errors.Join(f.err, err)
	return tasks.Arg{Type: "string", Value: text}
}

func order(i int) Order {
	customer := Customer{ID: 40 + i%3, Name: "Ada"}
	return Order{
		ID: fmt.Sprintf("o-%d", i), Customer: customer, Lines: []Line{{"tea", 2}, {"cup", 1 + i}},
		Note: Script, Payment: &Card{CardNumber}, Tags: []string{"express"}, Rates: [3]float64{1, 2.5, -1},
	}
}

func (f *filler) orders() {
	f.source.AddTask("orders", inspect.Waiting, f.signature(PlacedUUID, "orders.place", order(2), 250))
	f.source.AddTask("orders", inspect.Waiting, f.signature(PatientUUID, "clinic.admit", Patient{"Ida", BloodGroup}))
	for i := range 130 {
		f.source.AddTask("orders", inspect.Waiting, f.signature(fmt.Sprintf("task_order_%d", i), "orders.place", order(i), i))
	}
	later := time.Now().Add(time.Hour).UTC()
	delayed := f.signature(LaterUUID, "orders.remind", "Ada", 1)
	delayed.ETA = &later
	f.source.AddTask("orders", inspect.Delayed, delayed)
	f.source.AddTask("orders", inspect.PutBack, f.signature("task_put_back", "orders.ship", order(1)))
	f.source.AddMany("bulk", Million, func(i int) *tasks.Signature {
		return &tasks.Signature{UUID: fmt.Sprintf("task_bulk_%d", i), Name: "bulk.import", Args: []tasks.Arg{{Type: "int", Value: i}}}
	})
	f.source.SetState(&tasks.TaskState{TaskUUID: PlacedUUID, TaskName: "orders.place", State: tasks.StatePending, CreatedAt: sent})
	f.source.SetState(&tasks.TaskState{TaskUUID: DoneUUID, TaskName: "orders.place", State: tasks.StateSuccess, CreatedAt: sent,
		Results: []*tasks.TaskResult{{Type: "string", Value: f.arg(order(5)).Value}, {Type: "int64", Value: 7}}})
}

// flows has a chain of three, and a chord of five reports with a callback.
func (f *filler) flows() {
	chain := f.signature(ChainUUID, "reports.fetch", "https://example.org")
	rendered, mailed := f.signature("task_chain_2", "reports.render"), f.signature("task_chain_3", "reports.mail", "ada@example.org")
	rendered.OnSuccess = []*tasks.Signature{mailed}
	chain.OnSuccess, chain.OnError = []*tasks.Signature{rendered}, []*tasks.Signature{f.signature("task_alarm", "reports.alarm")}
	f.source.AddTask("reports", inspect.Running, chain)
	f.source.SetState(&tasks.TaskState{TaskUUID: ChainUUID, TaskName: chain.Name, State: tasks.StateStarted})
	f.source.SetState(&tasks.TaskState{TaskUUID: "task_chain_2", State: tasks.StatePending})

	states := []string{tasks.StateSuccess, tasks.StateStarted, tasks.StateFailure, tasks.StatePending, tasks.StateRetry}
	var members []string
	for i, state := range states {
		member := f.signature(fmt.Sprintf("task_member_%d", i), "reports.count", i)
		member.GroupUUID, member.GroupTaskCount = GroupUUID, len(states)
		member.ChordCallback = f.signature("task_sum", "reports.sum")
		members = append(members, member.UUID)
		f.source.SetState(&tasks.TaskState{TaskUUID: member.UUID, TaskName: member.Name, State: state})
		if state == tasks.StatePending {
			f.source.AddTask("reports", inspect.Waiting, member)
		}
	}
	f.source.AddGroup(GroupUUID, members...)
}

func (f *filler) hostile() {
	f.source.AddTask(Script, inspect.Waiting, f.signature("task_<b>bold</b>", Script, Script, `"><img src=x onerror=alert(1)>`))
	f.source.AddTask(Script, inspect.Waiting, f.signature("..", "../../etc", `{"$envelope":1,"type":"gone.Type","data":{"a":1}}`,
		`{"$envelope":1,"type":"orders.Order","data":`))
	f.source.AddMessage(Script, inspect.Waiting, []byte("no JSON \x00\xff <b>"), deadletter.ErrNoTask)
}

func (f *filler) letters() {
	reasons := []string{"payment refused", "no such article: " + Script, "connection reset by peer"}
	for i := range Letters {
		task := f.signature(fmt.Sprintf("task_dead_%d", i), "orders.place", order(i), i)
		f.source.AddLetter("orders", deadletter.Letter{
			ID: fmt.Sprintf("letter-%d", i), Task: task, UUID: task.UUID, Queue: "orders", Reason: reasons[i%3],
			Time: time.Now().Add(-time.Duration(Letters-i) * time.Minute).UTC(), Body: []byte(`{"UUID":"` + task.UUID + `"}`),
		})
	}
	f.source.AddLetter("reports", deadletter.Letter{
		ID: "letter-broken", Queue: "reports", Reason: deadletter.ErrNoTask.Error(), Body: []byte("{broken <b>\xff"), Time: time.Now().UTC(),
	})
}

func (f *filler) workers() {
	now := time.Now()
	f.source.AddWorker(inspect.Worker{
		ID: "worker-1", Host: "alpha", Process: 4711, Queues: []string{"orders", "reports"}, Concurrency: 8,
		Started: now.Add(-3 * time.Hour), Beat: now.Add(-2 * time.Second),
		Running: []inspect.Run{{UUID: ChainUUID, Name: "reports.fetch", Queue: "reports", Since: now.Add(-42 * time.Second)}},
	})
	f.source.AddWorker(inspect.Worker{ID: Script, Queues: []string{"bulk"}})
}
