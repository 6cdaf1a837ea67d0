package protocodec_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/protocodec"
)

func newRegistry(t *testing.T) *envelope.Registry {
	r := envelope.NewRegistry()
	require.NoError(t, envelope.Register[structpb.Struct](r, "pb.Struct", envelope.UseCodec(protocodec.Codec{})))
	require.NoError(t, envelope.Register[timestamppb.Timestamp](r, "pb.Timestamp", envelope.UseCodec(protocodec.Codec{})))
	return r
}

func TestMessagesTravelAsProtocolBuffers(t *testing.T) {
	r := newRegistry(t)
	sent, err := structpb.NewStruct(map[string]any{"id": "o-1", "qty": 3.0, "lines": []any{"a", nil, true}})
	require.NoError(t, err)
	text, err := r.Marshal(context.Background(), sent)
	require.NoError(t, err)

	parsed, err := envelope.Parse(text)
	require.NoError(t, err)
	assert.Equal(t, "protobuf", parsed.Codec)
	assert.Equal(t, "*pb.Struct", parsed.Type)

	arrived, err := r.UnmarshalAny(context.Background(), text)
	require.NoError(t, err)
	assert.True(t, proto.Equal(sent, arrived.(*structpb.Struct)))
}

func TestAnyMessageArrivesAsItWasSent(t *testing.T) {
	r := newRegistry(t)
	rapid.Check(t, func(t *rapid.T) {
		sent := &timestamppb.Timestamp{Seconds: rapid.Int64().Draw(t, "seconds"), Nanos: rapid.Int32().Draw(t, "nanos")}
		text, err := r.Marshal(context.Background(), sent)
		require.NoError(t, err)
		var arrived *timestamppb.Timestamp
		require.NoError(t, r.Unmarshal(context.Background(), text, &arrived))
		assert.True(t, proto.Equal(sent, arrived))
	})
}

func TestMessagesTravelInsideStructs(t *testing.T) {
	type visit struct {
		At   *timestamppb.Timestamp
		Next *timestamppb.Timestamp
	}
	r := newRegistry(t)
	require.NoError(t, envelope.Register[visit](r, "clinic.Visit"))
	sent := visit{At: timestamppb.New(time.Unix(1700000000, 5))}
	text, err := r.Marshal(context.Background(), &sent)
	require.NoError(t, err)

	var arrived visit
	require.NoError(t, r.Unmarshal(context.Background(), text, &arrived))
	assert.True(t, proto.Equal(sent.At, arrived.At))
	assert.Nil(t, arrived.Next)
}

func TestOtherTypesAreRefused(t *testing.T) {
	type plain struct{ ID string }
	r := envelope.NewRegistry()
	err := envelope.Register[plain](r, "plain", envelope.UseCodec(protocodec.Codec{}))
	require.ErrorIs(t, err, protocodec.ErrNotMessage)
	require.ErrorIs(t, err, envelope.ErrRegistration)
	require.ErrorContains(t, err, "protocodec_test.plain: not a Protocol Buffers message: leave out envelope.UseCodec(protocodec.Codec{})")

	_, err = protocodec.Codec{}.Marshal(&plain{})
	require.ErrorIs(t, err, protocodec.ErrNotMessage)
	require.ErrorIs(t, protocodec.Codec{}.Unmarshal(nil, &plain{}), protocodec.ErrNotMessage)
}
