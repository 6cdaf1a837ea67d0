package amqpadapter_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/amqpadapter"
	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/internal/adaptertest"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// newSource makes a source that is closed when the test has ended.
func newSource(t testing.TB, cnf *config.Config, opts ...inspect.SourceOption) inspect.Source {
	t.Helper()
	source := amqpadapter.NewSource(cnf, opts...)
	t.Cleanup(func() { require.NoError(t, source.(io.Closer).Close()) })
	return source
}

// queueIn returns what a source tells of a queue; nothing where it does not know it.
func queueIn(t testing.TB, source inspect.Source, name string) inspect.Queue {
	t.Helper()
	queues, err := source.Queues(t.Context())
	require.NoError(t, err)
	for _, q := range queues {
		if q.Name == name {
			return q
		}
	}
	return inspect.Queue{}
}

func TestManagementTellsOfQueuesAndWorkers(t *testing.T) {
	management, cnf := services.AMQPManagement(t), rabbitMQ(t)
	cnf.AMQP.PrefetchCount = 1
	custom := customQueueOf(cnf)
	source := newSource(t, cnf, inspect.WithManagement(management), inspect.WithName("orders"))
	assert.Equal(t, "orders", source.Name())

	began := time.Now().Truncate(time.Second)
	broker := newBroker(t, cnf)
	latch := adaptertest.NewLatch(t)
	adaptertest.Work(t, broker, 2, &processor{Func: latch.Hold})
	adaptertest.Work(t, broker, 3, &processor{Func: latch.Hold, Queue: custom})
	publish(t, broker, task("add", "a"), task("add", "b"), task("add", "c"), adaptertest.Routed(custom, "d"))

	var q inspect.Queue
	eventually(t, func() bool { // the plugin learns of it seconds later
		q = queueIn(t, source, cnf.DefaultQueue)
		return q.Running == 1 && q.Waiting == 2 && !q.Oldest.IsZero() && queueIn(t, source, custom).Running == 1
	}, "got %+v", &q)
	assert.WithinRange(t, q.Oldest, began, time.Now())
	assert.Equal(t, 1, q.Workers)

	var workers []inspect.Worker
	eventually(t, func() bool {
		var err error
		workers, err = source.Workers(t.Context())
		require.NoError(t, err)
		return len(workers) == 2
	})
	host, err := os.Hostname()
	require.NoError(t, err)
	for _, w := range workers {
		assert.Equal(t, host, w.Host)
		assert.Equal(t, os.Getpid(), w.Process)
		assert.WithinRange(t, w.Started, began, time.Now())
		require.Len(t, w.Queues, 1)
		assert.Equal(t, map[string]int{cnf.DefaultQueue: 2, custom: 3}[w.Queues[0]], w.Concurrency)
	}
	assert.NotEqual(t, workers[0].ID, workers[1].ID)
}

func TestMachinerysOwnWorkerIsToldByItsAddress(t *testing.T) {
	management := services.AMQPManagement(t)
	cnf := rabbitMQ(t)
	channel := dial(t, cnf.Broker)
	_, err := channel.QueueDeclare(cnf.DefaultQueue, true, false, false, false, nil)
	require.NoError(t, err)
	_, err = channel.Consume(cnf.DefaultQueue, "theirs", false, false, false, false, nil)
	require.NoError(t, err)
	source := newSource(t, cnf, inspect.WithManagement(management))
	eventually(t, func() bool {
		workers, err := source.Workers(t.Context())
		require.NoError(t, err)
		return len(workers) == 1 && strings.HasPrefix(workers[0].ID, "theirs@") && workers[0].Host != ""
	})
}

func TestManagementThatDoesNotAnswerIsAnErrorWithoutItsPassword(t *testing.T) {
	for _, address := range []string{"http://someone:s3cret@127.0.0.1:1", "amqp://someone:s3cret@127.0.0.1:1"} {
		source := newSource(t, offline(), inspect.WithManagement(address))
		_, err := source.Queues(t.Context())
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "s3cret")
		_, err = source.Workers(t.Context())
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "s3cret")
	}
}

func TestSourceWithoutAConfigurationSaysWhatIsMissing(t *testing.T) {
	source := newSource(t, &config.Config{Broker: "amqp://127.0.0.1:1/"})
	_, err := source.Queues(t.Context())
	require.ErrorIs(t, err, amqpadapter.ErrConfig)
	_, err = source.DeadLetters("orders")
	require.ErrorIs(t, err, amqpadapter.ErrConfig)
	require.ErrorIs(t, source.Pause(t.Context(), "orders"), amqpadapter.ErrConfig)
}

func TestSourceOptionsThatCannotBeMeantAreNamed(t *testing.T) {
	t.Parallel()
	for want, option := range map[string]inspect.SourceOption{
		`inspect.WithName("")`:         inspect.WithName(""),
		`inspect.WithName("..")`:       inspect.WithName(".."),
		`inspect.WithName("a/b")`:      inspect.WithName("a/b"),
		`inspect.WithQueues([""])`:     inspect.WithQueues(""),
		"inspect.WithDeadLetters(nil)": inspect.WithDeadLetters(nil),
		"inspect.WithMaxMessage(0)":    inspect.WithMaxMessage(0),
		"inspect.WithResults(nil)":     inspect.WithResults(nil),
		"inspect.WithVerify(nil)":      inspect.WithVerify(nil),
		`inspect.WithManagement("")`:   inspect.WithManagement(""),
	} {
		source := newSource(t, offline(), option)
		_, err := source.Queues(t.Context())
		require.ErrorIs(t, err, amqpadapter.ErrConfig)
		require.ErrorContains(t, err, want)
		require.ErrorIs(t, source.Pause(t.Context(), "orders"), amqpadapter.ErrConfig)
		_, err = source.TaskState(t.Context(), "a")
		require.ErrorIs(t, err, amqpadapter.ErrConfig, want)
		_, err = source.Group(t.Context(), "a", inspect.Page{})
		require.ErrorIs(t, err, amqpadapter.ErrConfig, want)
	}
}

func TestSourceSaysWhatHelpsWhereItCannotTell(t *testing.T) {
	cnf := rabbitMQ(t)
	source := newSource(t, cnf)
	publish(t, newBroker(t, cnf), task("add", "a"))
	_, err := source.Workers(t.Context())
	require.ErrorIs(t, err, inspect.ErrUnsupported)
	assert.ErrorContains(t, err, "inspect.WithManagement")
	_, err = source.TaskState(t.Context(), "a")
	require.ErrorIs(t, err, inspect.ErrUnsupported)
	assert.ErrorContains(t, err, "inspect.WithResults")
	_, err = source.Tasks(t.Context(), cnf.DefaultQueue, inspect.Waiting, inspect.Page{})
	require.ErrorIs(t, err, inspect.ErrUnsupported)
	assert.ErrorContains(t, err, "BrowseQueues")
	_, err = source.Task(t.Context(), "a")
	require.ErrorIs(t, err, inspect.ErrUnsupported)
}

func TestLookingMarksNothingAsRedelivered(t *testing.T) {
	cnf := rabbitMQ(t)
	publish(t, newBroker(t, cnf), task("add", "a"))
	source := newSource(t, cnf)
	for range 3 {
		assert.Equal(t, 1, queueIn(t, source, cnf.DefaultQueue).Waiting)
		_, err := source.Tasks(t.Context(), cnf.DefaultQueue, inspect.Waiting, inspect.Page{})
		require.ErrorIs(t, err, inspect.ErrUnsupported)
	}
	d, ok, err := dial(t, cnf.Broker).Get(cnf.DefaultQueue, true)
	require.NoError(t, err)
	require.True(t, ok)
	assert.False(t, d.Redelivered)
}

func TestTasksBeyondWhatIsLookedAtAreRefused(t *testing.T) {
	cnf := rabbitMQ(t)
	publish(t, newBroker(t, cnf), task("add", "a"))
	source := newSource(t, cnf, amqpadapter.BrowseQueues())
	_, err := source.Tasks(t.Context(), cnf.DefaultQueue, inspect.Waiting, inspect.Page{Cursor: "1000"})
	require.ErrorIs(t, err, inspect.ErrUnsupported)
	page, err := source.Tasks(t.Context(), cnf.DefaultQueue, inspect.Waiting, inspect.Page{Cursor: "5"})
	require.NoError(t, err)
	assert.Empty(t, page)
}

func TestAMessageThatIsTooLongIsNotReadAsATask(t *testing.T) {
	cnf := rabbitMQ(t)
	publish(t, newBroker(t, cnf), task("add", "a"))
	for most, want := range map[int]error{10: deadletter.ErrNoTask, 10_000: nil} {
		source := newSource(t, cnf, amqpadapter.BrowseQueues(), inspect.WithMaxMessage(most))
		page, err := source.Tasks(t.Context(), cnf.DefaultQueue, inspect.Waiting, inspect.Page{})
		require.NoError(t, err)
		require.Len(t, page.Tasks, 1)
		require.ErrorIs(t, page.Tasks[0].Err, want)
		assert.Equal(t, want == nil, page.Tasks[0].Signature != nil)
	}
}

func TestLettersOfAllQueuesAreToldByTheirQueue(t *testing.T) {
	cnf := rabbitMQ(t)
	letters, err := amqpadapter.NewDeadLettersOf(t.Context(), cnf, cnf.DefaultQueue+".dead")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, letters.Close()) })
	custom := customQueueOf(cnf)
	source := newSource(t, cnf, inspect.WithQueues(custom), inspect.WithDeadLetters(letters))
	for i := range 4 {
		s := adaptertest.Routed([]string{cnf.AMQP.BindingKey, custom}[i%2], fmt.Sprint("task-", i))
		require.NoError(t, letters.Push(t.Context(), s, io.ErrUnexpectedEOF))
	}
	for queue, want := range map[string][]string{cnf.DefaultQueue: {"task-0", "task-2"}, custom: {"task-1", "task-3"}} {
		page, err := source.Letters(t.Context(), queue, inspect.Page{Limit: 1})
		require.NoError(t, err)
		require.Len(t, page.Letters, 1)
		assert.Equal(t, want[0], page.Letters[0].UUID)
		page, err = source.Letters(t.Context(), queue, inspect.Page{Limit: 1, Cursor: page.Next})
		require.NoError(t, err)
		require.Len(t, page.Letters, 1)
		assert.Equal(t, want[1], page.Letters[0].UUID)
		assert.Empty(t, page.Next)
	}
}

func TestReplayOfASourceAsksWhetherTheTaskMayRun(t *testing.T) {
	cnf := rabbitMQ(t)
	source := newSource(t, cnf, inspect.WithVerify(func(*tasks.Signature) error { return io.ErrUnexpectedEOF }))
	letters, err := source.DeadLetters(cnf.DefaultQueue)
	require.NoError(t, err)
	require.NoError(t, letters.Push(t.Context(), task("add", "a"), io.EOF))
	page, err := source.Letters(t.Context(), cnf.DefaultQueue, inspect.Page{})
	require.NoError(t, err)
	require.Len(t, page.Letters, 1)
	require.ErrorIs(t, letters.Replay(t.Context(), page.Letters[0].ID), deadletter.ErrRefused)
	require.NoError(t, letters.Drop(t.Context(), page.Letters[0].ID))
}

// Messages that anybody may have sent are entries.
func TestHostileMessagesAreEntries(t *testing.T) {
	cnf := rabbitMQ(t)
	source := newSource(t, cnf, amqpadapter.BrowseQueues())
	channel := dial(t, cnf.Broker)
	for _, queue := range []string{cnf.DefaultQueue, cnf.DefaultQueue + ".dead"} {
		_, err := channel.QueueDeclare(queue, true, false, false, false, nil)
		require.NoError(t, err)
		for _, hostile := range []amqp.Publishing{
			{Body: []byte("<script>"), Headers: amqp.Table{"envelope-deliveries": "many", "x-death": "none"}},
			{Body: []byte(`{"UUID":7,"Name":[]}`), Headers: amqp.Table{"envelope-death-time": int32(1), "envelope-death-id": nil}},
			{Body: make([]byte, 1<<20), Timestamp: time.Unix(1<<40, 0), Type: "\xff", Headers: amqp.Table{"x-death": []any{amqp.Table{"queue": 1}}}},
			{Body: []byte(`{"UUID":"a","Name":"add","Args":` + strings.Repeat("[", 100_000))},
		} {
			require.NoError(t, channel.Publish("", queue, false, false, hostile))
		}
	}
	eventually(t, func() bool {
		page, err := source.Tasks(t.Context(), cnf.DefaultQueue, inspect.Waiting, inspect.Page{})
		require.NoError(t, err)
		for _, one := range page.Tasks {
			assert.Error(t, one.Err)
			assert.LessOrEqual(t, len(one.Body), inspect.MaxBody)
		}
		return len(page.Tasks) == 4
	})
	eventually(t, func() bool {
		page, err := source.Letters(t.Context(), cnf.DefaultQueue, inspect.Page{})
		require.NoError(t, err)
		for _, letter := range page.Letters {
			assert.Nil(t, letter.Task)
			assert.LessOrEqual(t, len(letter.Body), inspect.MaxBody)
		}
		return len(page.Letters) == 4
	})
}
