package inspect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/tests/inspecttest"
)

// A stream is a connection on which events arrive.
type stream struct {
	mu     sync.Mutex
	header http.Header
	body   bytes.Buffer
	stop   context.CancelFunc
}

func (s *stream) Header() http.Header { return s.header }
func (s *stream) WriteHeader(int)     {}
func (s *stream) Flush()              {}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.body.Write(p)
}

// changes returns how often the page was said to have changed.
func (s *stream) changes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.body.String(), "event: changed\n")
}

// watch opens a connection that is told of changes.
func (b *browser) watch(query string) *stream {
	ctx, cancel := context.WithCancel(b.t.Context())
	s := &stream{header: http.Header{}, stop: cancel}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/events?"+query, nil)
	r.RemoteAddr, r.Host = "127.0.0.1:4711", "localhost"
	go b.handler.ServeHTTP(s, r)
	return s
}

func total(source *inspecttest.Source) (n int) {
	for _, calls := range source.Calls() {
		n += calls
	}
	return n
}

// callsIn returns how many questions a source got a second, in the next minutes of a bubble.
func callsIn(source *inspecttest.Source, d time.Duration) float64 {
	before := total(source)
	time.Sleep(d)
	return float64(total(source)-before) / d.Seconds()
}

// inBubble tests a handler on a source that is filled.
func inBubble(t *testing.T, test func(t *testing.T, source *inspecttest.Source, b *browser)) {
	t.Helper()
	source := filled(t)
	inBubbleOf(t, source, func(t *testing.T, b *browser) { test(t, source, b) })
}

// inBubbleOf tests a handler once it has asked its source, where sleeping takes no time.
func inBubbleOf(t *testing.T, source inspect.Source, test func(t *testing.T, b *browser)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := open(t, []inspect.Source{source})
		synctest.Wait()
		test(t, b)
	})
}

func TestManyWhoLookCostASourceNoMoreThanOne(t *testing.T) {
	pages := []string{
		"", "on=redis&page=queue&queue=orders", "on=redis&page=dead&queue=orders", "on=redis&page=group&uuid=" + inspecttest.GroupUUID,
		"on=redis&page=task&uuid=" + inspecttest.ChainUUID, "on=redis&page=task&uuid=" + inspecttest.PlacedUUID,
	}
	for _, browsers := range []int{1, 300} {
		inBubble(t, func(t *testing.T, source *inspecttest.Source, b *browser) {
			var streams []*stream
			for i := range browsers {
				streams = append(streams, b.watch(pages[i%len(pages)]))
			}
			synctest.Wait()
			assert.LessOrEqual(t, callsIn(source, 2*time.Minute), 2.5)
			for _, s := range streams {
				assert.NotZero(t, s.changes())
				s.stop()
			}
			synctest.Wait()
			assert.LessOrEqual(t, callsIn(source, 10*time.Minute), 0.25, "nobody looks any more")
		})
	}
}

func TestWhoComesAndGoesOftenCostsNoMore(t *testing.T) {
	inBubble(t, func(t *testing.T, source *inspecttest.Source, b *browser) {
		before := total(source)
		for range 600 {
			s := b.watch("")
			time.Sleep(50 * time.Millisecond)
			s.stop()
			time.Sleep(50 * time.Millisecond)
		}
		assert.LessOrEqual(t, float64(total(source)-before)/60, 2.5)
	})
}

func TestAWatchedPageIsLoadedOnceForAllWhoLook(t *testing.T) {
	inBubble(t, func(t *testing.T, source *inspecttest.Source, b *browser) {
		s := b.watch("on=redis&page=queue&queue=orders")
		time.Sleep(3 * time.Second)
		assert.NotZero(t, s.changes())
		before := total(source)
		for range 50 {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/redis/queue?queue=orders", nil)
			r.Header.Set("X-Live", "1")
			assert.Contains(t, b.do(r).Body.String(), inspecttest.PlacedUUID)
		}
		assert.Equal(t, before, total(source))
		s.stop()
	})
}

func TestWhatAPageDoesNotKnowMakesNoOtherPage(t *testing.T) {
	inBubble(t, func(t *testing.T, source *inspecttest.Source, b *browser) {
		first := b.watch("on=redis&page=queue&queue=orders")
		time.Sleep(time.Minute)
		alone := first.changes()
		var streams []*stream
		for i := range 200 {
			streams = append(streams, b.watch(fmt.Sprintf("on=redis&page=queue&queue=orders&done=%d&x=%d", i, i)))
		}
		synctest.Wait()
		time.Sleep(time.Minute)
		assert.GreaterOrEqual(t, first.changes()-alone, alone-2, "the page is loaded as often as before")
		for _, s := range append(streams, first) {
			s.stop()
		}
	})
}

func TestNoMoreThanAThousandLookAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *inspecttest.Source, b *browser) {
		var streams []*stream
		for range 1000 {
			streams = append(streams, b.watch(""))
		}
		synctest.Wait()
		w := b.get("/events")
		assert.Equal(t, http.StatusServiceUnavailable, w.Code)
		assert.Contains(t, w.Body.String(), "Too many browsers look")
		for _, s := range streams {
			s.stop()
		}
		synctest.Wait()
		again := b.watch("")
		time.Sleep(time.Minute)
		assert.NotZero(t, again.changes(), "there is room again")
		again.stop()
	})
}

func TestABrokerThatIsDownIsToldWithTheTimeAndTheOthersGoOn(t *testing.T) {
	source, other := filled(t), inspecttest.New("other")
	other.AddQueue("mails")
	synctest.Test(t, func(t *testing.T) {
		b := open(t, []inspect.Source{source, other})
		synctest.Wait()
		s := b.watch("on=redis&page=queue&queue=orders")
		source.Fail(errors.New("connection refused"))
		time.Sleep(3 * time.Second)
		since := time.Now().Truncate(2 * time.Second)
		time.Sleep(90 * time.Second)

		overview := b.page("/")
		assert.Contains(t, overview, "redis has not answered since")
		assert.Contains(t, overview, "1 min ago")
		assert.Contains(t, overview, since.UTC().Format("15:04:05 UTC"))
		assert.Contains(t, overview, "mails")
		w := b.get("/redis/queue?queue=orders")
		assert.Equal(t, http.StatusServiceUnavailable, w.Code)
		assert.Contains(t, w.Body.String(), "connection refused")
		assert.Contains(t, b.page("/other/queue?queue=mails"), "Nothing waits")
		assert.NotZero(t, s.changes(), "who looks is told")

		source.Fail(nil)
		time.Sleep(3 * time.Second)
		assert.NotContains(t, b.page("/"), "has not answered")
		assert.Contains(t, b.page("/redis/queue?queue=orders"), inspecttest.PlacedUUID)
		s.stop()
	})
}

func TestTheLastHourIsDrawn(t *testing.T) {
	source := filled(t)
	synctest.Test(t, func(t *testing.T) {
		b := open(t, []inspect.Source{source})
		synctest.Wait()
		assert.Contains(t, b.page("/"), "The first minute is being collected.")
		for range 90 {
			source.Finish("orders", 120)
			time.Sleep(time.Minute)
		}
		overview := b.page("/")
		assert.Contains(t, overview, "Waiting tasks in the last hour: now 1,000,136, at most 1,000,136 tasks")
		assert.Regexp(t, `Throughput in the last hour: now \d+, at most (120|144|24\d|2\d\d|1\d\d|\d{3}) tasks a minute`, overview)
	})
}

func TestChartShowsWhatWasSeenSoFar(t *testing.T) {
	source := inspecttest.New("redis")
	source.AddQueue("orders")
	source.AddTask("orders", inspect.Waiting, &tasks.Signature{UUID: "task_1", Name: "orders.price"})
	synctest.Test(t, func(t *testing.T) {
		b := open(t, []inspect.Source{source})
		time.Sleep(2 * time.Minute)
		overview := b.page("/")
		assert.Contains(t, overview, "Waiting tasks in the last 5 minutes: now 1,")
		assert.Contains(t, overview, "<span>5 minutes ago</span>")
		assert.Contains(t, overview, "1 <small>task</small>")
		assert.NotContains(t, overview, "Throughput", "nobody counts what is done")
		time.Sleep(20 * time.Minute)
		assert.Contains(t, b.page("/"), "<span>30 minutes ago</span>")
	})
}

func TestEventsEndWithTheHandler(t *testing.T) {
	ignored := goleak.IgnoreCurrent()
	handler := inspect.NewHandler(nil, []inspect.Source{filled(t)})
	server := httptest.NewServer(handler)
	response, err := http.Get(server.URL + "/events")
	require.NoError(t, err)
	assert.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	require.NoError(t, handler.Close())
	_, err = response.Body.Read(make([]byte, 1<<10))
	for err == nil {
		_, err = response.Body.Read(make([]byte, 1<<10))
	}
	require.NoError(t, response.Body.Close())
	server.Close()
	http.DefaultClient.CloseIdleConnections()
	goleak.VerifyNone(t, ignored)
}

func TestAFilterChoosesAndStaysOutOfTheURL(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	w := b.post("/redis/filter", url.Values{"queue": {"orders"}, "filter": {"order.customer.id = 42 and reason ~ reset"}})
	require.Equal(t, http.StatusSeeOther, w.Code)
	location := w.Header().Get("Location")
	assert.NotContains(t, location, "customer")
	page := b.page(location[2:])
	assert.Contains(t, page, "Looked at 120, and found 40")
	assert.Contains(t, page, "task_dead_2<")
	assert.NotContains(t, page, "task_dead_3<")
	assert.NotContains(t, b.audit.String(), "customer")

	w = b.post("/redis/filter", url.Values{"queue": {"orders"}, "state": {"waiting"}, "filter": {"task = clinic.admit"}})
	page = b.page(w.Header().Get("Location")[2:])
	assert.Contains(t, page, "Looked at 132, and found 1")
	assert.Contains(t, page, inspecttest.PatientUUID)
}

func TestAFilterLooksAtSoManyTasksForAPage(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	w := b.post("/redis/filter", url.Values{"queue": {"bulk"}, "state": {"waiting"}, "filter": {"task = nothing"}})
	page := b.page(w.Header().Get("Location")[2:])
	assert.Contains(t, page, "Looked at 2,000, and found 0; there are more to look at")
	assert.Contains(t, page, "Look on")
}

func TestTheOldestOfAThousandFiltersIsForgotten(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	form := url.Values{"queue": {"orders"}, "filter": {"task = a"}}
	first := b.post("/redis/filter", form).Header().Get("Location")[2:]
	second := b.postForm("/redis/filter", form, http.Header{}).Header().Get("Location")[2:]
	for range 999 {
		b.postForm("/redis/filter", form, http.Header{})
	}
	w := b.get(first)
	assert.Equal(t, http.StatusNotFound, w.Code)
	assert.Contains(t, w.Body.String(), "This filter has been forgotten")
	assert.Contains(t, b.page(second), "Looked at")
}

func TestAFilterThatCannotBeReadSaysWhereAndGivesAnExample(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	w := b.post("/redis/filter", url.Values{"queue": {"orders"}, "filter": {"task = orders.place and and"}})
	page := b.page(w.Header().Get("Location")[2:])
	assert.Contains(t, page, "The filter cannot be read. Column ")
	assert.Contains(t, page, "For example: <code>")
	assert.NotContains(t, page, "task_dead_2")
	w = b.post("/redis/filter", url.Values{"queue": {"orders"}, "state": {"waiting"}, "filter": {"task ="}})
	page = b.page(w.Header().Get("Location")[2:])
	assert.Contains(t, page, "The filter cannot be read.")
	assert.NotContains(t, page, inspecttest.PlacedUUID)
	filter := filterID.FindStringSubmatch(w.Header().Get("Location"))[1]
	w = b.post("/redis/bulk", url.Values{"action": {"delete"}, "queue": {"orders"}, "state": {"waiting"}, "filter": {filter}})
	assert.Equal(t, http.StatusBadRequest, w.Code, "it would act on all")

	w = b.post("/redis/filter", url.Values{"queue": {"orders"}, "filter": {strings.Repeat("x", 5000)}})
	assert.Equal(t, http.StatusRequestEntityTooLarge, w.Code)
}

func TestATaskThatIsHardToFindIsLookedForWhileSomebodyLooks(t *testing.T) {
	source := filled(t)
	source.SearchTakes(3 * time.Second)
	synctest.Test(t, func(t *testing.T) {
		b := open(t, []inspect.Source{source})
		synctest.Wait()
		start := time.Now()
		page := b.page("/redis/task?uuid=" + inspecttest.PlacedUUID)
		assert.LessOrEqual(t, time.Since(start), 150*time.Millisecond)
		assert.Contains(t, page, "The queues are being looked through for it.")
		assert.Contains(t, page, "PENDING")
		assert.Contains(t, b.page("/redis/task?uuid="+inspecttest.DoneUUID), "in none", "it has ended")

		s := b.watch("on=redis&page=task&uuid=" + inspecttest.PlacedUUID)
		time.Sleep(30 * time.Second)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/redis/task?uuid="+inspecttest.PlacedUUID, nil)
		r.Header.Set("X-Live", "1")
		assert.Contains(t, b.do(r).Body.String(), "orders.Order")
		before := source.Calls()["Task"]
		time.Sleep(5 * time.Minute)
		assert.LessOrEqual(t, source.Calls()["Task"]-before, 3, "what takes long is done seldom")
		s.stop()
	})
}

func TestASearchThatFailsDoesNotSayThatThereIsNoSuchTask(t *testing.T) {
	source := filled(t)
	inBubbleOf(t, source, func(t *testing.T, b *browser) {
		assert.Contains(t, b.get("/find?uuid=").Body.String(), "Give the UUID of a task")
		assert.Zero(t, source.Calls()["TaskState"], "there is nothing to ask")
		source.SearchTakes(time.Hour)
		w := b.get("/find?uuid=task_none")
		assert.Equal(t, http.StatusBadGateway, w.Code)
		assert.NotContains(t, w.Body.String(), "has expired")
		assert.Equal(t, http.StatusSeeOther, b.get("/find?uuid="+inspecttest.DoneUUID).Code, "it is found before the queues are looked through")
	})
}

// slowSource tells of its queues, once it is held up, what they were before.
type slowSource struct {
	*inspecttest.Source
	holdUp chan time.Duration
}

func (s slowSource) Queues(ctx context.Context) ([]inspect.Queue, error) {
	queues, err := s.Source.Queues(ctx)
	select {
	case d := <-s.holdUp:
		time.Sleep(d)
	default:
	}
	return queues, err
}

func TestAnAnswerFromBeforeAnActionDoesNotHideWhatItHasDone(t *testing.T) {
	source := slowSource{filled(t), make(chan time.Duration, 1)}
	inBubbleOf(t, source, func(t *testing.T, b *browser) {
		source.holdUp <- 4 * time.Second
		time.Sleep(11 * time.Second) // it has been asked, and has not answered
		w := b.post("/redis/act", url.Values{"action": {"pause"}, "queue": {"orders"}})
		require.Equal(t, http.StatusSeeOther, w.Code)
		time.Sleep(4 * time.Second)
		assert.Contains(t, b.page("/redis/queue?queue=orders"), "paused")
	})
}
