package envelope_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// The types below have marshalers that lose something, as those of public modules do.
type (
	// second is a time without fractions, as in Kubernetes.
	second struct{ time.Time }
	// date is a day, whose zero value has a text that cannot be read, as in cloud.google.com/go/civil.
	date struct{ Year, Month, Day int }
	// fixed is a decimal that does not keep trailing zeros.
	fixed struct {
		value *big.Int
		exp   int
	}
	// broad writes every number, and reads those of 32 bits.
	broad struct{ N int64 }
)

func (s second) MarshalJSON() ([]byte, error) { return json.Marshal(s.UTC().Format(time.RFC3339)) }
func (s *second) UnmarshalJSON(data []byte) (err error) {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	s.Time, err = time.Parse(time.RFC3339, text)
	return err
}

func (d date) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%04d-%02d-%02d", d.Year, d.Month, d.Day), nil
}
func (d *date) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.DateOnly, string(text))
	d.Year, d.Month, d.Day = t.Year(), int(t.Month()), t.Day()
	return err
}

func (f fixed) MarshalText() ([]byte, error) {
	digits := f.value.String()
	point := len(digits) - f.exp
	return []byte(digits[:point] + "." + strings.TrimRight(digits[point:], "0")), nil
}
func (f *fixed) UnmarshalText(text []byte) error {
	whole, fraction, _ := strings.Cut(string(text), ".")
	f.value, _ = new(big.Int).SetString(whole+fraction, 10)
	f.exp = len(fraction)
	return nil
}

func (b broad) MarshalJSON() ([]byte, error) { return json.Marshal(b.N) }
func (b *broad) UnmarshalJSON(data []byte) error {
	var n int32
	err := json.Unmarshal(data, &n)
	b.N = int64(n)
	return err
}

func TestWhatItsOwnUnmarshalerRefusesIsAnErrorOfTheSend(t *testing.T) {
	t.Parallel()
	type visit struct {
		On   date
		Days map[date]int
	}
	r := envelope.NewRegistry()
	envelope.MustRegister[visit](r, "clinic.Visit")
	envelope.MustRegister[date](r, "civil.Date")
	envelope.MustRegister[broad](r, "test.Broad")
	good := date{2024, 2, 29}
	assert.Equal(t, visit{On: good, Days: map[date]int{good: 1}}, roundTrip(t, r, visit{On: good, Days: map[date]int{good: 1}}))

	text := "envelope_test.date is written as what it does not read itself: " +
		"UnmarshalText of envelope_test.date failed: parsing time …: month out of range"
	requireRefused(t, r, visit{}, envelope.ErrUnsupported, "clinic.Visit.On: "+text)
	requireRefused(t, r, visit{On: good, Days: map[date]int{{}: 1}}, envelope.ErrUnsupported, "clinic.Visit.Days[…]: "+text)
	requireRefused(t, r, date{}, envelope.ErrUnsupported, "civil.Date: "+text)
	requireRefused(t, r, []any{good, date{}}, envelope.ErrUnsupported, "[]any[1].(civil.Date): "+text)
	requireRefused(t, r, broad{math.MaxInt64}, envelope.ErrUnsupported,
		"test.Broad: envelope_test.broad is written as what it does not read itself: UnmarshalJSON of envelope_test.broad failed")
	_, err := r.Marshal(t.Context(), date{})
	require.ErrorContains(t, err, `envelope.MustRegister[envelope_test.date](registry, "civil.Date", envelope.Convert(to, from))`)
	require.NotErrorIs(t, err, envelope.ErrTypeMismatch)
	assert.ErrorAs(t, err, new(*time.ParseError))
}

// long has a text of its own, as a value and as a key.
type long struct{ text string }

func (l long) MarshalText() ([]byte, error) { return []byte(l.text), nil }
func (l *long) UnmarshalText(text []byte) error {
	l.text = string(text)
	return nil
}

func TestWhatAReceiverAcceptsIsReadBackWhateverItsSize(t *testing.T) {
	t.Parallel()
	type page struct {
		Value long
		Keys  map[long]int
		Any   any
	}
	senders := map[string]*envelope.Registry{
		"defaults":         envelope.NewRegistry(),
		"little memory":    envelope.NewRegistry(envelope.WithLimits(envelope.Limits{MaxMemory: 1})),
		"all are compared": envelope.NewRegistry(envelope.VerifyAll()),
	}
	receiver := envelope.NewRegistry()
	envelope.MustRegister[page](receiver, "test.Page")
	envelope.MustRegister[long](receiver, "test.Long")
	text := long{strings.Repeat("ab\n\"", 1<<18)}
	sent := page{Value: text, Keys: map[long]int{text: 1}, Any: text}
	for name, sender := range senders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			envelope.MustRegister[page](sender, "test.Page")
			envelope.MustRegister[long](sender, "test.Long")
			var arrived page
			require.NoError(t, receiver.Unmarshal(t.Context(), marshal(t, sender, sent), &arrived))
			assert.True(t, sent.Value == arrived.Value && sent.Any == arrived.Any && arrived.Keys[text] == 1)
		})
	}
}

func TestVerifiedRefusesWhatWouldArriveAsAnother(t *testing.T) {
	t.Parallel()
	whole := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	type log struct {
		At    second
		Price fixed
	}
	price := func(n int64, exp int) fixed { return fixed{big.NewInt(n), exp} }
	exact := log{At: second{whole}, Price: price(15, 1)}
	for name, register := range map[string]func(*testing.T) *envelope.Registry{
		"each type": func(*testing.T) *envelope.Registry {
			r := envelope.NewRegistry()
			envelope.MustRegister[log](r, "test.Log")
			envelope.MustRegister[second](r, "test.Second", envelope.Verified())
			envelope.MustRegister[fixed](r, "test.Fixed", envelope.Verified())
			return r
		},
		"the whole": func(*testing.T) *envelope.Registry {
			r := envelope.NewRegistry()
			envelope.MustRegister[log](r, "test.Log", envelope.Verified())
			return r
		},
		"all": func(*testing.T) *envelope.Registry {
			r := envelope.NewRegistry(envelope.VerifyAll())
			envelope.MustRegister[log](r, "test.Log")
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := register(t)
			_, err := r.Marshal(t.Context(), exact)
			require.NoError(t, err)
			for _, v := range []any{
				log{At: second{whole.Add(1)}, Price: price(15, 1)},
				log{At: second{whole}, Price: price(150, 2)},
				[]log{exact, {At: second{whole.In(time.FixedZone("", 3600))}, Price: price(15, 1)}},
			} {
				_, err := r.Marshal(t.Context(), v)
				require.ErrorIs(t, err, envelope.ErrUnsupported)
				require.ErrorContains(t, err, "would arrive as another value: ")
				require.Regexp(t, `envelope\.MustRegister\[envelope_test\.\w+\]\(registry, ".*", envelope\.VerifiedBy\(equal\)\)`, err)
			}
		})
	}
}

func TestVerifiedByComparesByTheFunction(t *testing.T) {
	t.Parallel()
	r := envelope.NewRegistry(envelope.VerifyAll())
	inSeconds := func(sent, arrives second) bool { return sent.Truncate(time.Second).Equal(arrives.Time) }
	envelope.MustRegister[second](r, "test.Second", envelope.VerifiedBy(inSeconds))
	_, err := r.Marshal(t.Context(), map[string]any{"at": second{time.Now()}})
	require.NoError(t, err)
	requireInvalid(t, registers[date](envelope.VerifiedBy(inSeconds)), "VerifiedBy is for envelope_test.second")
	requireInvalid(t, registers[date](envelope.VerifiedBy[date](nil)), "VerifiedBy got nil")
}

func TestVerifiedLooksAtConvertersAndCodecs(t *testing.T) {
	t.Parallel()
	lossy := envelope.Convert(
		func(_ context.Context, p shopPrice) (int64, error) { return p.cents / 100, nil },
		func(_ context.Context, n int64) (shopPrice, error) { return shopPrice{n * 100}, nil })
	for _, all := range [][]envelope.Option{nil, {envelope.VerifyAll()}} {
		r := envelope.NewRegistry(all...)
		options := []envelope.TypeOption{lossy}
		if all == nil {
			options = append(options, envelope.Verified())
		}
		envelope.MustRegister[shopPrice](r, "shop.Price", options...)
		assert.Equal(t, shopPrice{300}, roundTrip(t, r, shopPrice{300}))
		requireRefused(t, r, shopPrice{301}, envelope.ErrUnsupported, "shop.Price: envelope_test.shopPrice would arrive as another value")
		requireRefused(t, r, map[shopPrice]int{{301}: 1}, envelope.ErrUnsupported,
			"map[shop.Price]int[…]: envelope_test.shopPrice would arrive as another value")
	}
	r := envelope.NewRegistry(envelope.VerifyAll())
	envelope.MustRegister[measurement](r, "lab.Measurement", envelope.UseCodec(gobCodec{}))
	roundTrip(t, r, measurement{Unit: "m"})
}

// Values of which a part has to be encrypted are read back before they are.
func TestVerifiedLooksIntoWhatIsEncrypted(t *testing.T) {
	t.Parallel()
	r := envelope.NewRegistry(envelope.VerifyAll(), envelope.EncryptMarked(nullAEAD{}))
	type holder struct{ Held any }
	envelope.MustRegister[date](r, "civil.Date", envelope.Encrypted())
	envelope.MustRegister[holder](r, "test.Holder", envelope.Verified())
	sent := holder{Held: date{2024, 1, 1}}
	assert.Equal(t, sent, roundTrip(t, r, sent))
}

// nullAEAD encrypts nothing.
type nullAEAD struct{}

func (nullAEAD) Encrypt(plaintext, _ []byte) ([]byte, error) {
	return append([]byte("x"), plaintext...), nil
}
func (nullAEAD) Decrypt(ciphertext, _ []byte) ([]byte, error) { return ciphertext[1:], nil }

// A type that holds itself is read back once, not once for each level.
func TestVerifiedTypesThatHoldThemselvesAreReadBackOnce(t *testing.T) {
	t.Parallel()
	type node struct {
		At   date
		Next *node
	}
	compared := 0
	r := envelope.NewRegistry()
	envelope.MustRegister[node](r, "test.Node", envelope.VerifiedBy(func(sent, arrives node) bool {
		compared++
		return reflect.DeepEqual(sent, arrives)
	}))
	first := &node{At: date{2024, 1, 1}}
	for range 100 {
		first = &node{At: date{2024, 1, 1}, Next: first}
	}
	assert.Equal(t, first, roundTrip(t, r, first))
	assert.Equal(t, 1, compared)
}

func TestAsJSONCarriesWhatIsMadeForEncodingJSON(t *testing.T) {
	t.Parallel()
	r := envelope.NewRegistry()
	envelope.MustRegister[charge](r, "stripe.Charge", envelope.AsJSON())
	envelope.MustRegister[event](r, "lambda.S3Event", envelope.AsJSON())
	envelope.MustRegister[report](r, "test.Report", envelope.AsJSON(), envelope.Verified())
	require.NoError(t, r.Check())
	for _, v := range []any{
		charge{ID: "ch_1 <&>", Amount: 5}, &charge{}, []charge{{ID: "a"}}, event{Records: []object{{Key: "k"}}}, event{},
	} {
		assert.Equal(t, v, roundTrip(t, r, v))
	}
	assert.Equal(t, `{"$envelope":1,"type":"stripe.Charge","data":{"ID":"<&>","Amount":5}}`, marshal(t, r, charge{"<&>", 5}))
	_, err := r.Marshal(t.Context(), report{})
	require.ErrorIs(t, err, envelope.ErrUnsupported)
	_, err = r.UnmarshalAny(t.Context(), opened("stripe.Charge", "[]"))
	require.ErrorIs(t, err, envelope.ErrTypeMismatch)
	requireInvalid(t, registers[charge](envelope.AsJSON(), envelope.AsJSON()), "AsJSON is a Convert")
}

func TestACodecCanBeChanged(t *testing.T) {
	t.Parallel()
	old, reads, writes, plain := envelope.NewRegistry(), envelope.NewRegistry(), envelope.NewRegistry(), envelope.NewRegistry()
	renamed := renamedCodec{gobCodec{}, "gob2"}
	envelope.MustRegister[measurement](old, "lab.Measurement", envelope.UseCodec(gobCodec{}))
	envelope.MustRegister[measurement](reads, "lab.Measurement", envelope.UseCodec(gobCodec{}), envelope.ReadCodec(renamed))
	envelope.MustRegister[measurement](writes, "lab.Measurement", envelope.UseCodec(renamed), envelope.ReadCodec(gobCodec{}))
	envelope.MustRegister[measurement](plain, "lab.Measurement", envelope.ReadCodec(gobCodec{}), envelope.ReadCodec(renamed))
	sent := measurement{Unit: "m"}
	for _, v := range []any{sent, &sent} {
		for _, from := range []*envelope.Registry{old, reads, writes, plain} {
			for _, to := range []*envelope.Registry{reads, writes, plain} {
				arrived, err := to.UnmarshalAny(t.Context(), marshal(t, from, v))
				require.NoError(t, err)
				assert.Equal(t, v, arrived)
			}
		}
	}
	_, err := old.UnmarshalAny(t.Context(), marshal(t, writes, sent))
	require.ErrorIs(t, err, envelope.ErrUnknownCodec)
	requireFault(t, err, "lab.Measurement: codec gob2 of lab.Measurement is not known here")

	requireInvalid(t, registers[measurement](envelope.ReadCodec(nil)), "ReadCodec got nil")
	requireInvalid(t, registers[measurement](envelope.ReadCodec(renamedCodec{gobCodec{}, "json"})), "cannot be the name of a codec")
	requireInvalid(t, registers[measurement](envelope.UseCodec(gobCodec{}), envelope.ReadCodec(gobCodec{})), "the codec gob is given twice")
}

// renamedCodec is a codec under another name.
type renamedCodec struct {
	gobCodec
	name string
}

func (c renamedCodec) Name() string { return c.name }

func TestACodecIsAskedWhetherItCanWriteAType(t *testing.T) {
	t.Parallel()
	err := registers[measurement](envelope.ReadCodec(pickyCodec{renamedCodec{gobCodec{}, "picky"}}))
	requireInvalid(t, err, "codec picky cannot carry envelope_test.measurement: wants a number")
	assert.ErrorIs(t, err, errPicky)
	require.NoError(t, registers[shopPrice](envelope.UseCodec(pickyCodec{renamedCodec{gobCodec{}, "picky"}}), envelope.Convert(
		func(context.Context, shopPrice) (int, error) { return 0, nil },
		func(context.Context, int) (shopPrice, error) { return shopPrice{}, nil })))
}

var errPicky = errors.New("wants a number")

type pickyCodec struct{ renamedCodec }

func (pickyCodec) CheckType(t reflect.Type) error {
	if t.Kind() != reflect.Int {
		return errPicky
	}
	return nil
}
