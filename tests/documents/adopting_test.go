//lint:file-ignore SA4006 documents leave the handling of errors to their readers

package documents_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

func TestReadmeComingFromV1(t *testing.T) {
	cnf := &config.Config{DefaultQueue: "orders", ResultsExpireIn: 3600}
	options, err := redis.ParseURL("redis://:password@127.0.0.1:6379/0") // what was cnf.Broker; rediss:// is TLS
	client := redis.NewClient(options)
	broker, backend := redisadapter.NewBroker(cnf, client), redisadapter.NewBackend(cnf, client)
	server := machinery.NewServer(cnf, broker, backend, eagerlock.New())

	require.NoError(t, err)
	require.Equal(t, "password", options.Password)
	require.NotNil(t, server)
	require.NoError(t, client.Close())
}

func TestReadmeReadingResultsElsewhere(t *testing.T) {
	ctx, server, m := newShop(t)
	require.NoError(t, m.RegisterTask("orders.price", price))
	signature, err := m.Signature(ctx, "orders.price", order, 250)
	require.NoError(t, err)
	sent, err := m.SendTask(ctx, signature)
	require.NoError(t, err)
	uuid := sent.Signature.UUID

	result := result.NewAsyncResult(&tasks.Signature{UUID: uuid}, server.GetBackend()) // of Machinery's backends/result
	quote, err := middleware.Await[Quote](ctx, m, result)

	require.NoError(t, err)
	require.Equal(t, Quote{"o-1", 750}, quote)
	values, err := result.Get(0)
	require.NoError(t, err)
	require.True(t, envelope.Is(values[0].String()))
	handlePolls(server, shopRegistry())
	reply := poll(uuid)
	require.JSONEq(t, `{"state":"SUCCESS","error":"","result":{"order_id":"o-1","cents":750}}`, reply)
}

func handlePolls(server *machinery.Server, registry *envelope.Registry) {
	http.HandleFunc("GET /tasks/{uuid}", func(w http.ResponseWriter, r *http.Request) {
		state, err := server.GetBackend().GetState(r.PathValue("uuid"))
		if err != nil {
			http.Error(w, "no such task", http.StatusNotFound)
			return
		}
		reply := map[string]any{"state": state.State, "error": state.Error}
		if state.IsSuccess() && len(state.Results) > 0 {
			value := state.Results[0].Value
			if text, ok := value.(string); ok && envelope.Is(text) {
				err = registry.Unmarshal(r.Context(), text, &value) // into an any: a Quote, a Receipt, whatever it is
			}
			reply["result"] = value
		}
		if err != nil {
			http.Error(w, "unreadable result", http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(reply)
	})
}

func poll(uuid string) string {
	response := httptest.NewRecorder()
	http.DefaultServeMux.ServeHTTP(response, httptest.NewRequest(http.MethodGet, "/tasks/"+uuid, nil))
	return response.Body.String()
}

func TestMigratingFromSeveralArgumentsToAStruct(t *testing.T) {
	ctx, server, m := newShop(t)

	err := server.RegisterTask("orders.price", func(id string, qty, cents int64) (int64, error) { return qty * cents, nil })
	err = m.RegisterTask("orders.price.v2", func(o Order, cents int64) (int64, error) { return int64(o.Qty) * cents, nil })

	require.NoError(t, err)
	for name, args := range map[string][]any{"orders.price": {"o-1", int64(3), int64(250)}, "orders.price.v2": {order, 250}} {
		signature, err := m.Signature(ctx, name, args...)
		require.NoError(t, err)
		result, err := m.SendTask(ctx, signature)
		require.NoError(t, err)
		cents, err := middleware.Await[int64](ctx, m, result)
		require.NoError(t, err)
		require.Equal(t, int64(750), cents)
	}
}
