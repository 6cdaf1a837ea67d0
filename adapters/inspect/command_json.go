package inspect

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// What -json writes. Counts and sizes that are not known are -1, and times that are not known are left out.
type (
	queueJSON struct {
		Source  string    `json:"source"`
		Name    string    `json:"name"`
		Waiting int       `json:"waiting"`
		Running int       `json:"running"`
		PutBack int       `json:"put_back"`
		Delayed int       `json:"delayed"`
		Dead    int       `json:"dead"`
		Workers int       `json:"workers"`
		Done    int       `json:"done"`
		Paused  bool      `json:"paused"`
		Oldest  time.Time `json:"oldest,omitzero"`
	}
	taskJSON struct {
		Source    string         `json:"source"`
		UUID      string         `json:"uuid"`
		Name      string         `json:"name"`
		Queue     string         `json:"queue"`
		State     State          `json:"state"`
		Size      int            `json:"size"`
		Attempts  int            `json:"attempts"`
		Sent      time.Time      `json:"sent,omitzero"`
		ETA       time.Time      `json:"eta,omitzero"`
		Worker    string         `json:"worker,omitempty"`
		Arguments []argumentJSON `json:"arguments"`
		Error     string         `json:"error,omitempty"`
	}
	argumentJSON struct {
		Name     string   `json:"name,omitempty"`
		Type     string   `json:"type"`
		Version  int      `json:"version,omitempty"`
		Codec    string   `json:"codec,omitempty"`
		Encoding []string `json:"encoding,omitempty"`
		Ref      string   `json:"ref,omitempty"`
		Value    nodeJSON `json:"value"`
		Error    string   `json:"error,omitempty"`
	}
	resultJSON struct {
		State   string         `json:"state"`
		Results []argumentJSON `json:"results"`
		Error   string         `json:"error,omitempty"`
	}
	letterJSON struct {
		ID         string         `json:"id"`
		UUID       string         `json:"uuid,omitempty"`
		Task       string         `json:"task,omitempty"`
		Queue      string         `json:"queue,omitempty"`
		Reason     string         `json:"reason"`
		Time       time.Time      `json:"time,omitzero"`
		Size       int            `json:"size"`
		Arguments  []argumentJSON `json:"arguments"`
		Attributes map[string]any `json:"attributes,omitempty"`
	}
	runJSON struct {
		UUID  string    `json:"uuid"`
		Name  string    `json:"name"`
		Queue string    `json:"queue"`
		Since time.Time `json:"since,omitzero"`
	}
	workerJSON struct {
		Source      string    `json:"source"`
		ID          string    `json:"id"`
		Host        string    `json:"host,omitempty"`
		Process     int       `json:"process,omitempty"`
		Queues      []string  `json:"queues"`
		Concurrency int       `json:"concurrency,omitempty"`
		Started     time.Time `json:"started,omitzero"`
		Beat        time.Time `json:"beat,omitzero"`
		Running     []runJSON `json:"running"`
	}
)

func jsonOfQueue(source string, q Queue) queueJSON {
	return queueJSON{source, q.Name, q.Waiting, q.Running, q.PutBack, q.Delayed, q.Dead, q.Workers, q.Done, q.Paused, q.Oldest}
}

func jsonOfTask(source string, t Task, arguments []Argument) taskJSON {
	return taskJSON{source, t.UUID, t.Name, t.Queue, t.State, t.Size, t.Attempts, t.Sent, t.ETA, t.Worker, jsonOfArguments(arguments), textOf(t.Err)}
}

func jsonOfLetter(l deadletter.Letter, arguments []Argument) letterJSON {
	letter := letterJSON{ID: l.ID, UUID: l.UUID, Queue: l.Queue, Reason: l.Reason, Time: l.Time, Size: len(l.Body),
		Arguments: jsonOfArguments(arguments), Attributes: l.Attributes}
	if l.Task != nil {
		letter.Task = l.Task.Name
	}
	return letter
}

// jsonOfListed is a letter in a list, which does not tell the size of one that is cut.
func jsonOfListed(l deadletter.Letter, arguments []Argument) letterJSON {
	letter := jsonOfLetter(l, arguments)
	if letter.Size >= MaxBody {
		letter.Size = Unknown
	}
	return letter
}

func jsonOfResult(s *tasks.TaskState, results []Argument) *resultJSON {
	if s == nil {
		return nil
	}
	return &resultJSON{s.State, jsonOfArguments(results), s.Error}
}

func jsonOfWorker(source string, w Worker) workerJSON {
	worker := workerJSON{source, w.ID, w.Host, w.Process, append([]string{}, w.Queues...), w.Concurrency, w.Started, w.Beat, []runJSON{}}
	for _, r := range w.Running {
		worker.Running = append(worker.Running, runJSON(r))
	}
	return worker
}

func jsonOfArguments(arguments []Argument) []argumentJSON {
	all := []argumentJSON{} // a list, never null
	for _, a := range arguments {
		d := a.Description
		all = append(all, argumentJSON{a.Name, d.Type, d.Version, d.Codec, d.Encoding, d.Ref, nodeJSON(d.Value), textOf(a.Err)})
	}
	return all
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// nodeJSON is a value as JSON: {"$hidden": type} where it may not be shown, {"$opaque": type} where there is no JSON to
// show, and {"$type": type, "value": …} where it stands in an envelope inside another.
type nodeJSON envelope.Node

// MarshalJSON implements json.Marshaler.
func (n nodeJSON) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	err := n.append(&text)
	return text.Bytes(), err
}

func (n nodeJSON) append(to *bytes.Buffer) error {
	switch {
	case n.Kind == envelope.Hidden:
		return appendMember(to, "{", "$hidden", n.Type, "}")
	case n.Kind == envelope.Opaque || n.Kind == "":
		return appendMember(to, "{", "$opaque", n.Type, "}")
	case n.Type == "":
		return n.appendValue(to)
	}
	if err := appendMember(to, "{", "$type", n.Type, `,"value":`); err != nil {
		return err
	}
	err := n.appendValue(to)
	to.WriteByte('}')
	return err
}

func appendMember(to *bytes.Buffer, before, name, value, after string) error {
	text, err := json.Marshal(value)
	to.WriteString(before + `"` + name + `":` + string(text) + after)
	return err
}

func (n nodeJSON) appendValue(to *bytes.Buffer) error {
	switch n.Kind {
	case envelope.Array, envelope.Object:
		return n.appendNodes(to)
	case envelope.String:
		text, err := json.Marshal(n.Text)
		to.Write(text)
		return err
	case envelope.Null:
		to.WriteString("null")
	default:
		to.WriteString(n.Text)
	}
	return nil
}

func (n nodeJSON) appendNodes(to *bytes.Buffer) error {
	brackets := "[]"
	if n.Kind == envelope.Object {
		brackets = "{}"
	}
	to.WriteByte(brackets[0])
	for i, member := range n.Nodes {
		if i > 0 {
			to.WriteByte(',')
		}
		if n.Kind == envelope.Object {
			name, err := json.Marshal(member.Name)
			if err != nil {
				return err
			}
			to.Write(append(name, ':'))
		}
		if err := nodeJSON(member).append(to); err != nil {
			return err
		}
	}
	to.WriteByte(brackets[1])
	return nil
}
