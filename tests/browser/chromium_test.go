package browser

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/tests/inspecttest"
	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// patience is how long a browser may take for a step, on a busy machine too.
const patience = 2 * time.Minute

// mount is where the page is in the application of these tests.
const mount = "/ops/tasks/"

// names are those of Chromium in PATH, on various systems.
var names = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// chromium returns its path. Where there is none it skips the test, or fails it where CI=true.
func chromium(t *testing.T) string {
	t.Helper()
	return services.Program(t, names...)
}

// start starts a Chromium with a profile of its own, and ends it with the test.
func start(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.WSURLReadTimeout(patience))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium has none for root
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return ctx
}

// A tab is a tab of Chromium that shows the page of a handler.
type tab struct {
	t    *testing.T
	ctx  context.Context
	root string // the URL of the overview

	mu       sync.Mutex
	problems []string
}

// open serves the page of sources to a Chromium. At the end of the test it must have had no error in its console, and
// have asked nothing of anybody else.
func open(t *testing.T, sources []inspect.Source, opts ...inspect.HandlerOption) *tab {
	t.Helper()
	ctx := start(t)
	handler := inspect.NewHandler(inspecttest.NewRegistry(), sources, opts...)
	mux := http.NewServeMux()
	mux.Handle(mount, http.StripPrefix(strings.TrimSuffix(mount, "/"), handler))
	server := httptest.NewServer(mux)
	b := &tab{t: t, ctx: ctx, root: server.URL + mount}
	t.Cleanup(func() {
		_ = handler.Close()
		server.Close()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, problem := range b.problems {
			t.Error(problem)
		}
	})
	chromedp.ListenTarget(ctx, b.note)
	b.run(network.Enable(), log.Enable(), runtime.Enable())
	return b
}

// note keeps what must not happen.
func (b *tab) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch event := event.(type) {
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, "exception: "+event.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		b.problems = append(b.problems, fmt.Sprintf("console.%s: %v", event.Type, event.Args))
	case *log.EventEntryAdded:
		if event.Entry.Level == log.LevelError || event.Entry.Level == log.LevelWarning {
			b.problems = append(b.problems, event.Entry.Text+" "+event.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(event.Request.URL, b.root) {
			b.problems = append(b.problems, "request to "+event.Request.URL)
		}
	}
}

func (b *tab) run(actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// visit shows a page of the handler.
func (b *tab) visit(page string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.root + page))
}

// await waits until an expression in JavaScript is true, also across pages.
func (b *tab) await(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for {
		var holds bool
		err := chromedp.Run(ctx, chromedp.Evaluate("Boolean("+expression+")", &holds))
		if ctx.Err() != nil {
			b.t.Fatalf("%s does not hold in\n%s", expression, b.text())
		}
		if err == nil && holds {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// awaitText waits until a page that has loaded has a text.
func (b *tab) awaitText(text string) {
	b.t.Helper()
	b.await(fmt.Sprintf("document.readyState === 'complete' && document.querySelector('main')?.innerText.includes(%q)", text))
}

// text returns what can be read on the page.
func (b *tab) text() string {
	b.t.Helper()
	var text string
	b.run(chromedp.Evaluate("document.body.innerText", &text))
	return text
}

// evaluate returns the value of an expression in JavaScript.
func evaluate[T any](b *tab, expression string) T {
	b.t.Helper()
	var value T
	b.run(chromedp.Evaluate(expression, &value))
	return value
}

// click clicks on a button, link or summary by what it says.
func (b *tab) click(says string) {
	b.t.Helper()
	path := fmt.Sprintf(`//*[self::button or self::a or self::summary][starts-with(normalize-space(.), %q)]`, says)
	b.run(chromedp.Click(path, chromedp.BySearch, chromedp.NodeVisible))
}

// show emulates a screen.
func (b *tab) show(width int64, scheme string) {
	b.t.Helper()
	b.run(
		emulation.SetDeviceMetricsOverride(width, 800, 1, width < 600),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
	)
}

// filled returns a source in memory with everything in it, called redis.
func filled(t *testing.T) *inspecttest.Source {
	t.Helper()
	source := inspecttest.New("redis")
	if err := inspecttest.Fill(t.Context(), source, inspecttest.NewRegistry()); err != nil {
		t.Fatal(err)
	}
	return source
}

// sendFilter writes a filter into its field.
func sendFilter(filter string) chromedp.Action {
	return chromedp.SendKeys("#filter", filter, chromedp.ByQuery)
}

// clickLink clicks on the link of the row that has the end of a UUID.
func clickLink(end string) chromedp.Action {
	return chromedp.Click(fmt.Sprintf(`//tr[contains(., %q)]//a`, end), chromedp.BySearch, chromedp.NodeVisible)
}
