package inspect

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The chart's size in the units of its SVG. Pages stretch it to their width.
const (
	chartWidth  = 600
	chartHeight = 120
)

// A chart is a line over the last hour, or the part of it that was seen.
type chart struct {
	Title, Unit string
	Start       string // of the line, such as "an hour ago"
	// Empty says why there is no line; then there is nothing else.
	Empty string
	// Line and Area are the points of a polyline and a polygon, of each source one below the other.
	Line, Area    string
	Now, Max      string
	Width, Height int
	Summary       string
}

// A point is a value at a time.
type point struct {
	at    time.Time
	value float64
}

func drawChart(title, unit, empty string, points []point, now time.Time) chart {
	drawn := chart{Title: title, Unit: unit, Width: chartWidth, Height: chartHeight}
	if len(points) < 2 {
		drawn.Empty = empty
		return drawn
	}
	top := 0.0
	for _, p := range points {
		top = max(top, p.value)
	}
	shown := spanOf(now.Sub(points[0].at))
	var line strings.Builder
	for _, p := range points {
		x := chartWidth * (1 - float64(now.Sub(p.at))/float64(shown))
		fmt.Fprintf(&line, "%.1f,%.1f ", max(x, 0), chartHeight-p.value/max(top, 1)*(chartHeight-8))
	}
	drawn.Line = strings.TrimSpace(line.String())
	start, _, _ := strings.Cut(drawn.Line, ",")
	end, _, _ := strings.Cut(drawn.Line[strings.LastIndexByte(drawn.Line, ' ')+1:], ",")
	drawn.Area = fmt.Sprintf("%s,%d %s %s,%d", start, chartHeight, drawn.Line, end, chartHeight)
	drawn.Now, drawn.Max = amount(points[len(points)-1].value), amount(top)
	span := fmt.Sprintf("%d minutes", int(shown.Minutes()))
	drawn.Start = span + " ago"
	if shown == time.Hour {
		span, drawn.Start = "hour", "an hour ago"
	}
	drawn.Summary = fmt.Sprintf("%s in the last %s: now %s, at most %s %s", title, span, drawn.Now, drawn.Max, unit)
	if drawn.Now == "1" {
		drawn.Unit = strings.Replace(unit, "tasks", "task", 1)
	}
	return drawn
}

// spanOf returns how much time a chart shows, of which so much was seen: a handler that has just begun fills it too.
func spanOf(seen time.Duration) time.Duration {
	for _, span := range []time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute} {
		if seen <= span {
			return span
		}
	}
	return time.Hour
}

// amount writes a value of a chart.
func amount(value float64) string {
	if value < 10 {
		return strings.TrimSuffix(strconv.FormatFloat(value, 'f', 1, 64), ".0")
	}
	return thousands(int(value + 0.5))
}

// charts draws how many tasks wait, and how many are done each minute where brokers count them, in all sources together.
func (all monitors) charts(now time.Time) []chart {
	samples := make([][]sample, 0, len(all))
	for _, m := range all {
		samples = append(samples, m.lastHour())
	}
	const collecting = "The first minute is being collected."
	drawn := []chart{drawChart("Waiting tasks", "tasks", collecting, sumDepth(samples), now)}
	if anyCounts(samples) {
		drawn = append(drawn, drawChart("Throughput", "tasks a minute", collecting, sumThroughput(samples), now))
	}
	return drawn
}

// anyCounts reports whether a source counts the tasks that are done.
func anyCounts(sources [][]sample) bool {
	return slices.ContainsFunc(slices.Concat(sources...), func(s sample) bool { return s.done > 0 })
}

// sumDepth adds up how many tasks wait.
func sumDepth(sources [][]sample) []point {
	var sums steps
	for source, samples := range sources {
		for _, s := range samples {
			if s.waiting >= 0 {
				sums.add(source, s.at, float64(s.waiting))
			}
		}
	}
	return sums.points()
}

// sumThroughput adds up how many tasks were done a minute, between samples. A counter that begins anew counts from 0.
func sumThroughput(sources [][]sample) []point {
	var sums steps
	for source, samples := range sources {
		for i := 1; i < len(samples); i++ {
			before, s := samples[i-1], samples[i]
			if s.done <= 0 {
				continue
			}
			done := max(0, s.done-max(0, before.done))
			sums.add(source, s.at, float64(done)/s.at.Sub(before.at).Minutes())
		}
	}
	return sums.points()
}

const (
	// chartStep is long enough for a source that costs little to have a sample in each.
	chartStep = 30 * time.Second
	// longestAlone is the longest time between two samples of a source that answers: its rest, a question and its answer.
	longestAlone = longestRest + 2*chartStep
)

// steps are the means of each source's samples, by time.
type steps struct{ means map[stepOf]mean }

type stepOf struct {
	source int
	start  int64 // in seconds since 1970
}

type mean struct {
	sum float64
	n   int
}

func (s *steps) add(source int, at time.Time, value float64) {
	if s.means == nil {
		s.means = map[stepOf]mean{}
	}
	of := stepOf{source, at.Truncate(chartStep).Unix()}
	m := s.means[of]
	s.means[of] = mean{m.sum + value, m.n + 1}
}

// points adds up the sources. One that is left alone counts with what it said last, until it is asked again at the latest.
func (s *steps) points() []point {
	sources, starts := map[int]bool{}, map[int64]bool{}
	for of := range s.means {
		sources[of.source], starts[of.start] = true, true
	}
	var points []point
	for _, start := range slices.Sorted(maps.Keys(starts)) {
		sum := 0.0
		for source := range sources {
			sum += s.latest(source, start)
		}
		points = append(points, point{time.Unix(start, 0), sum})
	}
	return points
}

// latest returns the mean of a source in a step or, where it has none, in the last step before that it may have been left
// alone since; 0 where it has none there either.
func (s *steps) latest(source int, start int64) float64 {
	const step = int64(chartStep / time.Second)
	for at := start; at >= start-int64(longestAlone/time.Second); at -= step {
		if m, ok := s.means[stepOf{source, at}]; ok {
			return m.sum / float64(m.n)
		}
	}
	return 0
}
