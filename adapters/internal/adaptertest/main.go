package adaptertest

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Main runs the tests of an adapter, and fails them where a goroutine is left at the end. Nearly all of them wait for a
// server rather than compute, so more of them run in parallel than there are CPUs.
func Main(m *testing.M) {
	flag.Parse()
	if !isSet("test.parallel") {
		_ = flag.Set("test.parallel", "32")
	}
	code := m.Run()
	if code != 0 {
		os.Exit(code)
	}
	if err := goleak.Find(notOurs()...); err != nil {
		_, _ = os.Stderr.WriteString("goroutines are left after the tests: " + err.Error() + "\n")
		os.Exit(1)
	}
}

func isSet(name string) bool {
	found := false
	flag.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

// notOurs are goroutines that Machinery starts and never ends.
func notOurs() []goleak.Option {
	return []goleak.Option{
		// Machinery's server never ends its scheduler.
		goleak.IgnoreAnyFunction("github.com/robfig/cron/v3.(*Cron).run"),
		// Machinery's server leaves it behind where a member of a group cannot be published.
		goleak.IgnoreAnyFunction("github.com/RichardKnop/machinery/v2.(*Server).SendGroupWithContext.func3"),
		// Machinery's configuration imports a package that starts this one by being imported.
		goleak.IgnoreAnyFunction("go.opencensus.io/stats/view.(*worker).start"),
	}
}
