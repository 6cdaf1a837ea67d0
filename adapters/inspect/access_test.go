package inspect_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/tests/inspecttest"
)

func TestWithoutAuthorizationOnlyThisMachineIsAnswered(t *testing.T) {
	handler := open(t, []inspect.Source{filled(t)}).handler
	for _, c := range []struct {
		remote, host, header string
		status               int
	}{
		{"127.0.0.1:4711", "localhost:8080", "", http.StatusOK},
		{"127.8.9.1:4711", "127.0.0.1", "", http.StatusOK},
		{"[::1]:4711", "[::1]:8080", "", http.StatusOK},
		{"[::ffff:127.0.0.1]:4711", "LOCALHOST", "", http.StatusOK},
		{"10.0.0.7:4711", "localhost:8080", "", http.StatusForbidden},
		{"[fe80::1%eth0]:4711", "localhost:8080", "", http.StatusForbidden},
		{"127.0.0.1:4711", "evil.example:8080", "", http.StatusForbidden},
		{"127.0.0.1:4711", "localhost.evil.example", "", http.StatusForbidden},
		{"127.0.0.1:4711", "", "", http.StatusForbidden},
		{"@", "localhost:8080", "", http.StatusForbidden},
		{"127.0.0.1:4711", "localhost:8080", "X-Forwarded-For", http.StatusForbidden},
		{"10.0.0.7:4711", "localhost:8080", "X-Forwarded-For", http.StatusForbidden},
		{"127.0.0.1:4711", "localhost:8080", "Forwarded", http.StatusForbidden},
		{"127.0.0.1:4711", "localhost:8080", "X-Forwarded-Proto", http.StatusForbidden},
		{"127.0.0.1:4711", "localhost:8080", "X-Forwarded-Server", http.StatusForbidden},
		{"127.0.0.1:4711", "localhost:8080", "X-Original-Forwarded-For", http.StatusForbidden},
		{"127.0.0.1:4711", "localhost:8080", "X-Client-Ip", http.StatusForbidden},
		{"127.0.0.1:4711", "localhost:8080", "Cf-Connecting-Ip", http.StatusForbidden},
		{"127.0.0.1:4711", "localhost:8080", "True-Client-Ip", http.StatusForbidden},
		{"127.0.0.1:4711", "localhost:8080", "X-Envoy-External-Address", http.StatusForbidden},
		{"127.0.0.1:4711", "localhost:8080", "Via", http.StatusForbidden},
		{"127.0.0.1:4711", "localhost:8080", "User-Agent", http.StatusOK},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr, r.Host = c.remote, c.host
		if c.header != "" {
			r.Header.Set(c.header, "127.0.0.1")
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		assert.Equal(t, c.status, w.Code, "%+v", c)
		if c.status == http.StatusForbidden {
			assert.NotContains(t, w.Body.String(), "redis", "%+v", c)
			assert.Empty(t, w.Result().Cookies())
		}
	}
}

func TestRolesSayWhatMayBeDone(t *testing.T) {
	authorize := func(role inspect.Role) inspect.HandlerOption {
		return inspect.WithAuthorize(func(*http.Request) inspect.Role { return role })
	}
	for name, c := range map[string]struct {
		opts []inspect.HandlerOption
		role inspect.Role
	}{
		"denied":                {[]inspect.HandlerOption{authorize(inspect.Denied)}, inspect.Denied},
		"nobody says":           {[]inspect.HandlerOption{inspect.WithAuthorize(nil)}, inspect.Denied},
		"viewer":                {[]inspect.HandlerOption{authorize(inspect.Viewer)}, inspect.Viewer},
		"operator":              {[]inspect.HandlerOption{authorize(inspect.Operator)}, inspect.Operator},
		"read only":             {[]inspect.HandlerOption{inspect.WithReadOnly()}, inspect.Viewer},
		"operator, read only":   {[]inspect.HandlerOption{authorize(inspect.Operator), inspect.WithReadOnly()}, inspect.Viewer},
		"denied, and read only": {[]inspect.HandlerOption{inspect.WithReadOnly(), authorize(inspect.Denied)}, inspect.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			source := filled(t)
			handler := open(t, []inspect.Source{source}, c.opts...).handler
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/redis/queue?queue=orders", nil)
			r.RemoteAddr, r.Host = "10.0.0.7:4711", "tasks.example"
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			assert.Equal(t, c.role >= inspect.Viewer, w.Code == http.StatusOK)
			assert.Equal(t, c.role >= inspect.Operator, strings.Contains(w.Body.String(), `value="pause"`))
		})
	}
}

// nginx passes requests on in HTTP/1.0, with the name that it knows the page by and no header of its own, unless told
// otherwise. No browser speaks HTTP/1.0.
func TestAProxyThatSaysNothingIsNotThisMachine(t *testing.T) {
	handler := open(t, []inspect.Source{filled(t)}).handler
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.RemoteAddr, r.Host = "127.0.0.1:4711", "localhost:8080"
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.0", 1, 0
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	assert.Equal(t, http.StatusForbidden, w.Code)
}

func TestActionsOfWhoMaySeeNothingAreRefusedAndLogged(t *testing.T) {
	source := filled(t)
	b := open(t, []inspect.Source{source}, inspect.WithAuthorize(nil), inspect.WithUser(func(*http.Request) string { return "mallory" }))
	for _, path := range []string{"/redis/act", "/redis/bulk", "/redis/bulk/go", "/gone/act"} {
		b.audit.Reset()
		w := b.postForm(path, url.Values{"action": {"pause"}, "queue": {"orders"}}, http.Header{})
		assert.Equal(t, http.StatusForbidden, w.Code, path)
		assert.Contains(t, b.audit.String(), "user=mallory remote=127.0.0.1:4711 action=refused", path)
	}
	assert.Zero(t, source.Calls()["Pause"])
}

func TestNoOtherMethodActs(t *testing.T) {
	source := filled(t)
	b := open(t, []inspect.Source{source})
	form := url.Values{"action": {"pause"}, "queue": {"orders"}}
	form.Set("token", tokens.FindStringSubmatch(b.page("/redis/queue?queue=orders"))[1])
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions} {
		for _, path := range []string{"/redis/act?", "/redis/bulk?", "/redis/bulk/go?", "/redis/filter?", "/redis//act?", "/x/../redis/act?"} {
			r := httptest.NewRequestWithContext(t.Context(), method, path+form.Encode(), nil)
			r.Header.Set("X-Http-Method-Override", http.MethodPost)
			b.do(r)
		}
	}
	assert.Equal(t, http.StatusForbidden, b.postForm("/redis/act?"+form.Encode(), url.Values{}, http.Header{}).Code, "a token in a URL")
	for _, method := range []string{"Pause", "Delete", "RunNow", "DeadLetters"} {
		assert.Zero(t, source.Calls()[method], method)
	}
}

func TestAReadOnlyPageRefusesActionsAndLogsThat(t *testing.T) {
	source := filled(t)
	b := open(t, []inspect.Source{source}, inspect.WithReadOnly())
	w := b.post("/redis/act", url.Values{"action": {"pause"}, "queue": {"orders"}})
	assert.Equal(t, http.StatusForbidden, w.Code)
	assert.Zero(t, source.Calls()["Pause"])
	assert.Contains(t, b.audit.String(), "action=refused")
}

func TestFormsFromElsewhereAreRefused(t *testing.T) {
	source := filled(t)
	b := open(t, []inspect.Source{source})
	pause := url.Values{"action": {"pause"}, "queue": {"orders"}}
	token := tokens.FindStringSubmatch(b.page("/redis/queue?queue=orders"))[1]
	other := open(t, []inspect.Source{source})
	foreign := tokens.FindStringSubmatch(other.page("/redis/queue?queue=orders"))[1]
	for name, c := range map[string]struct {
		token  string
		header http.Header
	}{
		"no token":                   {"", http.Header{}},
		"a token of another":         {foreign, http.Header{}},
		"from another site":          {token, http.Header{"Sec-Fetch-Site": {"cross-site"}}},
		"from another host":          {token, http.Header{"Origin": {"https://evil.example"}}},
		"from another host's no one": {token, http.Header{"Origin": {"null"}}},
	} {
		pause.Set("token", c.token)
		assert.Equal(t, http.StatusForbidden, b.postForm("/redis/act", pause, c.header).Code, name)
	}
	other.cookies = b.cookies
	pause.Set("token", tokens.FindStringSubmatch(other.page("/redis/queue?queue=orders"))[1])
	assert.Equal(t, http.StatusForbidden, b.postForm("/redis/act", pause, http.Header{}).Code, "another handler's key")
	b.cookies = nil
	pause.Set("token", token)
	assert.Equal(t, http.StatusForbidden, b.postForm("/redis/act", pause, http.Header{}).Code, "no cookie")
	assert.Zero(t, source.Calls()["Pause"])
}

func TestNoAnswerIsKeptFramedGuessedOrSentOn(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	for _, path := range []string{"/", "/redis/queue?queue=orders", "/redis/task?uuid=gone", "/nothing", "/find?uuid=" + inspecttest.PlacedUUID} {
		header := b.get(path).Header()
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			assert.Equal(t, want, header.Get(name), "%s of %s", name, path)
		}
		policy := header.Get("Content-Security-Policy")
		assert.Contains(t, policy, "default-src 'none'")
		assert.Contains(t, policy, "frame-ancestors 'none'")
		assert.NotContains(t, policy, "unsafe")
	}
}

func TestTheCookieIsForNobodyElse(t *testing.T) {
	handler := open(t, []inspect.Source{filled(t)}).handler
	for _, address := range []string{"http://localhost/", "https://localhost/"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		r.RemoteAddr = "127.0.0.1:4711"
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		require.Len(t, w.Result().Cookies(), 1)
		cookie := w.Result().Cookies()[0]
		assert.True(t, cookie.HttpOnly)
		assert.Equal(t, http.SameSiteStrictMode, cookie.SameSite)
		assert.Equal(t, r.TLS != nil, cookie.Secure)
	}
}

func TestEveryActionIsDoneAndLoggedWithoutValues(t *testing.T) {
	source := filled(t)
	b := open(t, []inspect.Source{source}, inspect.WithUser(func(*http.Request) string { return "ada" }))
	for _, c := range []struct {
		form       url.Values
		method     string
		next, said string
	}{
		{url.Values{"action": {"pause"}, "queue": {"orders"}}, "Pause", "../redis/queue?done=pause&queue=orders", "is paused"},
		{url.Values{"action": {"resume"}, "queue": {"orders"}}, "Resume", "../redis/queue?done=resume&queue=orders", "is resumed"},
		{url.Values{"action": {"delete"}, "uuid": {"task_order_7"}, "queue": {"orders"}}, "Delete", "../redis/queue?done=delete&queue=orders", "is deleted"},
		{url.Values{"action": {"run-now"}, "uuid": {inspecttest.LaterUUID}}, "RunNow", "../redis/task?done=run-now&uuid=task_later", "run now"},
		{url.Values{"action": {"replay"}, "queue": {"orders"}, "letter": {"letter-3"}}, "Get", "../redis/dead?done=replay&queue=orders", "sent again"},
		{url.Values{"action": {"drop"}, "queue": {"orders"}, "letter": {"letter-4"}}, "Get", "../redis/dead?done=drop&queue=orders", "dropped"},
	} {
		before := source.Calls()[c.method]
		w := b.post("/redis/act", c.form)
		require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
		assert.Equal(t, c.next, w.Header().Get("Location"))
		assert.Greater(t, source.Calls()[c.method], before)
		assert.Contains(t, b.page(c.next[2:]), c.said)
	}
	log := b.audit.String()
	for _, entry := range []string{
		"user=ada remote=127.0.0.1:4711 action=pause source=redis queue=orders result=done",
		"action=delete source=redis queue=orders uuid=task_order_7 result=done", "letter=letter-3",
	} {
		assert.Contains(t, log, entry)
	}
	assert.NotContains(t, log, inspecttest.CardNumber)
	assert.NotContains(t, log, "Ada")
}

// The audit log stays short, whatever an attacker sends and a broker quotes.
func TestWhatAnActionIsOnIsCutInTheLog(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	w := b.post("/redis/act", url.Values{"action": {"pause"}, "queue": {strings.Repeat("q", 60_000)}})
	assert.Equal(t, http.StatusNotFound, w.Code)
	assert.Less(t, b.audit.Len(), 10_000)
}

// hangingUp is a source on which the browser is gone by the time that an action is done.
type hangingUp struct {
	*inspecttest.Source
	hangUp context.CancelFunc
}

func (s *hangingUp) Pause(ctx context.Context, queue string) error {
	defer s.hangUp()
	return s.Source.Pause(ctx, queue)
}

func TestABrowserThatGoesAwayLeavesTheSourceUp(t *testing.T) {
	ctx, hangUp := context.WithCancel(t.Context())
	b := open(t, []inspect.Source{&hangingUp{filled(t), hangUp}})
	form := url.Values{"action": {"pause"}, "queue": {"orders"}}
	form.Set("token", tokens.FindStringSubmatch(b.page("/redis/queue?queue=orders"))[1])
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/redis/act", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	b.do(r)
	require.Error(t, ctx.Err())
	assert.Contains(t, b.page("/redis/queue?queue=orders"), "paused", "others see what was done")
}

func TestAPageOffersWhatTheStateOfATaskAllows(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	for uuid, want := range map[string][2]bool{
		inspecttest.PlacedUUID: {true, false}, inspecttest.LaterUUID: {true, true}, inspecttest.ChainUUID: {false, false},
		inspecttest.DoneUUID: {false, false},
	} {
		page := b.page("/redis/task?uuid=" + uuid)
		assert.Equal(t, want[0], strings.Contains(page, `value="delete"`), uuid)
		assert.Equal(t, want[1], strings.Contains(page, `value="run-now"`), uuid)
	}
}

func TestActionsThatCannotBeDoneSayWhy(t *testing.T) {
	source := filled(t)
	b := open(t, []inspect.Source{source})
	for _, c := range []struct {
		form   url.Values
		status int
		said   string
	}{
		{url.Values{"action": {"delete"}, "uuid": {"gone"}}, http.StatusNotFound, "There is no task “gone” that waits"},
		{url.Values{"action": {"delete"}, "uuid": {inspecttest.ChainUUID}}, http.StatusNotFound, "that waits"},
		{url.Values{"action": {"run-now"}, "uuid": {inspecttest.PlacedUUID}}, http.StatusNotFound, "There is no delayed task"},
		{url.Values{"action": {"pause"}, "queue": {"gone"}}, http.StatusNotFound, "There is no queue “gone”"},
		{url.Values{"action": {"replay"}, "queue": {"reports"}, "letter": {"letter-broken"}}, http.StatusConflict, "The letter stays"},
		{url.Values{"action": {"drop"}, "queue": {"orders"}, "letter": {"gone"}}, http.StatusNotFound, "There is no dead letter “gone”"},
		{url.Values{"action": {"explode"}}, http.StatusNotFound, "There is no such action"},
	} {
		w := b.post("/redis/act", c.form)
		assert.Equal(t, c.status, w.Code, "%v", c.form)
		assert.Contains(t, w.Body.String(), c.said)
	}
	assert.Contains(t, b.audit.String(), "result=failed")
}

func TestABrokerThatRefusesAnActionIsQuoted(t *testing.T) {
	source := filled(t)
	b := open(t, []inspect.Source{source})
	b.page("/")
	form := url.Values{"action": {"pause"}, "queue": {"orders"}}
	form.Set("token", tokens.FindStringSubmatch(b.page("/redis/queue?queue=orders"))[1])
	source.Fail(errors.New("readonly replica"))
	w := b.postForm("/redis/act", form, http.Header{})
	assert.Equal(t, http.StatusBadGateway, w.Code)
	assert.Contains(t, w.Body.String(), "Readonly replica.")
}
