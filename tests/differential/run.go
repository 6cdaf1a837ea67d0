package differential

import (
	"testing"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/stretchr/testify/assert"
)

// A Transport opens what both sides run on. Adapters are compared with Machinery's own broker and backend.
type Transport struct {
	// Name is that of the tests of the transport.
	Name            string
	Bare, Installed Opener
}

// An Opener makes a server with a queue of its own, and a function that reads the messages in it; nil where nobody can
// look into it.
type Opener func(t *testing.T, cnf *config.Config) (server *machinery.Server, messages func() []string)

// Run compares the two sides of a transport, as subtests of its name that run beside those of others.
func Run(t *testing.T, tr Transport) {
	t.Run(tr.Name, func(t *testing.T) {
		t.Parallel() // they share nothing, and mostly wait
		bare, installed := newSides(t, tr)
		compareJobs(t, bare, installed, append(tableJobs(), workflowJobs()...))
	})
}

// A job is sent on both sides.
type job struct {
	name string
	// send publishes it, with UUIDs of the side.
	send func(s *side) error
	// ends are the tasks that come to an end, by the names from which side.uuid makes their UUIDs; nil for the job's
	// own.
	ends []string
	// never are tasks that must not run.
	never []string
	// protected messages look different, on purpose; the tasks get the same.
	protected bool
}

// compareJobs sends all jobs before it has any processed, so that the messages can be seen.
func compareJobs(t *testing.T, bare, installed *side, jobs []job) {
	sides := []*side{bare, installed}
	isEager := bare.messages == nil
	begin := func() {
		bare.work(t, bare.guarded())
		installed.work(t, installed.worker())
	}
	if isEager {
		begin()
	}
	problems := make(map[string][]string)
	for _, j := range jobs {
		for _, s := range sides {
			problems[j.name] = append(problems[j.name], s.send(func(*machinery.Server) error { return j.send(s) }))
		}
	}
	messages := make([]map[string]string, 2)
	if !isEager {
		messages[0], messages[1] = bare.bodies(t), installed.bodies(t)
		begin()
	}
	for _, j := range jobs {
		t.Run(j.name, func(t *testing.T) {
			assert.Equal(t, problems[j.name][0], problems[j.name][1], "error of the send")
			for _, name := range append(j.ends, j.name) {
				if !j.protected {
					assert.Equal(t, messages[0]["…/"+name], messages[1]["…/"+name], "message")
				}
			}
			compareEnds(t, bare, installed, j, problems[j.name][0] == "")
		})
	}
}

func compareEnds(t *testing.T, bare, installed *side, j job, sent bool) {
	ends := j.ends
	if ends == nil {
		ends = []string{j.name}
	}
	for _, name := range ends {
		if sent {
			bare.awaits(t, name)
			installed.awaits(t, name)
		}
		assert.Equal(t, bare.outcome(name), installed.outcome(name), name)
	}
	for _, name := range j.never {
		assert.Equal(t, bare.outcome(name), installed.outcome(name), name)
	}
}
