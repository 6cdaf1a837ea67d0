package management

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// serve answers every request, and returns a client of it with a password.
func serve(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	require.NoError(t, err)
	address.User = url.UserPassword("someone", "s3cret")
	client, err := New(address.String(), "/", nil)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

func text200(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }
}

// calls are all questions that a client has.
var calls = map[string]func(context.Context, *Client) error{
	"queues":    func(ctx context.Context, c *Client) error { _, err := c.Queues(ctx); return err },
	"bindings":  func(ctx context.Context, c *Client) error { _, err := c.BoundTo(ctx, "x"); return err },
	"consumers": func(ctx context.Context, c *Client) error { _, err := c.Consumers(ctx); return err },
}

func TestAHostileAnswerIsAnErrorWithoutThePassword(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"HTML":              {text200("<!DOCTYPE html><title>Log in</title>"), ErrAnswer},
		"nothing":           {text200(""), ErrAnswer},
		"an object":         {text200(`{"error":"not_authorised"}`), ErrAnswer},
		"a list of numbers": {text200(`[1,2]`), ErrAnswer},
		"half a list":       {text200(`[{"name":"q"`), ErrAnswer},
		"two lists":         {text200(`[][]`), ErrAnswer},
		"deep lists":        {text200(strings.Repeat("[", 100_000)), ErrAnswer},
		"too much":          {func(w http.ResponseWriter, _ *http.Request) { writeForever(w) }, ErrAnswerTooLong},
		"401":               {status(http.StatusUnauthorized), ErrRefused},
		"403":               {status(http.StatusForbidden), ErrRefused},
		"500":               {status(http.StatusInternalServerError), ErrAnswer},
		"elsewhere":         {http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound).ServeHTTP, ErrAnswer},
	} {
		for question, ask := range calls {
			t.Run(name+" for "+question, func(t *testing.T) {
				err := ask(t.Context(), serve(t, c.answer))
				require.ErrorIs(t, err, c.want)
				assert.NotContains(t, err.Error(), "s3cret")
			})
		}
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func writeForever(w http.ResponseWriter) {
	spaces := []byte(strings.Repeat(" ", 1<<20))
	for {
		if _, err := w.Write(spaces); err != nil {
			return
		}
	}
}

func TestNobodyWhoAnswersIsAnErrorWithoutThePassword(t *testing.T) {
	client, err := New("http://someone:s3cret@127.0.0.1:1/api/", "/", nil)
	require.NoError(t, err)
	_, err = client.Queues(t.Context())
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "s3cret")
}

func TestAQuestionEndsWithItsContext(t *testing.T) {
	asked := make(chan struct{})
	client := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	_, err := client.Queues(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestAnAddressThatIsNoneIsAnErrorWithoutThePassword(t *testing.T) {
	for _, address := range []string{"", "localhost:15672", "amqp://a:s3cret@h/", "http://", "http://a:s3cret@h:x/", "http://a:s3cret@%zz/"} {
		_, err := New(address, "/", nil)
		require.ErrorIs(t, err, ErrURL, address)
		assert.NotContains(t, err.Error(), "s3cret")
	}
}

func TestWhatIsAskedForNamesUserVirtualHostAndPath(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		got = fmt.Sprint(user, ":", password, " ", r.URL.EscapedPath())
		_, _ = w.Write([]byte("[]"))
	}))
	defer server.Close()
	for address, want := range map[string]string{
		server.URL:                "guest:guest /api/exchanges/a%2Fb/../bindings/source",
		server.URL + "/":          "guest:guest /api/exchanges/a%2Fb/../bindings/source",
		server.URL + "/api":       "guest:guest /api/exchanges/a%2Fb/../bindings/source",
		server.URL + "/m%2Fq/?x#": "guest:guest /m/q/api/exchanges/a%2Fb/../bindings/source",
		strings.Replace(server.URL, "//", "//u:p%3A@", 1): "u:p: /api/exchanges/a%2Fb/../bindings/source",
	} {
		client, err := New(address, "a/b", nil)
		require.NoError(t, err)
		_, err = client.BoundTo(t.Context(), "..")
		require.NoError(t, err)
		assert.Equal(t, want, got, address)
		client.Close()
	}
}

func TestAMissingExchangeHasNoQueues(t *testing.T) {
	queues, err := serve(t, status(http.StatusNotFound)).BoundTo(t.Context(), "x")
	require.NoError(t, err)
	assert.Empty(t, queues)
}

func TestQueuesAreReadAsRabbitMQWritesThem(t *testing.T) {
	queues, err := parseQueues([]byte(`[
		{"messages_unacknowledged":2,"name":"classic","head_message_timestamp":1795918992},
		{"messages_unacknowledged":0,"name":"quorum"},
		{"name":"new"},
		{"messages_unacknowledged":1,"name":"milliseconds","head_message_timestamp":1795918992123},
		{"messages_unacknowledged":-3,"name":"hostile","head_message_timestamp":"yesterday"},
		{"messages_unacknowledged":1e30,"name":"huge","head_message_timestamp":9223372036854775807},
		{"messages_unacknowledged":[],"name":"lists","head_message_timestamp":{}},
		{"name":7},{},null]`))
	require.NoError(t, err)
	then := time.Unix(1795918992, 0).UTC()
	assert.Equal(t, map[string]Queue{
		"classic":      {Name: "classic", Unacked: 2, Oldest: then},
		"quorum":       {Name: "quorum", Unacked: 0},
		"new":          {Name: "new", Unacked: Unknown},
		"milliseconds": {Name: "milliseconds", Unacked: 1, Oldest: then.Add(123 * time.Millisecond)},
		"hostile":      {Name: "hostile", Unacked: Unknown},
		"huge":         {Name: "huge", Unacked: Unknown},
		"lists":        {Name: "lists", Unacked: Unknown},
	}, queues)
}

func TestBindingsAreThoseOfQueuesEachOnce(t *testing.T) {
	queues, err := parseBindings([]byte(`[
		{"source":"x","destination":"a","destination_type":"queue","routing_key":"k"},
		{"source":"x","destination":"a","destination_type":"queue","routing_key":"l"},
		{"source":"x","destination":"y","destination_type":"exchange"},
		{"destination":["b"],"destination_type":"queue"}]`))
	require.NoError(t, err)
	assert.Equal(t, []string{"a"}, queues)
}

func TestConsumersAreReadAsRabbitMQWritesThem(t *testing.T) {
	consumers, err := parseConsumers([]byte(`[
		{"arguments":{"host":"h","process":12,"started":1795918992},"consumer_tag":"tag","queue":{"name":"q","vhost":"/"},
		 "channel_details":{"number":1,"peer_host":"127.0.0.1","peer_port":49638}},
		{"arguments":[],"consumer_tag":"other","queue":{"name":"q"},"channel_details":[]},
		{"arguments":{"host":7,"process":"x","started":-1},"consumer_tag":null,"queue":{"name":"q"}},
		{"queue":[]}]`))
	require.NoError(t, err)
	require.Len(t, consumers, 3)
	first := consumers[0]
	assert.Equal(t, "q tag 127.0.0.1:49638#1 127.0.0.1", fmt.Sprint(first.Queue, " ", first.Tag, " ", first.Channel, " ", first.Peer))
	assert.Equal(t, "h", first.Arguments.Text("host"))
	assert.Equal(t, 12, first.Arguments.Count("process"))
	assert.Equal(t, time.Unix(1795918992, 0).UTC(), first.Arguments.Time("started"))
	for _, c := range consumers[1:] {
		assert.Empty(t, c.Channel)
		assert.Empty(t, c.Arguments.Text("host"))
		assert.Zero(t, c.Arguments.Count("process"))
		assert.True(t, c.Arguments.Time("started").IsZero())
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`[{"name":"q","messages_unacknowledged":2,"head_message_timestamp":1795918992}]`))
	f.Add([]byte(`[{"destination":"a","destination_type":"queue"}]`))
	f.Add([]byte(`[{"arguments":{"started":1},"consumer_tag":"t","queue":{"name":"q"},"channel_details":{"peer_port":1}}]`))
	f.Add([]byte(`<html>`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		queues, err := parseQueues(answer)
		for name, q := range queues {
			if name == "" || q.Name != name || q.Unacked < Unknown || q.Oldest.Year() > 9999 {
				t.Errorf("queue %+v", q)
			}
		}
		_, errBindings := parseBindings(answer)
		consumers, errConsumers := parseConsumers(answer)
		for _, c := range consumers {
			if c.Queue == "" || c.Arguments.Count("started") < 0 || c.Arguments.Time("started").Year() > 9999 {
				t.Errorf("consumer %+v", c)
			}
		}
		for _, err := range []error{err, errBindings, errConsumers} {
			if err != nil && err.Error() != ErrAnswer.Error()+": it is not the JSON list of one" {
				t.Errorf("error that may quote the answer: %v", err)
			}
		}
	})
}
