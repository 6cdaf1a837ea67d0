package main

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"time"

	"golang.org/x/perf/benchunit"
)

const preamble = `# Results

Written by ` + "`make bench`" + `, on the servers of a newer Debian release by ` +
	"`tests/debian trixie redis-server make bench`" + `; the peers' versions are in tests/bench/go.mod.
Each number is the median of %d rounds of at least %s, or of what a section says, all in one run; memory and idle
workers, on which the machine's other work has no influence, are measured once. Libraries are timed after a test that each
of them returns what it was given. Servers that REDIS_URL and AMQP_URL do not name, and that do not run on the default ports,
are started by tests/with-servers, on this machine and with nothing kept on disk by Redis.

A bound is a limit that the project has set itself; [Bounds not met, and why](#bounds-not-met-and-why) is about those that it
does not keep. [SCALE.md](SCALE.md) has how costs grow.

`

// render is the whole of RESULTS.md.
func render(sections []section, m *measurements, rounds int, benchtime string) string {
	var s strings.Builder
	fmt.Fprintf(&s, preamble, rounds, benchtime)
	s.WriteString(machine(sections, m) + "\n## Bounds\n\n" + boundsTable(sections, m) + notMet)
	return s.String() + reports(sections, m)
}

// renderScale is the whole of SCALE.md.
func renderScale(sections []section, m *measurements, rounds int) string {
	return fmt.Sprintf(aboutScalePage, rounds) + machine(sections, m) + reports(sections, m)
}

// machine lists what was measured on.
func machine(sections []section, m *measurements) string {
	return fmt.Sprintf("- Processor: %s, %d cores\n- Go: %s %s/%s\n- Date: %s\n", strings.TrimSpace(m.processor), runtime.NumCPU(),
		runtime.Version(), runtime.GOOS, runtime.GOARCH, time.Now().Format(time.DateOnly)) +
		serversList(m) + timesLine(sections, m)
}

func reports(sections []section, m *measurements) string {
	var s strings.Builder
	for _, section := range sections {
		fmt.Fprintf(&s, "\n## %s\n\n%s", section.title, section.report(m))
	}
	return s.String()
}

// serversList says of each server that was asked what it was and how it was set up.
func serversList(m *measurements) string {
	var s strings.Builder
	for _, server := range []struct{ name, title string }{
		{redisServer, "Redis"}, {rabbitMQServer, "RabbitMQ"}, {postgreSQLServer, "PostgreSQL"},
	} {
		if description := m.servers[server.name]; description != "" {
			fmt.Fprintf(&s, "- %s: %s\n", server.title, description)
		}
	}
	return s.String()
}

// timesLine says how long it took to measure, which is what a round more would cost.
func timesLine(sections []section, m *measurements) string {
	var each []string
	for _, section := range sections {
		each = append(each, fmt.Sprintf("%s %.0f s", section.benchmark, m.took[section.benchmark].Seconds()))
	}
	return fmt.Sprintf("- Time to measure: %.1f minutes (%s)\n", m.whole().Minutes(), strings.Join(each, ", "))
}

var coreNames = map[int]string{1: "one core", 2: "two cores"}

// table is Markdown: a head, the columns after the first aligned to the right, the rows.
func table(head []string, rows [][]string) string {
	lines := []string{line(head), "|---" + strings.Repeat("|--:", len(head)-1) + "|\n"}
	for _, row := range rows {
		lines = append(lines, line(row))
	}
	return strings.Join(lines, "")
}

func line(cells []string) string {
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// duration shows seconds with a fitting prefix.
func duration(seconds float64) string {
	if math.IsNaN(seconds) {
		return "–"
	}
	return benchunit.Scale(seconds, benchunit.Decimal) + "s"
}

// rate shows how often a second something that takes so many seconds happens.
func rate(seconds float64) string {
	if math.IsNaN(seconds) {
		return "–"
	}
	return fmt.Sprintf("%.0f", 1/seconds)
}

func count(n float64) string {
	if math.IsNaN(n) {
		return "–"
	}
	return fmt.Sprintf("%.0f", n)
}

// times shows a ratio.
func times(ratio float64, decimals int) string {
	if math.IsNaN(ratio) {
		return "–"
	}
	return fmt.Sprintf("%.*f×", decimals, ratio)
}
