package taskjson

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// MarshalTask returns the bytes, and the error, of json.Marshal.
func MarshalTask(s *tasks.Signature) ([]byte, error) {
	if !knowsTasks {
		return json.Marshal(s)
	}
	w := writers.Get().(*writer)
	defer w.release()
	if w.task(s, maxDepth); w.failed {
		return json.Marshal(s)
	}
	return bytes.Clone(w.text), nil
}

func (w *writer) task(s *tasks.Signature, depth int) {
	if s == nil {
		w.raw("null")
		return
	}
	if depth == 0 {
		w.failed = true
		return
	}
	w.raw(`{"UUID":`)
	w.string(s.UUID)
	w.raw(`,"Name":`)
	w.string(s.Name)
	w.raw(`,"RoutingKey":`)
	w.string(s.RoutingKey)
	w.raw(`,"ETA":`)
	w.eta(s.ETA)
	w.raw(`,"GroupUUID":`)
	w.string(s.GroupUUID)
	w.raw(`,"GroupTaskCount":`)
	w.int(int64(s.GroupTaskCount))
	w.raw(`,"Args":`)
	w.args(s.Args)
	w.raw(`,"Headers":`)
	w.object(s.Headers)
	w.settings(s)
	w.raw(`,"OnSuccess":`)
	w.tasks(s.OnSuccess, depth)
	w.raw(`,"OnError":`)
	w.tasks(s.OnError, depth)
	w.raw(`,"ChordCallback":`)
	w.task(s.ChordCallback, depth-1)
	w.forSQS(s)
	w.raw("}")
}

func (w *writer) settings(s *tasks.Signature) {
	w.raw(`,"Priority":`)
	w.int(int64(s.Priority))
	w.raw(`,"Immutable":`)
	w.bool(s.Immutable)
	w.raw(`,"RetryCount":`)
	w.int(int64(s.RetryCount))
	w.raw(`,"RetryTimeout":`)
	w.int(int64(s.RetryTimeout))
}

// forSQS writes the members that come last; Machinery's SQS broker uses most of them.
func (w *writer) forSQS(s *tasks.Signature) {
	w.raw(`,"BrokerMessageGroupId":`)
	w.string(s.BrokerMessageGroupId)
	w.raw(`,"SQSReceiptHandle":`)
	w.string(s.SQSReceiptHandle)
	w.raw(`,"StopTaskDeletionOnError":`)
	w.bool(s.StopTaskDeletionOnError)
	w.raw(`,"IgnoreWhenTaskNotRegistered":`)
	w.bool(s.IgnoreWhenTaskNotRegistered)
}

func (w *writer) eta(eta *time.Time) {
	if eta == nil {
		w.raw("null")
		return
	}
	w.time(*eta)
}

func (w *writer) time(t time.Time) {
	text, err := t.MarshalJSON()
	if err != nil {
		w.failed = true
		return
	}
	w.text = append(w.text, text...)
}

func (w *writer) args(args []tasks.Arg) {
	if args == nil {
		w.raw("null")
		return
	}
	w.raw("[")
	for i, arg := range args {
		if i > 0 {
			w.raw(",")
		}
		w.raw(`{"Name":`)
		w.string(arg.Name)
		w.raw(`,"Type":`)
		w.string(arg.Type)
		w.raw(`,"Value":`)
		w.value(arg.Value)
		w.raw("}")
	}
	w.raw("]")
}

func (w *writer) tasks(several []*tasks.Signature, depth int) {
	if several == nil {
		w.raw("null")
		return
	}
	w.raw("[")
	for i, s := range several {
		if i > 0 {
			w.raw(",")
		}
		w.task(s, depth-1)
	}
	w.raw("]")
}
