package middleware

import (
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/RichardKnop/machinery/v2/backends/result"
)

// briefly is for how long a task is taken for one that cannot have ended: Await subscribes to its end before it asks.
const briefly = time.Millisecond

// justSent are the last tasks that were sent. Where two fall on one place the earlier is forgotten: Await asks first then.
type justSent struct {
	places [64]atomic.Pointer[sentTask]
}

type sentTask struct {
	uuid string
	when time.Time
}

var uuidSeed = maphash.MakeSeed()

func (j *justSent) place(uuid string) *atomic.Pointer[sentTask] {
	return &j.places[maphash.String(uuidSeed, uuid)%uint64(len(j.places))]
}

func (j *justSent) note(uuid string) {
	j.place(uuid).Store(&sentTask{uuid, time.Now()})
}

// has reports whether a result is of a task that was sent a moment ago.
func (j *justSent) has(res Result) bool {
	task, ok := res.(*result.AsyncResult)
	if !ok {
		return false
	}
	sent := j.place(task.Signature.UUID).Load()
	return sent != nil && sent.uuid == task.Signature.UUID && time.Since(sent.when) < briefly
}
