package browser

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/go-redis/redis/v8"
	"github.com/google/uuid"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// A commandCount counts the commands of a client, those in pipelines one by one.
type commandCount struct{ n atomic.Int64 }

func (c *commandCount) BeforeProcess(ctx context.Context, _ redis.Cmder) (context.Context, error) {
	c.n.Add(1)
	return ctx, nil
}

func (c *commandCount) BeforeProcessPipeline(ctx context.Context, commands []redis.Cmder) (context.Context, error) {
	c.n.Add(int64(len(commands)))
	return ctx, nil
}

func (*commandCount) AfterProcess(context.Context, redis.Cmder) error           { return nil }
func (*commandCount) AfterProcessPipeline(context.Context, []redis.Cmder) error { return nil }

func TestWhoWatchesCostsRedisFewCommands(t *testing.T) {
	options, err := redis.ParseURL(services.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	queue := "browser_" + uuid.NewString()
	cnf := &config.Config{DefaultQueue: queue, ResultsExpireIn: 3600}
	count := &commandCount{}
	client.AddHook(count)
	site := (&site{t: t, queue: queue, broker: redisadapter.NewBroker(cnf, client), source: redisadapter.NewSource(cnf, client)}).fill()
	count.n.Store(0)
	handler := inspect.NewHandler(nil, []inspect.Source{site.source})
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		_ = handler.Close()
		server.Close()
	})
	of := url.Values{"on": {site.source.Name()}, "queue": {queue}, "uuid": {queue + "_waits_0"}}
	watched := []io.ReadCloser{watch(t, server.URL, nil)}
	for _, page := range []string{"queue", "dead", "task", "task", "queue"} {
		of.Set("page", page)
		watched = append(watched, watch(t, server.URL, of))
	}
	start := time.Now()
	awaitChanges(t, watched[0], 4)
	if each := float64(count.n.Load()) / time.Since(start).Seconds(); each >= 5 {
		t.Errorf("%.1f commands a second", each)
	} else {
		t.Logf("%.1f commands a second", each)
	}
}

func watch(t *testing.T, root string, query url.Values) io.ReadCloser {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, root+"/events?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response.Body
}

func awaitChanges(t *testing.T, events io.Reader, n int) {
	t.Helper()
	for lines := bufio.NewScanner(events); n > 0; {
		if !lines.Scan() {
			t.Fatalf("no more events: %v", lines.Err())
		}
		if lines.Text() == "event: changed" {
			n--
		}
	}
}
