package delivery

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/backoff"
)

var errAway = errors.New("away")

type outageLog struct{ bytes.Buffer }

func (l *outageLog) fails() int { return strings.Count(l.String(), "server fails") }
func (l *outageLog) works() int { return strings.Count(l.String(), "server works again") }

func newOutage() (*Outage, *outageLog) {
	log := &outageLog{}
	return NewOutage(slog.New(slog.NewTextHandler(log, nil)), "redis"), log
}

func TestOutageIsLoggedOnceHoweverManyNotice(t *testing.T) {
	o, log := newOutage()
	for range 3 {
		o.Note("fetch", o.Begin(), errAway)
		o.Note("acknowledge", o.Begin(), errAway)
	}
	o.Note("fetch", o.Begin(), nil)
	assert.Zero(t, log.works())
	o.Over("acknowledge")
	assert.Equal(t, 1, log.fails())
	assert.Equal(t, 1, log.works())
	o.Note("fetch", o.Begin(), errAway)
	assert.Equal(t, 2, log.fails())
}

func TestFailureThatBeganBeforeTheServerWorkedAgainIsOldNews(t *testing.T) {
	o, log := newOutage()
	late := o.Begin()
	o.Note("fetch", o.Begin(), errAway)
	later := o.Begin()
	o.Note("fetch", o.Begin(), nil)
	o.Note("delayed", late, errAway)
	o.Note("fetch", later, errAway)
	assert.Equal(t, 1, log.fails())
	assert.Equal(t, 1, log.works())
}

func TestSuccessThatBeganBeforeItsPartFailedIsOldNews(t *testing.T) {
	o, log := newOutage()
	late := o.Begin()
	o.Note("fetch", o.Begin(), errAway)
	o.Note("fetch", late, nil)
	assert.Zero(t, log.works())
	o.Note("fetch", o.Begin(), nil)
	assert.Equal(t, 1, log.works())
}

func TestWhatCanNeverBeSentIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, log := newOutage()
		d := Begin(t.Context(), &tasks.Signature{})
		isAway := func(err error) bool { return errors.Is(err, errAway) }
		errNever := errors.New("too large")
		answers := []error{errAway, errAway, errNever}
		err := d.SendNoting(o, "publish", backoff.Policy{First: time.Second, Last: time.Second}, isAway, func() error {
			err := answers[0]
			answers = answers[1:]
			return err
		})
		assert.ErrorIs(t, err, errNever)
		assert.Equal(t, 1, log.fails())
		assert.Equal(t, 1, log.works(), "the server has answered")
	})
}
