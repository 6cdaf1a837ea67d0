package envelope_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// An unexported field is printed without the methods of its type.
type envelopeHolder struct {
	hidden  envelope.Envelope
	pointer *envelope.Envelope
	any     any
	list    []envelope.Envelope
	named   map[string]envelope.Envelope
	Shown   envelope.Envelope
}

// failureText collects what an assertion of testify prints.
type failureText struct{ bytes.Buffer }

func (f *failureText) Errorf(format string, args ...any) { fmt.Fprintf(f, format, args...) }

func TestNothingThatPrintsAnEnvelopeShowsItsPayload(t *testing.T) {
	t.Parallel()
	parsed, err := envelope.Parse(`{"$envelope":1,"type":"shop.Card","data":"TOPSECRET"}`)
	require.NoError(t, err)
	require.Equal(t, `"TOPSECRET"`, string(parsed.Data()))
	holder := envelopeHolder{
		hidden: parsed, pointer: &parsed, any: parsed, list: []envelope.Envelope{parsed},
		named: map[string]envelope.Envelope{"a": parsed}, Shown: parsed,
	}
	var printed []string
	for _, value := range []any{
		parsed, &parsed, holder, &holder, []any{parsed}, []envelope.Envelope{parsed}, map[string]any{"a": &parsed}, [1]envelope.Envelope{parsed},
	} {
		for _, verb := range "vdpsqxXtTbcoUeg" {
			for _, flags := range []string{"", "+", "#", "-", " ", "0", "#+"} {
				printed = append(printed, fmt.Sprintf("%"+flags+string(verb), value))
			}
		}
		printed = append(printed, fmt.Errorf("refused: %v", value).Error(), fmt.Sprint(value), marshaledJSON(t, value))
		var logged bytes.Buffer
		slog.New(slog.NewTextHandler(&logged, nil)).Info("refused", "envelope", value)
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("refused", "envelope", value)
		var failure failureText
		assert.Equal(&failure, "another", value)
		assert.Empty(&failure, value)
		printed = append(printed, logged.String(), failure.String())
	}
	var encoded bytes.Buffer
	require.NoError(t, gob.NewEncoder(&encoded).Encode(parsed))
	for _, text := range append(printed, encoded.String()) {
		for _, form := range []string{"TOPSECRET", "84 79 80", "54, 4f", "0x54", "54 4f 50", "544f50", "544F50", "VE9QU0VDUkVU", "124 117"} {
			require.NotContains(t, text, form)
		}
	}
	assert.Equal(t, "shop.Card", fmt.Sprintf("%v", parsed))
	assert.JSONEq(t, `{"Format":1,"Type":"shop.Card","Version":1,"Codec":"json","Encoding":null,"Ref":""}`, marshaledJSON(t, parsed))
}

func marshaledJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}
