package redisadapter

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"
)

// A state that follows would be written before the one that is being written, which then took its place.
func TestStateThatIsBeingWrittenIsWaitedForAndNotChanged(t *testing.T) {
	t.Parallel()
	states := unwrittenStates{alarms: new(alarms)}
	writing, release := make(chan struct{}), make(chan struct{})
	var written atomic.Bool
	received := &tasks.TaskState{TaskUUID: "a", State: tasks.StateReceived}
	states.put(received, 0, func(*unwritten) {
		close(writing)
		<-release
		written.Store(true)
	})
	<-writing
	require.False(t, states.follow("a", tasks.StateStarted))
	require.Equal(t, tasks.StateReceived, received.State)
	time.AfterFunc(10*time.Millisecond, func() { close(release) })
	require.Nil(t, states.take("a"))
	require.True(t, written.Load())
	require.Nil(t, states.take("a"))
}
