package inspect_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/tests/inspecttest"
)

var filterID = regexp.MustCompile(`filter=([A-Z0-9]+)`)

// filter gives a filter on dead letters of orders, or on tasks in a state, and returns its ID.
func (b *browser) filter(state, text string) string {
	b.t.Helper()
	w := b.post("/redis/filter", url.Values{"queue": {"orders"}, "state": {state}, "filter": {text}})
	require.Equal(b.t, http.StatusSeeOther, w.Code)
	return filterID.FindStringSubmatch(w.Header().Get("Location"))[1]
}

// begin begins a bulk action, and returns its page when all is counted, and its ID.
func (b *browser) begin(form url.Values) (path string, id url.Values) {
	b.t.Helper()
	w := b.post("/redis/bulk", form)
	require.Equal(b.t, http.StatusSeeOther, w.Code, w.Body)
	synctest.Wait()
	location, err := url.Parse(w.Header().Get("Location")[2:])
	require.NoError(b.t, err)
	return location.String(), url.Values{"id": {location.Query().Get("id")}}
}

func (b *browser) goOn(step string, id url.Values) {
	b.t.Helper()
	require.Equal(b.t, http.StatusSeeOther, b.post("/redis/bulk/"+step, id).Code)
	synctest.Wait()
}

func TestABulkActionIsGoneOnWithWhereItBegan(t *testing.T) {
	source, other := filled(t), inspecttest.New("other")
	synctest.Test(t, func(t *testing.T) {
		b := open(t, []inspect.Source{source, other})
		path, id := b.begin(url.Values{"action": {"drop"}, "queue": {"orders"}})
		for _, step := range []string{"go", "stop"} {
			assert.Equal(t, http.StatusNotFound, b.post("/other/bulk/"+step, id).Code, "the log would name the wrong source")
		}
		assert.Equal(t, http.StatusNotFound, b.get("/other/bulk?"+id.Encode()).Code)
		assert.Contains(t, b.page(path), "Drop 120 dead letters")
	})
}

func TestBulkActionsThatAreUnderWayAreNotForgotten(t *testing.T) {
	source := filled(t)
	synctest.Test(t, func(t *testing.T) {
		b := open(t, []inspect.Source{source})
		form := func() url.Values { return url.Values{"action": {"delete"}, "queue": {"orders"}, "state": {"waiting"}} }
		source.SearchTakes(time.Second) // for each task
		var paths []string
		for range 8 {
			path, id := b.begin(form())
			b.goOn("go", id)
			paths = append(paths, path)
		}
		assert.Equal(t, http.StatusTooManyRequests, b.post("/redis/bulk", form()).Code)
		for _, path := range paths {
			assert.Contains(t, b.page(path), "deleted", "it is known still")
		}
		time.Sleep(time.Hour)
		b.begin(form())
	})
}

// A program that is killed says nothing at the end.
func TestABulkActionIsLoggedWhenItBegins(t *testing.T) {
	source := filled(t)
	synctest.Test(t, func(t *testing.T) {
		b := open(t, []inspect.Source{source}, inspect.WithUser(func(*http.Request) string { return "ada" }))
		_, id := b.begin(url.Values{"action": {"delete"}, "queue": {"orders"}, "state": {"waiting"}, "filter": {b.filter("waiting", "task ~ clinic")}})
		b.goOn("go", id)
		lines := strings.Split(strings.TrimSpace(b.audit.String()), "\n")
		require.Len(t, lines, 2, b.audit)
		assert.Contains(t, lines[0], "user=ada remote=127.0.0.1:4711 action=delete source=redis queue=orders state=waiting count=")
		assert.Contains(t, lines[0], "result=begun")
		assert.Contains(t, lines[1], "result=done")
		assert.NotContains(t, b.audit.String(), "clinic")
	})
}

func TestReplayingTheseShowsHowManyFirst(t *testing.T) {
	source := filled(t)
	synctest.Test(t, func(t *testing.T) {
		b := open(t, []inspect.Source{source})
		filter := b.filter("", "order.customer.id = 42")
		path, id := b.begin(url.Values{"action": {"replay"}, "queue": {"orders"}, "filter": {filter}})
		assert.Contains(t, b.page(path), "Replay 40 dead letters")
		queues, err := source.Queues(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 120, queues[3].Dead, "nothing has happened yet")

		b.goOn("go", id)
		assert.Contains(t, b.page(path), "40 of 40 replayed")
		queues, err = source.Queues(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 80, queues[3].Dead)
		assert.Contains(t, b.audit.String(), "action=replay source=redis queue=orders count=40 done=40 failed=0 result=done")
		b.goOn("go", id)
		assert.Contains(t, b.page(path), "40 of 40 replayed", "once is enough")
	})
}

func TestWhatFailedIsListed(t *testing.T) {
	source := filled(t)
	synctest.Test(t, func(t *testing.T) {
		b := open(t, []inspect.Source{source})
		path, id := b.begin(url.Values{"action": {"replay"}, "queue": {"reports"}})
		b.goOn("go", id)
		page := b.page(path)
		assert.Contains(t, page, "0 of 1 replayed, 1 not")
		assert.Contains(t, page, "letter-broken")
		assert.Contains(t, page, "Message is no task.")
	})
}

func TestDroppingTheseCanBeCancelled(t *testing.T) {
	source := filled(t)
	synctest.Test(t, func(t *testing.T) {
		b := open(t, []inspect.Source{source})
		path, id := b.begin(url.Values{"action": {"drop"}, "queue": {"orders"}})
		assert.Contains(t, b.page(path), "Drop 120 dead letters")
		b.goOn("stop", id)
		b.goOn("go", id)
		assert.Contains(t, b.page(path), "It was stopped.")
		queues, err := source.Queues(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 120, queues[3].Dead)
	})
}

func TestTasksAreDeletedInBulk(t *testing.T) {
	source := filled(t)
	synctest.Test(t, func(t *testing.T) {
		b := open(t, []inspect.Source{source})
		filter := b.filter("waiting", "task = clinic.admit")
		path, id := b.begin(url.Values{"action": {"delete"}, "queue": {"orders"}, "state": {"waiting"}, "filter": {filter}})
		assert.Contains(t, b.page(path), "Delete 1 task<")
		b.goOn("go", id)
		assert.Contains(t, b.page(path), "1 of 1 deleted")
	})
}

func TestBulkActionsThatMakeNoSenseAreRefused(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	for _, form := range []url.Values{
		{"action": {"replay"}, "queue": {"gone"}}, {"action": {"replay"}, "queue": {"orders"}, "state": {"waiting"}},
		{"action": {"delete"}, "queue": {"orders"}, "state": {"running"}}, {"action": {"pause"}, "queue": {"orders"}},
		{"action": {"drop"}, "queue": {"orders"}, "filter": {"gone"}},
	} {
		assert.Equal(t, http.StatusNotFound, b.post("/redis/bulk", form).Code, "%v", form)
	}
	unreadable := b.filter("", "and")
	w := b.post("/redis/bulk", url.Values{"action": {"drop"}, "queue": {"orders"}, "filter": {unreadable}})
	assert.Equal(t, http.StatusBadRequest, w.Code)
	assert.Contains(t, w.Body.String(), "olumn ")
	assert.Equal(t, http.StatusNotFound, b.post("/redis/bulk/fly", url.Values{"id": {"gone"}}).Code)
}
