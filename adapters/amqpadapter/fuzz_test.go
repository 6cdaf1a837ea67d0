package amqpadapter

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2/config"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
)

// Whatever a message in the dead letters holds, in its body and in headers that anybody may have set, it is listed as
// it is and can be made ready to be sent again.
func FuzzDeadLetter(f *testing.F) {
	f.Add([]byte(`{"Name":"add","UUID":"a","RoutingKey":"work"}`), []byte(`{"envelope-death-id":"x","envelope-death-queue":"work"}`))
	f.Add([]byte(`{"Name":"add","Headers":{"envelope-attempts":"3"},"ETA":"2001-02-03T04:05:06Z"}`), []byte(`{"envelope-deliveries":7}`))
	f.Add([]byte(`{}`), []byte(`{"x-death":[{"queue":"work","reason":"rejected","routing-keys":["work"],"exchange":"e"}]}`))
	f.Add([]byte(`null`), []byte(`{"x-death":[{"queue":1,"routing-keys":[{}],"time":"x"},7],"envelope-death-reason":[]}`))
	t := &topology{cnf: &config.Config{DefaultQueue: "work", AMQP: &config.AMQPConfig{Exchange: "e", ExchangeType: "direct", BindingKey: "work"}}}
	f.Fuzz(func(tt *testing.T, body, headers []byte) {
		var table map[string]any
		if json.Unmarshal(headers, &table) != nil {
			return
		}
		d := amqp.Delivery{Body: body, Headers: tableOf(table)}
		for _, known := range []*topology{t, nil} {
			letter := newDeadLetter(d, known, delivery.DefaultMaxMessage)
			assert.Equal(tt, body, letter.Body)
			assert.NotEmpty(tt, letter.ID)
			assert.True(tt, letter.Time.IsZero() || letter.Time.Location() == time.UTC)
			letters := newDeadLetters(nil, "work.dead")
			letters.topology.Store(known)
			m, err := originOf(d).address(letters)
			assert.True(tt, err != nil || m.exchange == "e" || m.exchange == "" && m.routingKey == "work", "no other exchange")
		}
		s, err := delivery.Decode(body)
		if err != nil {
			return
		}
		sent, err := asSent(d, s)
		require.NoError(tt, err)
		for _, name := range countingHeaders {
			assert.NotContains(tt, sent.Headers, name)
		}
		_, err = delivery.Decode(sent.Body)
		require.NoError(tt, err)
	})
}

// tableOf returns headers as the client library reads them.
func tableOf(values map[string]any) amqp.Table {
	table := amqp.Table{}
	for name, value := range values {
		if inner, ok := value.(map[string]any); ok {
			value = tableOf(inner)
		}
		if list, ok := value.([]any); ok {
			for i, element := range list {
				if inner, ok := element.(map[string]any); ok {
					list[i] = tableOf(inner)
				}
			}
		}
		table[name] = value
	}
	return table
}
