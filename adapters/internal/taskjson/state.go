package taskjson

import (
	"bytes"
	"encoding/json"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// MarshalState returns the bytes, and the error, of json.Marshal.
func MarshalState(s *tasks.TaskState) ([]byte, error) {
	if !knowsStates || s == nil {
		return json.Marshal(s)
	}
	w := writers.Get().(*writer)
	defer w.release()
	if w.state(s); w.failed {
		return json.Marshal(s)
	}
	return bytes.Clone(w.text), nil
}

func (w *writer) state(s *tasks.TaskState) {
	w.raw(`{"TaskUUID":`)
	w.string(s.TaskUUID)
	w.raw(`,"TaskName":`)
	w.string(s.TaskName)
	w.raw(`,"State":`)
	w.string(s.State)
	w.raw(`,"Results":`)
	w.results(s.Results)
	w.raw(`,"Error":`)
	w.string(s.Error)
	w.raw(`,"CreatedAt":`)
	w.time(s.CreatedAt)
	w.raw(`,"TTL":`)
	w.int(s.TTL)
	w.raw("}")
}

func (w *writer) results(results []*tasks.TaskResult) {
	if results == nil {
		w.raw("null")
		return
	}
	w.raw("[")
	for i, result := range results {
		if i > 0 {
			w.raw(",")
		}
		w.result(result)
	}
	w.raw("]")
}

func (w *writer) result(result *tasks.TaskResult) {
	if result == nil {
		w.raw("null")
		return
	}
	w.raw(`{"Type":`)
	w.string(result.Type)
	w.raw(`,"Value":`)
	w.value(result.Value)
	w.raw("}")
}

// UnmarshalState reads a state as a json.Decoder does that was told to UseNumber: what stands after it is ignored. The
// error is that of the decoder.
func UnmarshalState(text []byte) (*tasks.TaskState, error) {
	if knowsStates {
		r := reader{text: text}
		if s := r.state(); r.ended() {
			return s, nil
		}
	}
	return decode[tasks.TaskState](text)
}

func (r *reader) state() *tasks.TaskState {
	s := new(tasks.TaskState)
	r.expect(`{"TaskUUID":`)
	s.TaskUUID = r.string()
	r.expect(`,"TaskName":`)
	s.TaskName = r.string()
	r.expect(`,"State":`)
	s.State = r.string()
	r.expect(`,"Results":`)
	s.Results = r.results()
	r.expect(`,"Error":`)
	s.Error = r.string()
	r.expect(`,"CreatedAt":`)
	s.CreatedAt = r.time()
	r.expect(`,"TTL":`)
	s.TTL = r.int64()
	r.expect("}")
	return s
}

func (r *reader) results() []*tasks.TaskResult {
	if r.take("null") {
		return nil
	}
	results := []*tasks.TaskResult{}
	for range r.elements() {
		results = append(results, r.result())
	}
	return results
}

func (r *reader) result() *tasks.TaskResult {
	if r.take("null") {
		return nil
	}
	result := new(tasks.TaskResult)
	r.expect(`{"Type":`)
	result.Type = r.string()
	r.expect(`,"Value":`)
	result.Value = r.value()
	r.expect("}")
	return result
}
