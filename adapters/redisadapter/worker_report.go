package redisadapter

import (
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
)

const (
	// maxReportedRuns bounds how many of its tasks a consumer reports: those that have run longest.
	maxReportedRuns = 500
	// maxReportedName bounds a UUID and a name of a task in a report, in bytes. They come from messages.
	maxReportedName = 256
)

// workerIdentity is what a worker tells of itself.
type workerIdentity struct {
	ID          string    `json:"id"`
	Host        string    `json:"host"`
	Process     int       `json:"process"`
	Queues      []string  `json:"queues"`
	Concurrency int       `json:"concurrency"`
	Started     time.Time `json:"started"`
}

func newWorkerIdentity(id string, queues []string, concurrency int) workerIdentity {
	host, _ := os.Hostname()
	return workerIdentity{id, host, os.Getpid(), queues, concurrency, time.Now().UTC()}
}

// workerReport is what a consumer writes with each heartbeat, for those who look at the queues.
type workerReport struct {
	workerIdentity
	Timeout int64         `json:"timeout"` // of the heartbeat, in milliseconds
	Done    int64         `json:"done"`    // how many messages; countDone reads it
	Running []reportedRun `json:"running,omitempty"`
}

// reportedRun is a task that is being processed.
type reportedRun struct {
	UUID  string    `json:"uuid"`
	Name  string    `json:"name"`
	Since time.Time `json:"since"`
}

// reporter knows what a consumer is to report.
type reporter struct {
	identity workerIdentity
	timeout  time.Duration

	mu      sync.Mutex
	running map[*tasks.Signature]reportedRun
}

func newReporter(identity workerIdentity, timeout time.Duration) *reporter {
	return &reporter{identity: identity, timeout: timeout, running: make(map[*tasks.Signature]reportedRun)}
}

// begin notes a task until the function is called that it returns. What the task is called can change meanwhile.
func (r *reporter) begin(s *tasks.Signature) (end func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running[s] = reportedRun{s.UUID, s.Name, time.Now()}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.running, s)
	}
}

// runs returns the tasks that have run longest, those first.
func (r *reporter) runs() []reportedRun {
	r.mu.Lock()
	runs := slices.Collect(maps.Values(r.running))
	r.mu.Unlock()
	runs = slices.DeleteFunc(runs, func(run reportedRun) bool { return max(len(run.UUID), len(run.Name)) > maxReportedName })
	slices.SortFunc(runs, func(a, b reportedRun) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.UUID, b.UUID))
	})
	return runs[:min(len(runs), maxReportedRuns)]
}

// report returns the JSON of a workerReport, of a consumer that has done so many messages. It is written anew with each heartbeat, and expires where these end.
func (r *reporter) report(done int64) (text []byte, expiry time.Duration) {
	report := workerReport{workerIdentity: r.identity, Timeout: r.timeout.Milliseconds(), Done: done, Running: r.runs()}
	text, _ = json.Marshal(report) // strings, numbers and times that JSON can hold
	return text, 2 * r.timeout
}
