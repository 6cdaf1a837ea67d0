package security_test

import (
	"strings"
	"testing"

	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// Bill looks like Order.
type Bill struct{ ID, Card string }

// SECURITY.md: no option
// SECURITY.md: `envelope.EncryptAll(aead)`
// SECURITY.md: `envelope.EncryptMarked(aead)`
// SECURITY.md: the same with `envelope.AllowUnencrypted`
func TestWhatAnAttackerDoesToPayloads(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		key, err := aead.New(newAEADKeys(t).handle(t))
		require.NoError(t, err)
		for name, c := range map[string]struct {
			options                      []envelope.Option
			marked                       []envelope.TypeOption
			reads, changes, makes, moves bool
		}{
			"no option":        {nil, nil, true, true, true, true},
			"EncryptAll":       {[]envelope.Option{envelope.EncryptAll(key)}, nil, false, false, false, false},
			"EncryptMarked":    {[]envelope.Option{envelope.EncryptMarked(key)}, []envelope.TypeOption{envelope.Encrypted()}, false, false, false, false},
			"AllowUnencrypted": {[]envelope.Option{envelope.EncryptAll(key), envelope.AllowUnencrypted()}, nil, false, false, true, false},
		} {
			t.Run(name, func(t *testing.T) {
				types := envelope.NewRegistry(c.options...)
				require.NoError(t, envelope.Register[Order](types, "shop.Order", c.marked...))
				require.NoError(t, envelope.Register[Bill](types, "shop.Bill", c.marked...))
				s := s.another()
				worker := s.join(t, types)
				require.NoError(t, worker.RegisterTask("pay", func(Order) error { return nil }))
				require.NoError(t, worker.RegisterTask("bill", func(Bill) error { return nil }))
				worker.launch(t)
				runs := func(task, text string) bool {
					message := newTask(task, text)
					s.push(t, marshal(t, message))
					_, err := await[struct{}](t, worker, result.NewAsyncResult(message, worker.server.GetBackend()))
					return err == nil
				}
				sent, err := worker.Signature(t.Context(), "pay", Order{ID: "o-1", Card: "4929"})
				require.NoError(t, err)
				text := sent.Args[0].Value.(string)
				require.True(t, runs("pay", text))
				assert.Equal(t, c.reads, strings.Contains(text, "4929"), "reads")
				assert.Equal(t, c.changes, runs("pay", changed(text)), "changes")
				made := `{"$envelope":1,"type":"shop.Order","data":{"ID":"made","Card":"up"}}`
				assert.Equal(t, c.makes, runs("pay", made), "makes up")
				assert.Equal(t, c.moves, runs("bill", strings.Replace(text, "shop.Order", "shop.Bill", 1)), "moves")
			})
		}
	})
}

// changed returns an envelope with another letter or digit near the end of its data.
func changed(text string) string {
	at := len(text) - len(`29"}}`)
	other := byte('A')
	if text[at] == other {
		other = 'B'
	}
	return text[:at] + string(other) + text[at+1:]
}
