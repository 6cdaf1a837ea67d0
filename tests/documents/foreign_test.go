package documents_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/protocodec"
)

// Charge is read in two ways, as in stripe-go.
type Charge struct{ ID string }

func (c *Charge) UnmarshalJSON(data []byte) error {
	type plain Charge
	if json.Unmarshal(data, &c.ID) == nil {
		return nil
	}
	return json.Unmarshal(data, (*plain)(c))
}

// Price has marshalers.
type Price struct{ cents int64 }

func (p Price) MarshalJSON() ([]byte, error)     { return json.Marshal(p.cents) }
func (p *Price) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &p.cents) }

func TestReadmeTypesOfOthers(t *testing.T) {
	registry := envelope.NewRegistry()
	envelope.MustRegister[Charge](registry, "stripe.Charge", envelope.AsJSON()) // UnmarshalJSON, but no MarshalJSON
	envelope.MustRegister[timestamppb.Timestamp](registry, "pb.Timestamp", envelope.UseCodec(protocodec.Codec{}))
	envelope.MustRegister[Price](registry, "shop.Price", envelope.Verified()) // a value that would arrive as another is refused

	require.NoError(t, registry.Check())
	for _, v := range []any{Charge{ID: "ch_1"}, timestamppb.Now(), Price{5}} {
		_, err := registry.Marshal(t.Context(), v)
		require.NoError(t, err)
	}
}
