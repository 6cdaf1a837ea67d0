package redisadapter

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Each leaves the message "a" done, and the fetcher waiting for a slot.
func TestWhatIsDoneIsDueWhereTheFetcherDoesNotCome(t *testing.T) {
	for name, leave := range map[string]func(*inFlight){
		"it ended while the fetcher waited": func(f *inFlight) {
			f.finish(message{body: "a"}, processed)
		},
		"it ended before the fetcher came back": func(f *inFlight) {
			f.leave()
			f.finish(message{body: "a"}, processed)
			<-f.ackDue
			f.comeBack()
		},
		"acknowledging it failed": func(f *inFlight) {
			f.finish(message{body: "a"}, processed)
			f.acknowledged(f.takeDone(), errors.New("refused"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := takenInFlight("a")
				leave(f)
				require.Empty(t, f.takeDoneWhileAway())
				<-f.ackDue
				require.Equal(t, []string{"a"}, f.takeDoneWhileAway())
			})
		})
	}
}

func TestWhatIsDoneIsLeftToTheFetcherThatComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := takenInFlight("a", "b")
		f.finish(message{body: "a"}, processed)
		require.Equal(t, []string{"a"}, f.takeDone())
		time.Sleep(ackDelay - 1)
		f.finish(message{body: "b"}, processed)
		time.Sleep(ackDelay - 1)
		require.Empty(t, f.ackDue)
		require.Empty(t, f.takeDoneWhileAway())
		require.Equal(t, []string{"b"}, f.takeDone())
	})
}

func takenInFlight(bodies ...string) *inFlight {
	s := newSlots(len(bodies), []queueShare{{name: "q", weight: 1}}).shares[0]
	f := newInFlight(s)
	s.reserve(nil)
	for _, body := range bodies {
		f.take(message{body: body})
	}
	return f
}
