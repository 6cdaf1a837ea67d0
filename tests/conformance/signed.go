package conformance

import (
	"maps"
	"slices"

	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// Signed is a transport on which tasks are signed and travel in envelopes, which most changes how they and their results
// travel. Some cases send tasks past the middleware, unsigned.
func Signed(tr Transport) Transport {
	tr.Name += ", signed"
	tr.Options = slices.Concat(tr.Options, []middleware.Option{
		middleware.SignTasks(newMAC(), middleware.AcceptUnsigned()), middleware.EnvelopeAll(),
	})
	excluded := map[string]string{"native and own types mix": "everything travels in envelopes"}
	maps.Copy(excluded, tr.Excluded)
	tr.Excluded = excluded
	return tr
}

func newMAC() middleware.MAC {
	key, err := keyset.NewHandle(mac.HMACSHA256Tag256KeyTemplate())
	if err != nil {
		panic(err)
	}
	primitive, err := mac.New(key)
	if err != nil {
		panic(err)
	}
	return primitive
}
