package documents_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/RichardKnop/machinery/v2/config"
	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/adapters/redisadapter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
)

func TestReadmeSeeWhatIsInTheQueues(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	defer client.Close()
	cnf, registry := &config.Config{DefaultQueue: "orders", Redis: &config.RedisConfig{}}, envelope.NewRegistry()
	source := redisadapter.NewSource(cnf, client) // or amqpadapter.NewSource(cnf)
	page := inspect.NewHandler(registry, []inspect.Source{source})
	http.Handle("/inspect/", http.StripPrefix("/inspect", page))
	defer page.Close()

	recorded := httptest.NewRecorder()
	request := httptest.NewRequest("GET", "http://localhost/inspect/", nil)
	request.RemoteAddr = "127.0.0.1:1"
	http.DefaultServeMux.ServeHTTP(recorded, request)
	require.Equal(t, http.StatusOK, recorded.Code)
	assert.Contains(t, recorded.Body.String(), "orders")

	filter, err := inspect.ParseFilter(`order.customer.id = 42 and age > 2h`)
	require.NoError(t, err)
	_, err = inspect.SelectLetters(t.Context(), source, registry, "orders", filter)
	require.NoError(t, err)
	_, err = inspect.ParseFilter(`reason ~ "connection refused"`)
	require.NoError(t, err)
}
