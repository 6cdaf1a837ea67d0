package differential

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// delay is how long tasks are put off.
const delay = 200 * time.Millisecond

// workflowFunctions are tasks that show what else there is.
func (s *side) workflowFunctions() map[string]any {
	var tried sync.Map // UUIDs of tasks that have failed once
	isFirst := func(ctx context.Context) bool {
		_, again := tried.LoadOrStore(tasks.SignatureFromContext(ctx).UUID, nil)
		return !again
	}
	return map[string]any{
		"see": func(ctx context.Context, args ...any) (string, error) {
			s.note(ctx, append(args, s.seen(ctx))...)
			return "seen", nil
		},
		"add": func(ctx context.Context, terms ...int64) (sum int64, err error) {
			s.note(ctx, terms)
			for _, term := range terms {
				sum += term
			}
			return sum, nil
		},
		"several": func(ctx context.Context, text string) (string, []byte, []string, float64, error) {
			s.note(ctx, text)
			return text, []byte(text), nil, 1.5, nil
		},
		"fail": func(ctx context.Context) error {
			s.note(ctx, "fails")
			return errors.New("failed")
		},
		"flaky": func(ctx context.Context, text string) (string, error) {
			s.note(ctx, text)
			if isFirst(ctx) {
				return "", errors.New("failed once")
			}
			return text, nil
		},
		"later": func(ctx context.Context, text string) (string, error) {
			s.note(ctx, text)
			if isFirst(ctx) {
				return "", tasks.NewErrRetryTaskLater("later", delay)
			}
			return text, nil
		},
		"panic":   func(ctx context.Context) error { panic("panicked") },
		"own":     func(ctx context.Context) (text, record, error) { return "named", record{"r-1", 3}, nil },
		"record":  func(ctx context.Context) (record, error) { return record{"r-1", 3}, nil },
		"nothing": func(ctx context.Context) (any, error) { return nil, nil },
		"lookalike": func(ctx context.Context) (string, error) {
			return lookalike, nil
		},
	}
}

// seen is the signature as the task sees it. When a retry is due and what SQS calls the message are left out: nobody can
// foresee them.
func (s *side) seen(ctx context.Context) string {
	signature := *tasks.SignatureFromContext(ctx)
	signature.SQSReceiptHandle = ""
	if signature.RetryTimeout > 0 {
		signature.ETA = nil
	}
	data, err := json.Marshal(signature)
	if err != nil {
		return err.Error()
	}
	return s.neutral(string(data))
}

func stringArg(text string) tasks.Arg { return tasks.Arg{Type: "string", Value: text} }
func intArg(n int64) tasks.Arg        { return tasks.Arg{Type: "int64", Value: n} }

func workflowJobs() []job {
	soon, past := time.Now().UTC().Add(delay), time.Now().UTC().Add(-time.Hour)
	return []job{
		single("no arguments", "see"),
		single("too few arguments", "several"),
		single("too many arguments", "fail", intArg(1)),
		single("an argument of another type", "several", intArg(1)),
		single("mixed arguments", "see", stringArg("a"), intArg(1), tasks.Arg{Name: "named", Type: "[]string", Value: []string{"x"}}),
		single("several results", "several", stringArg("text")),
		single("results of own types", "own"),
		single("a nil result", "nothing"),
		single("a result that looks like an envelope", "lookalike"),
		single("a failure", "fail"),
		single("a panic", "panic"),
		single("a retry for later", "later", stringArg("text")),
		sent("a retry", func(*side) *tasks.Signature {
			return &tasks.Signature{Name: "flaky", RetryCount: 2, Args: []tasks.Arg{stringArg("text")}}
		}),
		sent("retries that are used up", func(*side) *tasks.Signature { return &tasks.Signature{Name: "fail", RetryCount: 1} }),
		sent("headers", func(*side) *tasks.Signature {
			return &tasks.Signature{Name: "see", Headers: tasks.Headers{
				"text": "a", "bool": true, "nil": nil, "number": 7, "list": []any{"a"}, "envelope": lookalike,
			}}
		}),
		sent("a delay", func(*side) *tasks.Signature { return &tasks.Signature{Name: "see", ETA: &soon} }),
		sent("a delay that is over", func(*side) *tasks.Signature { return &tasks.Signature{Name: "see", ETA: &past} }),
		sent("what else a signature says", func(*side) *tasks.Signature {
			return &tasks.Signature{Name: "see", Priority: 3, Immutable: true, IgnoreWhenTaskNotRegistered: true, BrokerMessageGroupId: "g"}
		}),
		callbacks(), ownResult(), immutable(), failureCallback(), chain(), group(), chord(),
	}
}

// callbacks sends a task with two callbacks, which get its result behind their own arguments.
func callbacks() job {
	j := sent("callbacks", func(s *side) *tasks.Signature {
		return &tasks.Signature{Name: "add", Args: []tasks.Arg{intArg(1), intArg(2)}, OnSuccess: []*tasks.Signature{
			{UUID: s.uuid("first callback"), Name: "see", Args: []tasks.Arg{stringArg("own")}},
			{UUID: s.uuid("second callback"), Name: "add", Args: []tasks.Arg{intArg(10)}},
		}, OnError: []*tasks.Signature{{UUID: s.uuid("error callback, not called"), Name: "see"}}}
	})
	j.ends = []string{j.name, "first callback", "second callback"}
	j.never = []string{"error callback, not called"}
	return j
}

// ownResult sends a task whose callback gets a value that Machinery does not carry.
func ownResult() job {
	j := sent("a result of an own type for a callback", func(s *side) *tasks.Signature {
		return &tasks.Signature{Name: "record", OnSuccess: []*tasks.Signature{{UUID: s.uuid("callback with an own type"), Name: "see",
			OnError: []*tasks.Signature{{UUID: s.uuid("its error callback"), Name: "see"}}}}}
	})
	j.ends = []string{j.name, "callback with an own type", "its error callback"}
	return j
}

func immutable() job {
	j := sent("an immutable task", func(s *side) *tasks.Signature {
		return &tasks.Signature{Name: "several", Immutable: true, Args: []tasks.Arg{stringArg("a")},
			OnSuccess: []*tasks.Signature{{UUID: s.uuid("callback of an immutable task"), Name: "see", Args: []tasks.Arg{stringArg("own")}}}}
	})
	j.ends = []string{j.name, "callback of an immutable task"}
	return j
}

func failureCallback() job {
	j := sent("a failure with a callback", func(s *side) *tasks.Signature {
		return &tasks.Signature{Name: "fail", OnError: []*tasks.Signature{
			{UUID: s.uuid("error callback"), Name: "see", Args: []tasks.Arg{stringArg("own"), {Type: "[]int64", Value: [2]int64{1, 2}}}},
		}, OnSuccess: []*tasks.Signature{{UUID: s.uuid("callback, not called"), Name: "see"}}}
	})
	j.ends = []string{j.name, "error callback"}
	j.never = []string{"callback, not called"}
	return j
}

func chain() job {
	return job{name: "chain", ends: []string{"chain 1", "chain 2", "chain 3"}, send: func(s *side) error {
		made, err := tasks.NewChain(
			&tasks.Signature{UUID: s.uuid("chain 1"), Name: "several", Args: []tasks.Arg{{Type: "string", Value: pointerTo("text")}}},
			&tasks.Signature{UUID: s.uuid("chain 2"), Name: "see", Args: []tasks.Arg{intArg(1)}},
			&tasks.Signature{UUID: s.uuid("chain 3"), Name: "see"},
		)
		if err == nil {
			_, err = s.server.SendChain(made)
		}
		return err
	}}
}

func (s *side) members(names ...string) *tasks.Group {
	g := &tasks.Group{GroupUUID: s.uuid("group of " + names[0])}
	for i, name := range names {
		g.Tasks = append(g.Tasks, &tasks.Signature{UUID: s.uuid(name), Name: "add", GroupUUID: g.GroupUUID, GroupTaskCount: len(names),
			Args: []tasks.Arg{{Type: "int64", Value: pointerTo(int64(i))}, intArg(10)}})
	}
	return g
}

func group() job {
	ends := []string{"group 1", "group 2", "group 3"}
	return job{name: "group", ends: ends, send: func(s *side) error {
		_, err := s.server.SendGroup(s.members(ends...), 1)
		return err
	}}
}

func chord() job {
	members := []string{"chord 1", "chord 2"}
	return job{name: "chord", ends: append(members, "chord callback"), send: func(s *side) error {
		callback := &tasks.Signature{UUID: s.uuid("chord callback"), Name: "see", Args: []tasks.Arg{stringArg("own")}}
		made, err := tasks.NewChord(s.members(members...), callback)
		if err == nil {
			_, err = s.server.SendChord(made, 1)
		}
		return err
	}}
}
