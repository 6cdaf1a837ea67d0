package cborcodec

import (
	"fmt"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// Codec writes and reads CBOR. The zero value is ready for use:
//
//	envelope.MustRegister[sensors.Reading](registry, "sensors.Reading", envelope.UseCodec(cborcodec.Codec{}))
//
// Equal values give equal bytes: map keys are sorted, numbers as short as they can be. Struct tags are those of
// fxamacker/cbor, which takes json tags where there are none for cbor. Unexported fields are left out. Times keep
// instant and offset, but may come back in the local zone. In the empty interface, integers come back as uint64 or
// int64 and maps as map[string]any.
type Codec struct{}

var (
	writing = must(writingOptions().EncMode())
	reading = must(readingOptions().DecMode())
)

func writingOptions() cbor.EncOptions {
	options := cbor.CoreDetEncOptions()
	options.Time = cbor.TimeRFC3339Nano
	options.TimeTag = cbor.EncTagRequired
	return options
}

func readingOptions() cbor.DecOptions {
	return cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		DefaultMapType:   reflect.TypeFor[map[string]any](),
		MaxArrayElements: 4 << 20,
		MaxMapPairs:      4 << 20,
	}
}

func must[M any](mode M, err error) M {
	if err != nil {
		panic(fmt.Errorf("cborcodec: %w", err))
	}
	return mode
}

// Name returns "cbor".
func (Codec) Name() string { return "cbor" }

// Marshal returns v in CBOR.
func (Codec) Marshal(v any) ([]byte, error) { return writing.Marshal(v) }

// Unmarshal reads CBOR into what v points to. It refuses duplicate map keys and invalid UTF-8.
func (Codec) Unmarshal(data []byte, v any) error { return reading.Unmarshal(data, v) }
