package middleware_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkmac "github.com/tink-crypto/tink-go/v2/mac"
	"pgregory.net/rapid"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// hmacKey is a MAC out of the standard library.
type hmacKey string

func (k hmacKey) ComputeMAC(data []byte) ([]byte, error) {
	h := hmac.New(sha256.New, []byte(k))
	h.Write(data)
	return h.Sum(nil), nil
}

func (k hmacKey) VerifyMAC(mac, data []byte) error {
	if want, _ := k.ComputeMAC(data); !hmac.Equal(mac, want) {
		return errors.New("wrong")
	}
	return nil
}

var signed = signedWith()

func signedWith(opts ...middleware.SignOption) middleware.Option {
	return middleware.SignTasks(hmacKey("k1"), opts...)
}

// published returns a task as a worker receives it that was published through a server with the middleware.
func published(t require.TestingT, broker *recorder, publish func(*tasks.Signature) error, s *tasks.Signature) *tasks.Signature {
	require.NoError(t, publish(s))
	return received(t, broker.published[len(broker.published)-1])
}

// received decodes a task as Machinery's brokers do.
func received(t require.TestingT, s *tasks.Signature) *tasks.Signature {
	text, err := json.Marshal(s)
	require.NoError(t, err)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	read := new(tasks.Signature)
	require.NoError(t, decoder.Decode(read))
	return read
}

// fullSignature has something in every field, at every depth.
func fullSignature(depth int) *tasks.Signature {
	eta := time.Now().Add(time.Hour)
	s := &tasks.Signature{
		UUID: "task_1", Name: "t", RoutingKey: "queue", ETA: &eta, GroupUUID: "group_1", GroupTaskCount: 3,
		Args: []tasks.Arg{
			{Name: "first", Type: "string", Value: "text"}, {Name: "second", Type: "int64", Value: int64(7)},
			{Type: "[]int64", Value: []int64{1, 2}}, {Type: "bool", Value: true}, {Type: "[]string", Value: nil},
			{Type: "string", Value: order{"o-1", 2.5}},
		},
		Headers:  tasks.Headers{"trace": "abc", "tenant": "acme"},
		Priority: 4, Immutable: true, RetryCount: 2, RetryTimeout: 5,
		BrokerMessageGroupId: "m", SQSReceiptHandle: "r", StopTaskDeletionOnError: true, IgnoreWhenTaskNotRegistered: true,
	}
	if depth > 0 {
		s.OnSuccess = []*tasks.Signature{fullSignature(depth - 1), {UUID: "task_2", Name: "u"}}
		s.OnError = []*tasks.Signature{fullSignature(depth - 1), {UUID: "task_3", Name: "v"}}
		s.ChordCallback = fullSignature(depth - 1)
	}
	return s
}

// A tampering calls try after each change to what v holds, and undoes the change.
type tampering struct {
	path string
	try  func(path string)
}

func (p tampering) at(part string) tampering { return tampering{p.path + part, p.try} }

func (p tampering) set(v reflect.Value, what string, changed any) {
	before := reflect.New(v.Type()).Elem()
	before.Set(v)
	v.Set(reflect.ValueOf(changed).Convert(v.Type()))
	p.try(p.path + " " + what)
	v.Set(before)
}

func (p tampering) zero(v reflect.Value) {
	p.set(v, "removed", reflect.Zero(v.Type()).Interface())
}

func (p tampering) walk(t *testing.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		p.set(v, "changed", v.String()+"x")
		if v.Len() > 0 {
			p.set(v, "emptied", "")
			p.set(v, "cut", v.String()[1:])
		}
	case reflect.Int, reflect.Uint8:
		p.set(v, "changed", 99)
		p.zero(v)
	case reflect.Bool:
		p.set(v, "changed", !v.Bool())
	case reflect.Struct:
		if at, ok := v.Interface().(time.Time); ok {
			p.set(v, "later", at.Add(1))
			p.set(v, "much later", at.Add(math.MaxInt64).Add(math.MaxInt64).Add(2)) // a turn of its UnixNano
			return
		}
		for i := range v.NumField() {
			p.at("."+v.Type().Field(i).Name).walk(t, v.Field(i))
		}
	case reflect.Pointer:
		require.False(t, v.IsNil(), "%s is not filled in", p.path)
		p.set(v, "removed", reflect.Zero(v.Type()).Interface())
		p.walk(t, v.Elem())
	case reflect.Slice:
		p.walkSlice(t, v)
	case reflect.Map:
		p.walkMap(v)
	case reflect.Interface:
		p.walkValue(v)
	default:
		t.Errorf("%s is a %s: does SignTasks cover it, and this test?", p.path, v.Kind())
	}
}

func (p tampering) walkSlice(t *testing.T, v reflect.Value) {
	require.GreaterOrEqual(t, v.Len(), 2, "%s is not filled in", p.path)
	p.set(v, "cut", v.Slice(0, v.Len()-1).Interface())
	p.set(v, "duplicated", reflect.AppendSlice(v.Slice3(0, 1, 1), v).Interface())
	swapped := reflect.AppendSlice(reflect.Zero(v.Type()), v)
	reflect.Swapper(swapped.Interface())(0, 1)
	p.set(v, "swapped", swapped.Interface())
	p.set(v, "removed", reflect.Zero(v.Type()).Interface())
	for i := range v.Len() {
		if v.Index(i).Kind() == reflect.Pointer && i > 0 {
			continue // the first is filled in
		}
		p.at(fmt.Sprintf("[%d]", i)).walk(t, v.Index(i))
	}
}

func (p tampering) walkMap(v reflect.Value) {
	headers := v.Interface().(tasks.Headers)
	try := func(what string, change func(tasks.Headers)) {
		changed := tasks.Headers{}
		for key, value := range headers {
			changed[key] = value
		}
		change(changed)
		p.set(v, what, changed)
	}
	try("added", func(h tasks.Headers) { h["more"] = "x" })
	try("swapped", func(h tasks.Headers) { h["trace"], h["tenant"] = h["tenant"], h["trace"] })
	for key := range headers {
		if key == middleware.SignatureHeader {
			continue // see TestNoByteOfASignatureCanBeChanged
		}
		try(key+" changed", func(h tasks.Headers) { h[key] = "x" })
		try(key+" of another type", func(h tasks.Headers) { h[key] = true })
		try(key+" removed", func(h tasks.Headers) { delete(h, key) })
		try(key+" renamed", func(h tasks.Headers) { h[key+"x"] = h[key]; delete(h, key) })
	}
}

func (p tampering) walkValue(v reflect.Value) {
	for _, other := range []any{"other", json.Number("8"), true, false, []any{"x"}, []any{}, map[string]any{}, json.Number("1.0")} {
		if !reflect.DeepEqual(v.Interface(), other) {
			p.set(v, fmt.Sprintf("%T", other), other)
		}
	}
	if !v.IsNil() {
		before := v.Interface()
		v.SetZero()
		p.try(p.path + " null")
		v.Set(reflect.ValueOf(before))
	}
}

func TestNoFieldOfASignedTaskCanBeChanged(t *testing.T) {
	t.Parallel()
	broker := &recorder{}
	server, m := install(t, broker, signed)
	publish := func(s *tasks.Signature) error { return server.GetBroker().Publish(t.Context(), s) }
	s := published(t, broker, publish, fullSignature(2))
	require.NoError(t, m.Verify(s))
	// The transport fills it in when it delivers.
	free := func(path string) bool { return strings.Contains(path, ".SQSReceiptHandle ") }
	tried := 0
	tampering{"", func(path string) {
		tried++
		err := m.Verify(received(t, s))
		if free(path) {
			assert.NoError(t, err, path)
			return
		}
		assert.ErrorIs(t, err, middleware.ErrForged, path)
	}}.walkSignature(t, reflect.ValueOf(s).Elem(), 2)
	assert.Greater(t, tried, 500)
	require.NoError(t, m.Verify(s), "every change was undone")
}

// walkSignature leaves callbacks out at the depth at which there are none.
func (p tampering) walkSignature(t *testing.T, s reflect.Value, depth int) {
	for i := range s.NumField() {
		field := p.at("." + s.Type().Field(i).Name)
		switch callbacks := s.Field(i).Interface().(type) {
		case []*tasks.Signature:
			if depth == 0 {
				continue
			}
			field.walkCallbacks(t, s.Field(i), depth-1)
		case *tasks.Signature:
			if depth == 0 {
				continue
			}
			field.zero(s.Field(i))
			field.walkSignature(t, reflect.ValueOf(callbacks).Elem(), depth-1)
		default:
			field.walk(t, s.Field(i))
		}
	}
}

func (p tampering) walkCallbacks(t *testing.T, v reflect.Value, depth int) {
	callbacks := v.Interface().([]*tasks.Signature)
	p.set(v, "swapped", []*tasks.Signature{callbacks[1], callbacks[0]})
	p.set(v, "cut", callbacks[:1])
	p.set(v, "duplicated", []*tasks.Signature{callbacks[0], callbacks[0], callbacks[1]})
	p.set(v, "with null", []*tasks.Signature{callbacks[0], nil})
	p.zero(v)
	p.at("[0]").walkSignature(t, reflect.ValueOf(callbacks[0]).Elem(), depth)
}

func TestFieldsOfATaskCannotBeSwapped(t *testing.T) {
	t.Parallel()
	broker := &recorder{}
	server, m := install(t, broker, signed)
	publish := func(s *tasks.Signature) error { return server.GetBroker().Publish(t.Context(), s) }
	for name, swap := range map[string]func(s *tasks.Signature){
		"UUID and name":         func(s *tasks.Signature) { s.UUID, s.Name = s.Name, s.UUID },
		"count and timeout":     func(s *tasks.Signature) { s.RetryCount, s.RetryTimeout = s.RetryTimeout, s.RetryCount },
		"success and error":     func(s *tasks.Signature) { s.OnSuccess, s.OnError = s.OnError, s.OnSuccess },
		"callbacks":             func(s *tasks.Signature) { s.ChordCallback, s.OnError[0] = s.OnError[0], s.ChordCallback },
		"name and type":         func(s *tasks.Signature) { s.Args[0].Name, s.Args[0].Type = s.Args[0].Type, s.Args[0].Name },
		"a part of the name":    func(s *tasks.Signature) { s.UUID, s.Name = s.UUID+s.Name[:1], s.Name[1:] },
		"an argument and after": func(s *tasks.Signature) { s.Args[0].Value, s.Args[1].Name = "textsecond", "" },
	} {
		s := published(t, broker, publish, fullSignature(1))
		swap(s)
		assert.ErrorIs(t, m.Verify(s), middleware.ErrForged, name)
	}
}

func TestNoByteOfASignatureCanBeChanged(t *testing.T) {
	t.Parallel()
	broker := &recorder{}
	server, m := install(t, broker, signedWith(middleware.AcceptUnsigned()))
	publish := func(s *tasks.Signature) error { return server.GetBroker().Publish(t.Context(), s) }
	s := published(t, broker, publish, fullSignature(0))
	require.NoError(t, m.Verify(s))
	right := s.Headers[middleware.SignatureHeader].(string)
	for i := range len(right) {
		for bit := range 8 {
			wrong := []byte(right)
			wrong[i] ^= 1 << bit
			s.Headers[middleware.SignatureHeader] = string(wrong)
			assert.ErrorIs(t, m.Verify(s), middleware.ErrForged, "byte %d, bit %d", i, bit)
		}
		s.Headers[middleware.SignatureHeader] = right[:i]
		assert.ErrorIs(t, m.Verify(s), middleware.ErrForged, "cut to %d", i)
	}
	for _, wrong := range []any{right + "x", right + "\n", right + " ", " " + right, "", nil, true, json.Number("1"), []any{right}, right[:len(right)-1] + "\n="} {
		s.Headers[middleware.SignatureHeader] = wrong
		assert.ErrorIs(t, m.Verify(s), middleware.ErrForged, "%v", wrong)
	}
}

// jsonValue draws what Machinery carries, and what users put in arguments although it writes itself as JSON.
func drawValue(t *rapid.T) any {
	anyFloat := rapid.Float64().Filter(func(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) })
	text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		rapid.SampledFrom([]string{"", "<&>\u2028", "\xff\xfe", "\\u0000\x00"}))
	return rapid.OneOf(
		rapid.Just[any](nil), rapid.Bool().AsAny(), text.AsAny(), anyFloat.AsAny(),
		rapid.Int().AsAny(), rapid.Int8().AsAny(), rapid.Int16().AsAny(), rapid.Int32().AsAny(), rapid.Int64().AsAny(),
		rapid.Uint().AsAny(), rapid.Uint8().AsAny(), rapid.Uint16().AsAny(), rapid.Uint32().AsAny(), rapid.Uint64().AsAny(),
		rapid.Float32().Filter(func(f float32) bool { return !math.IsNaN(float64(f)) && !math.IsInf(float64(f), 0) }).AsAny(),
		rapid.SliceOf(rapid.Byte()).AsAny(), rapid.SliceOf(text).AsAny(), rapid.SliceOf(anyFloat).AsAny(),
		rapid.SliceOf(rapid.Int64()).AsAny(), rapid.SliceOf(rapid.Uint64()).AsAny(), rapid.SliceOf(rapid.Bool()).AsAny(),
		rapid.Just[any]([]string(nil)), rapid.Just[any]([]byte(nil)), rapid.Just[any]([]any(nil)), rapid.Just[any](map[string]any(nil)),
		rapid.Just[any]([]any{nil, 1, "x", []byte{1}, map[string]any{"a": 1.5}}),
		rapid.Just[any](time.Unix(1, 5)), rapid.Just[any](json.Number("1e5")), rapid.Just[any](json.Number("")), rapid.Just[any](status("open")),
		rapid.Just[any](json.RawMessage(`{"b": 1.50, "a": [1, "\u00e9", {}]}`)),
	).Draw(t, "value")
}

type status string

func drawSignature(t *rapid.T, depth int) *tasks.Signature {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "\xff", "x"}))
	s := &tasks.Signature{
		UUID: text.Draw(t, "UUID"), Name: text.Draw(t, "Name"), RoutingKey: text.Draw(t, "RoutingKey"),
		GroupUUID: text.Draw(t, "GroupUUID"), GroupTaskCount: rapid.Int().Draw(t, "GroupTaskCount"),
		Priority: rapid.Uint8().Draw(t, "Priority"), Immutable: rapid.Bool().Draw(t, "Immutable"),
		RetryCount: rapid.Int().Draw(t, "RetryCount"), RetryTimeout: rapid.Int().Draw(t, "RetryTimeout"),
		BrokerMessageGroupId: text.Draw(t, "BrokerMessageGroupId"), SQSReceiptHandle: text.Draw(t, "SQSReceiptHandle"),
		Headers: rapid.MapOfN(rapid.String(), rapid.OneOf(text.AsAny(), rapid.Bool().AsAny(), rapid.Just[any](nil)), -1, 3).Draw(t, "Headers"),
	}
	if rapid.Bool().Draw(t, "delayed") {
		zone := time.FixedZone("", 60*rapid.IntRange(-720, 720).Draw(t, "offset"))
		eta := time.Unix(rapid.Int64Range(-1e10, 2e11).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).In(zone)
		s.ETA = &eta
	}
	for range rapid.IntRange(0, 3).Draw(t, "arguments") {
		s.Args = append(s.Args, tasks.Arg{Name: text.Draw(t, "Name"), Type: text.Draw(t, "Type"), Value: drawValue(t)})
	}
	if depth == 0 {
		return s
	}
	for range rapid.IntRange(0, 2).Draw(t, "callbacks") {
		s.OnSuccess = append(s.OnSuccess, drawSignature(t, depth-1))
		s.OnError = append(s.OnError, drawSignature(t, depth-1), nil)
	}
	if rapid.Bool().Draw(t, "chord") {
		s.ChordCallback = drawSignature(t, depth-1)
	}
	return s
}

// What is signed before a task is sent is what its receivers find, however often it was marshalled in between.
func TestASignatureIsGoodAfterTheTaskWasReadBack(t *testing.T) {
	t.Parallel()
	_, m := install(t, &recorder{}, signed)
	rapid.Check(t, func(t *rapid.T) {
		s := drawSignature(t, 2)
		require.NoError(t, m.Sign(s))
		once := received(t, s)
		require.NoError(t, m.Verify(once))
		require.NoError(t, m.Verify(received(t, once)))
	})
}

// Other implementations can sign too.
func TestTheCanonicalFormIsAsSpecified(t *testing.T) {
	t.Parallel()
	eta := time.Date(2031, 2, 3, 4, 5, 6, 7, time.FixedZone("", 3600))
	s := &tasks.Signature{
		UUID: "u", Name: "n", RoutingKey: "q", ETA: &eta,
		Args:    []tasks.Arg{{Type: "[]int64", Value: []int64{1}}, {Type: "string", Value: "x"}},
		Headers: tasks.Headers{"b": "1", "a": true, middleware.AttemptsHeader: "4", middleware.SignatureHeader: "…"},
	}
	number := func(n int) string { return fmt.Sprintf("%016x", n) }
	text := func(s string) string { return number(len(s)) + fmt.Sprintf("%x", s) }
	kind := func(k rune) string { return fmt.Sprintf("%02x", k) }
	want := text("machinery-envelope task 1") + text("1 5 2031-02-03T03:05:06.000000007Z") +
		text("u") + text("n") + text("q") + text("2031-02-03T03:05:06.000000007Z") + text("") + number(0) +
		number(2) + text("") + text("[]int64") + kind('a') + number(1) + kind('d') + text("1") +
		text("") + text("string") + kind('s') + text("x") +
		number(2) + text("a") + kind('b') + "01" + text("b") + kind('s') + text("1") +
		number(0) + "00" + number(0) + number(0) + number(0) + number(0) + "00" + text("") + "00" + "00"
	assert.Equal(t, want, fmt.Sprintf("%x", middleware.CanonicalForm(s, time.Unix(5, 0))))
}

func TestAKeysetOfTinkSigns(t *testing.T) {
	t.Parallel()
	manager := keyset.NewManager()
	oldKey, err := manager.Add(tinkmac.HMACSHA256Tag256KeyTemplate())
	require.NoError(t, err)
	require.NoError(t, manager.SetPrimary(oldKey))
	macOf := func() middleware.MAC {
		handle, err := manager.Handle()
		require.NoError(t, err)
		primitive, err := tinkmac.New(handle)
		require.NoError(t, err)
		return primitive
	}
	broker := &recorder{}
	server, before := install(t, broker, middleware.SignTasks(macOf()))
	s := published(t, broker, func(s *tasks.Signature) error { return server.GetBroker().Publish(t.Context(), s) }, fullSignature(1))
	require.NoError(t, before.Verify(s))

	newKey, err := manager.Add(tinkmac.HMACSHA256Tag256KeyTemplate())
	require.NoError(t, err)
	require.NoError(t, manager.SetPrimary(newKey))
	_, rotated := install(t, &recorder{}, middleware.SignTasks(macOf()))
	assert.NoError(t, rotated.Verify(s), "signed with the old key of the keyset")

	require.NoError(t, manager.Disable(oldKey))
	_, withdrawn := install(t, &recorder{}, middleware.SignTasks(macOf()))
	assert.ErrorIs(t, withdrawn.Verify(s), middleware.ErrForged)
}

func TestTheRoutingKeyIsSignedThatTheBrokerFillsIn(t *testing.T) {
	t.Parallel()
	broker := &recorder{}
	server, m := install(t, broker, signed)
	s := published(t, broker, func(s *tasks.Signature) error { return server.GetBroker().Publish(t.Context(), s) }, &tasks.Signature{Name: "t"})
	assert.Equal(t, "recorded", s.RoutingKey)
	require.NoError(t, m.Verify(s))
}

// A header map may be shared with tasks that are being sent at the same time.
func TestTheCallersHeadersStayAsTheyAre(t *testing.T) {
	t.Parallel()
	server, _ := install(t, &recorder{}, signed)
	s := fullSignature(1)
	headers := tasks.Headers{"trace": "abc", "tenant": "acme"}
	require.NoError(t, server.GetBroker().Publish(t.Context(), s))
	assert.Equal(t, headers, s.Headers)
	assert.Equal(t, headers, s.OnSuccess[0].Headers)
}

func TestPrePublishSigns(t *testing.T) {
	t.Parallel()
	_, m := install(t, &recorder{}, signed)
	s := fullSignature(1)
	m.PrePublish(s)
	assert.NoError(t, m.Verify(received(t, s)))
}

// brokenMAC is one whose keys are out of reach.
type brokenMAC struct{ hmacKey }

func (brokenMAC) ComputeMAC([]byte) ([]byte, error) { return nil, assert.AnError }

func TestWhatCannotBeSignedIsNotPublished(t *testing.T) {
	t.Parallel()
	broker := &recorder{}
	server, m := install(t, broker, middleware.SignTasks(brokenMAC{}))
	err := server.GetBroker().Publish(t.Context(), fullSignature(0))
	assert.ErrorIs(t, err, assert.AnError)
	assert.ErrorContains(t, err, `sign task "t"`)
	s := fullSignature(0)
	m.PrePublish(s)
	_, err = json.Marshal(s)
	assert.ErrorIs(t, err, assert.AnError)
	assert.Empty(t, broker.published)

	server, _ = install(t, broker, signed)
	s = fullSignature(0)
	s.Headers["\xff"] = "x"
	assert.ErrorContains(t, server.GetBroker().Publish(t.Context(), s), "UTF-8")
	assert.Empty(t, broker.published)
}

func TestATaskIsRefusedThatIsOlderThanMaxAge(t *testing.T) {
	t.Parallel()
	_, m := install(t, &recorder{}, signedWith(middleware.WithMaxAge(time.Minute)))
	synctest.Test(t, func(t *testing.T) { refusesOldTasks(t, m) })
}

func refusesOldTasks(t *testing.T, m *middleware.Middleware) {
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	past, future := ago(30*time.Second), ago(-time.Hour)
	for _, c := range []struct {
		signedAt time.Time
		eta      *time.Time
		want     error
	}{
		{ago(time.Minute), nil, nil},
		{ago(time.Minute + time.Second), nil, middleware.ErrExpired},
		{ago(2 * time.Minute), &past, nil},
		{ago(2 * time.Minute), &future, nil},
		{past, new(time.Time), nil}, // an ETA long ago does not make it old
		{ago(-time.Hour), nil, nil}, // a clock that is fast
	} {
		s := &tasks.Signature{Name: "t", ETA: c.eta}
		require.NoError(t, m.SignAt(s, c.signedAt))
		if c.want == nil {
			assert.NoError(t, m.Verify(s))
		} else {
			assert.ErrorIs(t, m.Verify(s), c.want)
		}
	}
}

// The oldest zones have offsets with seconds, such as Amsterdam's of +00:19:32, which JSON leaves out.
func TestAnETAWithAnOddOffsetVerifies(t *testing.T) {
	t.Parallel()
	_, m := install(t, &recorder{}, signed)
	for _, offset := range []int{1172, -1172, 59, -59, 3600, 0} {
		eta := time.Now().Add(time.Hour).In(time.FixedZone("", offset))
		s := &tasks.Signature{Name: "t", ETA: &eta, OnSuccess: []*tasks.Signature{{Name: "u", ETA: &eta}}}
		require.NoError(t, m.Sign(s))
		text, err := json.Marshal(s)
		require.NoError(t, err)
		var received tasks.Signature
		require.NoError(t, json.Unmarshal(text, &received))
		assert.NoError(t, m.Verify(&received), "offset %d", offset)
	}
}

// Whoever sends a dead letter again takes away what would hold it up.
func TestASignatureStaysGoodWithoutAnETAThatHasPassed(t *testing.T) {
	t.Parallel()
	_, m := install(t, &recorder{}, signed)
	synctest.Test(t, func(t *testing.T) { staysGoodWithoutItsETA(t, m) })
}

func staysGoodWithoutItsETA(t *testing.T, m *middleware.Middleware) {
	for eta, good := range map[time.Time]bool{time.Now(): true, time.Now().Add(1): false} {
		s := &tasks.Signature{Name: "t", ETA: &eta, Headers: tasks.Headers{middleware.AttemptsHeader: "9", middleware.UnknownHeader: "9"}}
		require.NoError(t, m.Sign(s))
		require.NoError(t, m.Verify(s))
		s.ETA = nil
		middleware.ForgetAttempts(s)
		if good {
			assert.NoError(t, m.Verify(s))
		} else {
			assert.ErrorIs(t, m.Verify(s), middleware.ErrForged)
		}
		later := eta.Add(-time.Hour)
		s.ETA = &later
		assert.ErrorIs(t, m.Verify(s), middleware.ErrForged)
	}
}
