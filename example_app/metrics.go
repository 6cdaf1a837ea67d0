package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/middleware/otelmiddleware"
)

// metrics are what OpenTelemetry measures in this process. An application gives otelmiddleware and otelinspect the meter
// that it has, and has a Prometheus exporter of OpenTelemetry's. This one is written out here, for those who use the
// library not to get the modules of the demo's exporter.
type metrics struct {
	reader *sdkmetric.ManualReader
	meter  metric.Meter
	tasks  middleware.TaskObserver
}

func newMetrics() (*metrics, error) {
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("example_app")
	tasks, err := otelmiddleware.NewTaskObserver(meter, nil)
	return &metrics{reader, meter, tasks}, err
}

// following returns an observer that does what counts does, and follows tasks.
func (m *metrics) following(counts *traffic) middleware.Observer { return following{m.tasks, counts} }

type following struct {
	middleware.TaskObserver
	counts *traffic
}

func (f following) Sent(ctx context.Context, o middleware.Observation) {
	f.TaskObserver.Sent(ctx, o)
	f.counts.Sent(ctx, o)
}

func (f following) Restored(ctx context.Context, o middleware.Observation) {
	f.TaskObserver.Restored(ctx, o)
	f.counts.Restored(ctx, o)
}

// ServeHTTP writes the metrics in Prometheus' text format, under the names that OpenTelemetry's exporter gives them. A
// broker that does not answer is seen in machinery_source_up.
func (m *metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var collected metricdata.ResourceMetrics
	_ = m.reader.Collect(r.Context(), &collected)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	out := bufio.NewWriter(w)
	for _, scope := range collected.ScopeMetrics {
		for _, measured := range scope.Metrics {
			writeMetric(out, measured)
		}
	}
	_ = out.Flush() // whoever asked is gone
}

func writeMetric(out io.Writer, m metricdata.Metrics) {
	name := prometheusName(m.Name, m.Unit)
	switch data := m.Data.(type) {
	case metricdata.Gauge[int64]:
		writePoints(out, name, "gauge", data.DataPoints)
	case metricdata.Gauge[float64]:
		writePoints(out, name, "gauge", data.DataPoints)
	case metricdata.Sum[int64]:
		writePoints(out, name+"_total", "counter", data.DataPoints)
	case metricdata.Histogram[int64]:
		writeHistograms(out, name, data.DataPoints)
	case metricdata.Histogram[float64]:
		writeHistograms(out, name, data.DataPoints)
	}
}

// prometheusName adds the unit, unless it is one of what is counted, in braces.
func prometheusName(name, unit string) string {
	suffix := map[string]string{"s": "_seconds", "By": "_bytes"}[unit]
	return strings.ReplaceAll(name, ".", "_") + suffix
}

func writePoints[N int64 | float64](out io.Writer, name, kind string, points []metricdata.DataPoint[N]) {
	fmt.Fprintf(out, "# TYPE %s %s\n", name, kind)
	for _, p := range points {
		fmt.Fprintf(out, "%s{%s} %v\n", name, labels(p.Attributes), p.Value)
	}
}

func writeHistograms[N int64 | float64](out io.Writer, name string, points []metricdata.HistogramDataPoint[N]) {
	fmt.Fprintf(out, "# TYPE %s histogram\n", name)
	for _, p := range points {
		of, count := labels(p.Attributes), uint64(0)
		for i, n := range p.BucketCounts {
			bound := "+Inf"
			if i < len(p.Bounds) {
				bound = strconv.FormatFloat(p.Bounds[i], 'g', -1, 64)
			}
			count += n
			fmt.Fprintf(out, "%s_bucket{%s,le=%q} %d\n", name, of, bound, count)
		}
		fmt.Fprintf(out, "%s_sum{%s} %v\n%s_count{%s} %d\n", name, of, p.Sum, name, of, p.Count)
	}
}

var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func labels(attributes attribute.Set) string {
	var texts []string
	for _, a := range attributes.ToSlice() {
		name := strings.ReplaceAll(string(a.Key), ".", "_")
		texts = append(texts, name+`="`+escaped.Replace(a.Value.Emit())+`"`)
	}
	return strings.Join(texts, ",")
}
