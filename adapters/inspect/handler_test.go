package inspect_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/tests/inspecttest"
)

// A browser gets pages of a handler from this machine, and keeps its cookie.
type browser struct {
	t       *testing.T
	handler http.Handler
	cookies []*http.Cookie
	audit   *bytes.Buffer
}

// open makes a handler on sources, of the registry of inspecttest.
func open(t *testing.T, sources []inspect.Source, opts ...inspect.HandlerOption) *browser {
	t.Helper()
	b := &browser{t: t, audit: &bytes.Buffer{}}
	opts = append([]inspect.HandlerOption{inspect.WithLogger(slog.New(slog.NewTextHandler(b.audit, nil)))}, opts...)
	handler := inspect.NewHandler(inspecttest.NewRegistry(), sources, opts...)
	t.Cleanup(func() { assert.NoError(t, handler.Close()) })
	b.handler = handler
	return b
}

// filled returns a source with everything in it, called redis.
func filled(t *testing.T) *inspecttest.Source {
	t.Helper()
	source := inspecttest.New("redis")
	require.NoError(t, inspecttest.Fill(t.Context(), source, inspecttest.NewRegistry()))
	return source
}

func (b *browser) do(r *http.Request) *httptest.ResponseRecorder {
	r.RemoteAddr, r.Host = "127.0.0.1:4711", "localhost:8080"
	for _, cookie := range b.cookies {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	b.cookies = append(b.cookies, w.Result().Cookies()...)
	return w
}

func (b *browser) get(path string) *httptest.ResponseRecorder {
	return b.do(httptest.NewRequestWithContext(b.t.Context(), http.MethodGet, path, nil))
}

// page returns the text of a page that has to be there.
func (b *browser) page(path string) string {
	b.t.Helper()
	w := b.get(path)
	require.Equal(b.t, http.StatusOK, w.Code, "%s: %s", path, w.Body)
	return w.Body.String()
}

var tokens = regexp.MustCompile(`name="token" value="([^"]+)"`)

// post sends a form with the token that forms on a page have.
func (b *browser) post(path string, form url.Values) *httptest.ResponseRecorder {
	b.t.Helper()
	found := tokens.FindStringSubmatch(b.page("/redis/queue?queue=orders"))
	require.NotNil(b.t, found, "the page has no form")
	form.Set("token", found[1])
	return b.postForm(path, form, http.Header{})
}

func (b *browser) postForm(path string, form url.Values, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(b.t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header = header
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

func TestUnknownThingsAreNotFoundWithASentence(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	for path, sentence := range map[string]string{
		"/redis/task?uuid=gone":                   "There is no task “gone”",
		"/redis/group?uuid=gone":                  "There is no group “gone”",
		"/redis/queue?queue=gone":                 "There is no queue “gone” in redis.",
		"/redis/dead?queue=gone":                  "There is no queue “gone” in redis.",
		"/redis/letter?queue=orders&letter=gone":  "There is no dead letter “gone”",
		"/redis/letter?queue=gone&letter=gone":    "There is no queue “gone” in redis.",
		"/redis/queue?queue=orders&state=flying":  "not “flying”",
		"/redis/queue?queue=orders&filter=gone":   "This filter has been forgotten",
		"/redis/bulk?id=gone":                     "This bulk action has been forgotten",
		"/rabbit/queue?queue=orders":              "There is no source &#34;rabbit&#34;",
		"/find?uuid=gone":                         "UUID “gone”",
		"/find":                                   "Give the UUID",
		"/nothing":                                "There is no such page.",
		"/redis/nothing":                          "There is no such page.",
		"/redis/task?uuid=%3Cscript%3E":           "“&lt;script&gt;”",
		"/events?on=redis&page=nothing":           "There is no such page.",
		"/redis/queue?queue=orders&cursor=nobody": "",
	} {
		w := b.get(path)
		if sentence != "" {
			assert.Equal(t, http.StatusNotFound, w.Code, path)
		}
		assert.Contains(t, w.Body.String(), sentence, path)
		assert.NotContains(t, w.Body.String(), "<script>", path)
	}
}

func TestFindLeadsToTasksStatesAndGroups(t *testing.T) {
	b := open(t, []inspect.Source{inspecttest.New("empty"), filled(t)})
	for uuid, page := range map[string]string{
		inspecttest.PlacedUUID: "./redis/task?uuid=task_placed",
		inspecttest.DoneUUID:   "./redis/task?uuid=task_done",
		inspecttest.GroupUUID:  "./redis/group?uuid=group_reports",
	} {
		w := b.get("/find?uuid=" + uuid)
		assert.Equal(t, http.StatusSeeOther, w.Code)
		assert.Equal(t, page, w.Header().Get("Location"))
	}
}

func TestATaskIsShownDecodedAndASecretIsNot(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	placed := b.page("/redis/task?uuid=" + inspecttest.PlacedUUID)
	for _, shown := range []string{"orders.Order", "version 1", "customer", ">42<", "payments.Card", "hidden", "PENDING"} {
		assert.Contains(t, placed, shown)
	}
	assert.NotContains(t, placed, inspecttest.CardNumber)
	assert.Contains(t, b.page("/redis/task?uuid="+inspecttest.PatientUUID), inspecttest.BloodGroup)
	assert.Contains(t, b.page("/redis/task?uuid="+inspecttest.DoneUUID), "Results")
}

func TestWithoutARegistryHeadersAndJSONAreShownAsTheyStand(t *testing.T) {
	handler := inspect.NewHandler(nil, []inspect.Source{filled(t)})
	t.Cleanup(func() { assert.NoError(t, handler.Close()) })
	b := &browser{t: t, handler: handler}
	assert.Contains(t, b.page("/redis/task?uuid="+inspecttest.PlacedUUID), ">42<")
	patient := b.page("/redis/task?uuid=" + inspecttest.PatientUUID)
	assert.Contains(t, patient, "clinic.Patient")
	assert.Contains(t, patient, "encoding aead")
	assert.NotContains(t, patient, inspecttest.BloodGroup)
}

func TestAChainAndAChordAreDrawnWithTheirStates(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	chain := b.page("/redis/task?uuid=" + inspecttest.ChainUUID)
	for _, label := range []string{
		`aria-label="reports.fetch, STARTED, this task"`, `aria-label="on success: reports.render, PENDING"`,
		`aria-label="on success: reports.mail"`, `aria-label="on error: reports.alarm"`,
	} {
		assert.Contains(t, chain, label)
	}
	chord := b.page("/redis/task?uuid=" + inspecttest.MemberUUID)
	assert.Contains(t, chord, `aria-label="group: and 4 others, 1 of 5 succeeded"`)
	assert.Contains(t, chord, `aria-label="chord callback: reports.sum"`)
	assert.Contains(t, b.page("/redis/group?uuid="+inspecttest.GroupUUID), "Group of 5")
}

var links = regexp.MustCompile(`(?:href|src)="([^"#]+)"`)

// crawl gets every page that links lead to from the root of a handler that is mounted deep in another.
func crawl(t *testing.T, b *browser, visit func(path, body string)) (n int) {
	t.Helper()
	const root, most = "/admin/tasks/", 400
	mounted := *b
	mux := http.NewServeMux()
	mux.Handle(root, http.StripPrefix("/admin/tasks", b.handler))
	mounted.handler = mux
	seen, next := map[string]bool{root: true}, []string{root}
	for ; len(next) > 0 && n < most; n++ {
		path := next[0]
		next = next[1:]
		w := mounted.get(path)
		require.Equal(t, http.StatusOK, w.Code, "%s: %s", path, w.Body)
		visit(path, w.Body.String())
		base, err := url.Parse(path)
		require.NoError(t, err)
		for _, link := range links.FindAllStringSubmatch(w.Body.String(), -1) {
			target, err := base.Parse(strings.ReplaceAll(link[1], "&amp;", "&"))
			require.NoError(t, err)
			require.Empty(t, target.Host, "%s leads elsewhere", path)
			require.True(t, strings.HasPrefix(target.Path, root), "%s leads to %s", path, target)
			if !seen[target.String()] && !strings.Contains(target.RawQuery, "cursor") && target.Path != root+"redis/group" {
				seen[target.String()], next = true, append(next, target.String())
			}
		}
	}
	return n
}

func TestEveryLinkLeadsSomewhereUnderAnyPrefixAndNothingHostileIsWrittenAsItIs(t *testing.T) {
	source := inspecttest.New("redis")
	require.NoError(t, inspecttest.Fill(t.Context(), source, inspecttest.NewRegistry()))
	// What comes after a chain is no task of a queue yet.
	for _, uuid := range []string{"task_chain_3", "task_alarm", "task_sum"} {
		source.SetState(&tasks.TaskState{TaskUUID: uuid, State: tasks.StatePending})
	}
	b := open(t, []inspect.Source{source})
	n := crawl(t, b, func(path, body string) {
		assert.NotContains(t, body, "<script>document", path)
		assert.NotContains(t, body, "<b>bold", path)
		assert.NotContains(t, body, "<img", path)
		assert.NotContains(t, body, inspecttest.CardNumber, path)
		assert.NotRegexp(t, `\sstyle="|\son[a-z]+="`, body, path)
	})
	assert.Greater(t, n, 100)
}

func TestPagesAllowNothingFromElsewhereAndNothingInline(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	for _, path := range []string{"/", "/style.css", "/page.js", "/icon.svg", "/nothing", "/redis/task?uuid=x"} {
		header := b.get(path).Header()
		policy := header.Get("Content-Security-Policy")
		assert.Contains(t, policy, "default-src 'none'")
		assert.Contains(t, policy, "frame-ancestors 'none'")
		assert.NotContains(t, policy, "unsafe")
		assert.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
	}
}

func TestWithoutASlashAtTheEndTheMountPointLeadsToItsRoot(t *testing.T) {
	b := open(t, nil)
	b.handler = http.StripPrefix("/inspect", b.handler)
	w := b.get("/inspect")
	assert.Equal(t, http.StatusSeeOther, w.Code)
	assert.Equal(t, "./inspect/", w.Header().Get("Location"))
}

func TestSourcesOfTheSameNameAreNumbered(t *testing.T) {
	b := open(t, []inspect.Source{inspecttest.New("redis"), inspecttest.New("redis")})
	assert.Contains(t, b.page("/"), `id="source-redis-2"`)
}

func TestWhatABrokerDoesNotTellIsSaid(t *testing.T) {
	source := filled(t)
	source.HideContents()
	b := open(t, []inspect.Source{source})
	assert.Contains(t, b.page("/redis/queue?queue=orders"), "RabbitMQ does not show tasks without taking them")
	assert.Contains(t, b.page("/redis/task?uuid="+inspecttest.PlacedUUID), "RabbitMQ does not show tasks")
}
