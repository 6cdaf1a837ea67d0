package middlewaretest

import (
	"maps"
	"reflect"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/google/uuid"
)

// RequireIdempotent fails the test unless a task leaves the same behind however often it is delivered: once, twice, and
// after its worker has died at each point where it may (see Server.KillWorkerAfter). It sends the task anew, under the
// same UUID, for each of these trials, runs it to its end, and compares what state returns then, by reflect.DeepEqual,
// with what it has returned after one delivery. In every trial the task must end in SUCCESS.
//
// A task that looks at what it has left behind before does so from the second trial on. To have each trial begin from
// nothing, state clears what it has read before it returns. What follows the task, such as its callbacks, is sent and
// waits; where it counts, state calls s.Run first.
func RequireIdempotent(t TB, s *Server, signature *tasks.Signature, state func() any) {
	t.Helper()
	if signature == nil {
		t.Fatalf("middlewaretest: RequireIdempotent: the signature is nil")
	}
	if signature.UUID == "" {
		signature.UUID = "task_" + uuid.NewString()
	}
	finish := func() *mortal { return s.finish(t, signature.UUID) }
	once := s.try(t, signature, state, func() string {
		finish()
		return "delivered once"
	})
	compare := func(deliver func() string) {
		t.Helper()
		var trial string
		got := s.try(t, signature, state, func() string {
			trial = deliver()
			return trial
		})
		if !reflect.DeepEqual(got, once) {
			t.Fatalf("middlewaretest: task %q is not idempotent\ndelivered once: %s\n%s: %s",
				signature.Name, format(once), trial, format(got))
		}
	}
	compare(func() string {
		finish()
		s.Redeliver(signature.UUID)
		finish()
		return "delivered twice"
	})
	worker := &mortal{isDead: true}
	for steps := 0; worker.isDead; steps++ {
		compare(func() string {
			s.KillWorkerAfter(steps)
			worker = finish()
			return "delivered again after its worker had " + worker.done + " and died"
		})
	}
}

// try sends a task, has it delivered, which says how, and returns the state that it leaves.
func (s *Server) try(t TB, signature *tasks.Signature, state func() any, deliver func() string) any {
	t.Helper()
	sent := *signature
	sent.Headers = maps.Clone(signature.Headers)
	if _, err := s.SendTask(&sent); err != nil {
		t.Fatalf("middlewaretest: RequireIdempotent: %v", err)
	}
	trial := deliver()
	ended, err := s.GetBackend().GetState(sent.UUID)
	if err != nil || !ended.IsSuccess() {
		t.Fatalf("middlewaretest: task %q did not succeed, %s: %s", sent.Name, trial, reasonOf(ended, err))
	}
	return state()
}

func reasonOf(state *tasks.TaskState, err error) string {
	if err != nil {
		return err.Error()
	}
	return state.State + " " + state.Error
}
