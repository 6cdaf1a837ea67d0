package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect/otelinspect"
	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/tests/inspecttest"
)

// exposed returns what /metrics says when everything was measured once.
func exposed(t *testing.T) string {
	t.Helper()
	m, err := newMetrics()
	require.NoError(t, err)
	source := inspecttest.New("redis")
	source.AddTask(`odd "queue"`, "waiting", &tasks.Signature{UUID: "task-1", Name: "t"})
	source.Finish(`odd "queue"`, 3)
	_, err = otelinspect.Observe(m.meter, source)
	require.NoError(t, err)
	observer := m.following(&traffic{}).(middleware.TaskObserver)
	task := middleware.TaskObservation{Task: "t", Queue: "q", Run: 2, Waited: 3 * time.Second}
	_, sent := observer.Sending(t.Context(), task)
	sent(nil)
	_, ran := observer.Running(t.Context(), task)
	ran(middleware.Succeeded, nil)
	observer.Sent(t.Context(), middleware.Observation{Task: "t", Type: "orders.Order", Bytes: 300})
	recorded := httptest.NewRecorder()
	m.ServeHTTP(recorded, httptest.NewRequest("GET", "/metrics", nil))
	return recorded.Body.String()
}

func TestMetricsAreInPrometheusFormat(t *testing.T) {
	text := exposed(t)
	for _, want := range []string{
		"# TYPE machinery_queue_depth gauge\nmachinery_queue_depth{machinery_source_name=\"redis\",messaging_destination_name=\"odd \\\"queue\\\"\"} 1\n",
		"machinery_queue_done_total{machinery_source_name=\"redis\",messaging_destination_name=\"odd \\\"queue\\\"\"} 3\n",
		"machinery_source_up{machinery_source_name=\"redis\"} 1\n",
		"machinery_envelope_send_size_bytes_sum{machinery_envelope_type=\"orders.Order\",machinery_task_name=\"t\"} 300\n",
		"le=\"2.5\"} 0\n", "le=\"5\"} 1\n", "le=\"+Inf\"} 1\n",
	} {
		assert.Contains(t, text, want)
	}
	line := regexp.MustCompile(`(?m)^(# TYPE [a-z_]+ (gauge|counter|histogram)|[a-z_]+\{[a-z_]+="([^"\\\n]|\\.)*"(,[a-z_]+="([^"\\\n]|\\.)*")*\} [0-9.e+-]+)$`)
	assert.Empty(t, regexp.MustCompile(`\n+`).ReplaceAllString(line.ReplaceAllString(text, ""), ""))
}

func TestTheDashboardAsksForMetricsAndLabelsThatThereAre(t *testing.T) {
	text, err := os.ReadFile("monitoring/dashboard.json")
	require.NoError(t, err)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	require.NoError(t, json.Unmarshal(text, &dashboard))
	require.NotEmpty(t, dashboard.Panels)
	metrics := exposed(t)
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			for _, name := range regexp.MustCompile(`\b(machinery|messaging)_[a-z_]+`).FindAllString(target.Expr+target.LegendFormat, -1) {
				assert.Regexp(t, `(?m)(^|[{,])`+name+`[{=]`, metrics, panel.Title)
			}
		}
	}
}

func TestThePageOfTheDemoStaysUntilItIsInterrupted(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out output
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, []string{"demo", "-inspect", "127.0.0.1:0", "-tasks", "4"}, &out, &out)
	}()
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "stays until Ctrl-C") }, timeout, 10*time.Millisecond)
	address := regexp.MustCompile(`http://\S+/`).FindString(out.String())
	assert.Contains(t, get(t, address), sharedQueue)
	assert.Contains(t, get(t, address+"metrics"), "\nmachinery_queue_depth{")
	assert.Contains(t, get(t, address+"metrics"), "\nmessaging_process_duration_seconds_count{")
	interrupt()
	assert.Equal(t, statusInterrupted, <-status)
}

func get(t *testing.T, address string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // leaves no goroutine
	response, err := client.Get(address)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, response.StatusCode)
	return string(body)
}
