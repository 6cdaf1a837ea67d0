package amqpadapter

import (
	"bytes"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
)

// Whatever anybody has sent is an entry, whose body is cut.
func FuzzListedMessages(f *testing.F) {
	f.Add([]byte(`{"UUID":"a","Name":"add"}`), "a", "reason", int32(1), int64(0), uint16(0))
	f.Add([]byte(`{"UUID":7,"name":"add"`), "\xff", "", int32(-1), int64(1<<62), uint16(65535))
	f.Fuzz(func(t *testing.T, body []byte, id, reason string, attempts int32, then int64, padding uint16) {
		body = append(body, bytes.Repeat([]byte{' '}, int(padding))...)
		d := amqp.Delivery{Body: body, Timestamp: time.Unix(then, 0), Headers: amqp.Table{
			deathIDHeader: id, DeathReasonHeader: reason, DeliveriesHeader: attempts, "x-death": []any{amqp.Table{"queue": id}},
		}}
		task := listedTask(d, "q", inspect.MaxBody)
		if !bytes.HasPrefix(body, task.Body) || len(task.Body) != min(len(body), inspect.MaxBody) || task.Size != len(body) {
			t.Errorf("%d bytes of %d, size %d", len(task.Body), len(body), task.Size)
		}
		if (task.Err == nil) != (task.Signature != nil) || task.Attempts < 0 {
			t.Errorf("task %+v", task)
		}
		letter := listedLetter(d, nil)
		if len(letter.Body) != len(task.Body) || letter.ID == "" {
			t.Errorf("letter %+v", letter)
		}
		if len(body) <= inspect.MaxBody && letter.UUID != task.UUID {
			t.Errorf("UUID %q of a letter, %q of a task", letter.UUID, task.UUID)
		}
	})
}
