package taskjson

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// UnmarshalTask reads a signature as a json.Decoder does that was told to UseNumber: what stands after it is ignored.
// The error is that of the decoder.
func UnmarshalTask(text []byte) (*tasks.Signature, error) {
	if knowsTasks {
		r := reader{text: text}
		if s := r.task(maxDepth); s != nil && r.ended() {
			return s, nil
		}
	}
	return decode[tasks.Signature](text)
}

// decode keeps numbers as they were written, as Machinery expects: a float64 would round large integers.
func decode[T any](text []byte) (*T, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	value := new(T)
	if err := decoder.Decode(value); err != nil {
		return nil, err
	}
	return value, nil
}

func (r *reader) task(depth int) *tasks.Signature {
	if r.take("null") {
		return nil
	}
	if r.failed || depth == 0 {
		r.fail() // its callback would fail too, and have one of its own
		return nil
	}
	s := new(tasks.Signature)
	r.expect(`{"UUID":`)
	s.UUID = r.string()
	r.expect(`,"Name":`)
	s.Name = r.string()
	r.expect(`,"RoutingKey":`)
	s.RoutingKey = r.string()
	r.expect(`,"ETA":`)
	s.ETA = r.eta()
	r.expect(`,"GroupUUID":`)
	s.GroupUUID = r.string()
	r.expect(`,"GroupTaskCount":`)
	s.GroupTaskCount = r.int()
	r.expect(`,"Args":`)
	s.Args = r.args()
	r.expect(`,"Headers":`)
	s.Headers = r.object()
	r.settings(s)
	r.expect(`,"OnSuccess":`)
	s.OnSuccess = r.tasks(depth)
	r.expect(`,"OnError":`)
	s.OnError = r.tasks(depth)
	r.expect(`,"ChordCallback":`)
	s.ChordCallback = r.task(depth - 1)
	r.forSQS(s)
	r.expect("}")
	return s
}

func (r *reader) settings(s *tasks.Signature) {
	r.expect(`,"Priority":`)
	s.Priority = r.uint8()
	r.expect(`,"Immutable":`)
	s.Immutable = r.bool()
	r.expect(`,"RetryCount":`)
	s.RetryCount = r.int()
	r.expect(`,"RetryTimeout":`)
	s.RetryTimeout = r.int()
}

func (r *reader) forSQS(s *tasks.Signature) {
	r.expect(`,"BrokerMessageGroupId":`)
	s.BrokerMessageGroupId = r.string()
	r.expect(`,"SQSReceiptHandle":`)
	s.SQSReceiptHandle = r.string()
	r.expect(`,"StopTaskDeletionOnError":`)
	s.StopTaskDeletionOnError = r.bool()
	r.expect(`,"IgnoreWhenTaskNotRegistered":`)
	s.IgnoreWhenTaskNotRegistered = r.bool()
}

func (r *reader) eta() *time.Time {
	if r.take("null") {
		return nil
	}
	eta := r.time()
	return &eta
}

func (r *reader) args() []tasks.Arg {
	if r.take("null") {
		return nil
	}
	args := []tasks.Arg{}
	for range r.elements() {
		var arg tasks.Arg
		r.expect(`{"Name":`)
		arg.Name = r.string()
		r.expect(`,"Type":`)
		arg.Type = r.string()
		r.expect(`,"Value":`)
		arg.Value = r.value()
		r.expect("}")
		args = append(args, arg)
	}
	return args
}

func (r *reader) tasks(depth int) []*tasks.Signature {
	if r.take("null") {
		return nil
	}
	several := []*tasks.Signature{}
	for range r.elements() {
		several = append(several, r.task(depth-1))
	}
	return several
}

// object takes the headers of a task.
func (r *reader) object() map[string]any {
	if r.take("null") {
		return nil
	}
	members := map[string]any{}
	r.expect("{")
	for first := true; !r.failed && !r.take("}"); first = false {
		if !first {
			r.expect(",")
		}
		name := r.string()
		r.expect(":")
		members[name] = r.value()
	}
	return members
}
