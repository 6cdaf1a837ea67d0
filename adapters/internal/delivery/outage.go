package delivery

import (
	"log/slog"
	"sync"
)

// An Outage logs once that a server fails and once that it works again, however many parts of a broker notice, and
// however often they try in between.
type Outage struct {
	logger *slog.Logger
	server string

	mu sync.Mutex
	// now counts what was noted; it tells what came before what.
	now     Moment
	worked  Moment            // when the server was last found to work again
	failing map[string]Moment // since when, by part
}

// A Moment is when an attempt began, as an Outage sees it.
type Moment uint64

// NewOutage returns an Outage of a server that is named in the log so.
func NewOutage(logger *slog.Logger, server string) *Outage {
	return &Outage{logger: logger, server: server, failing: make(map[string]Moment)}
}

// Begin is called when an attempt begins, and returns what Note is to be told.
func (o *Outage) Begin() Moment {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

// Note records how an attempt of a part ended, such as "fetch from queue orders". Attempts overlap: a failure of one that
// began before the server worked again, and a success of one that began before its part failed, are old news.
func (o *Outage) Note(part string, began Moment, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now++
	before := len(o.failing)
	if err != nil && began >= o.worked {
		o.failing[part] = o.now
	}
	if err == nil && began >= o.failing[part] {
		delete(o.failing, part)
	}
	switch after := len(o.failing); {
	case before == 0 && after > 0:
		o.logger.Warn("server fails, trying again", "server", o.server, "operation", part, "error", err)
	case before > 0 && after == 0:
		o.worked = o.now
		o.logger.Info("server works again", "server", o.server)
	}
}

// Over records that a part works, or has ended.
func (o *Outage) Over(part string) { o.Note(part, o.Begin(), nil) }
