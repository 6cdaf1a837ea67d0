package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// batching is a recorder that is given many tasks at once, and refuses the task "refused".
type batching struct {
	recorder
	batches int
}

var errRefused = errors.New("no room")

func (b *batching) PublishMany(ctx context.Context, signatures []*tasks.Signature) []error {
	b.batches++
	errs := make([]error, len(signatures))
	for i, s := range signatures {
		if s.Name == "refused" {
			errs[i] = errRefused
			continue
		}
		errs[i] = b.Publish(ctx, s)
	}
	return errs
}

func groupOf(t *testing.T, names ...string) *tasks.Group {
	t.Helper()
	var members []*tasks.Signature
	for i, name := range names {
		members = append(members, &tasks.Signature{Name: name, Args: []tasks.Arg{{Value: order{ID: fmt.Sprint(i)}}}})
	}
	group, err := tasks.NewGroup(members...)
	require.NoError(t, err)
	return group
}

func TestMembersOfAGroupAreSentAtOnceAndInOrder(t *testing.T) {
	t.Parallel()
	names := make([]string, 100)
	for i := range names {
		names[i] = "t"
	}
	for _, concurrency := range []int{0, 1, 7} {
		broker := &batching{}
		_, m := install(t, broker)
		results, err := m.SendGroup(t.Context(), groupOf(t, names...), concurrency)
		require.NoError(t, err)
		require.Equal(t, 1, broker.batches)
		require.Len(t, broker.published, len(names))
		for i, s := range broker.published {
			want := fmt.Sprintf(`{"$envelope":1,"type":"shop.Order","data":{"ID":"%d","Price":0}}`, i)
			require.Equal(t, want, s.Args[0].Value)
			require.Equal(t, s.UUID, results[i].Signature.UUID)
		}
	}
}

func TestMembersOfAChordAreSentAtOnce(t *testing.T) {
	t.Parallel()
	broker := &batching{}
	_, m := install(t, broker)
	chord, err := tasks.NewChord(groupOf(t, "t", "t", "t"), &tasks.Signature{Name: "callback"})
	require.NoError(t, err)
	_, err = m.SendChord(t.Context(), chord, 1)
	require.NoError(t, err)
	require.Equal(t, 1, broker.batches)
	require.Len(t, broker.published, 3)
}

func TestMemberThatTheBrokerRefusesKeepsNoOtherFromBeingSent(t *testing.T) {
	t.Parallel()
	broker := &batching{}
	_, m := install(t, broker)
	_, err := m.SendGroup(t.Context(), groupOf(t, "t", "refused", "t"), 0)
	require.ErrorContains(t, err, errRefused.Error())
	require.Len(t, broker.published, 2)
}

// held is a broker that keeps members back from the middleware's.
type held struct{ decorated }

func (h held) Publish(ctx context.Context, s *tasks.Signature) error {
	if s.Name == "held" {
		return nil
	}
	return h.decorated.Publish(ctx, s)
}

func TestMembersAreSentOneByOneWhereTheServersBrokerIsAnother(t *testing.T) {
	t.Parallel()
	broker := &batching{}
	server, m := install(t, broker)
	server.SetBroker(held{decorated{server.GetBroker()}})
	_, err := m.SendGroup(t.Context(), groupOf(t, "t", "held", "t"), 0)
	require.NoError(t, err)
	require.Zero(t, broker.batches)
	require.Len(t, broker.published, 2)
}

// A task that is no member, and sent with the context of a group, waits for nobody.
func TestContextOfAGroupIsThatOfItsMembersOnly(t *testing.T) {
	t.Parallel()
	broker := &following{}
	server, m := install(t, broker)
	broker.follow = func(ctx context.Context) error {
		return server.GetBroker().Publish(ctx, &tasks.Signature{Name: "other"})
	}
	_, err := m.SendGroup(t.Context(), groupOf(t, "t", "t"), 0)
	require.NoError(t, err)
	require.Len(t, broker.published, 3)
}

// following sends another task with each batch.
type following struct {
	batching
	follow func(context.Context) error
}

func (f *following) PublishMany(ctx context.Context, signatures []*tasks.Signature) []error {
	if err := f.follow(ctx); err != nil {
		return []error{err}
	}
	return f.batching.PublishMany(ctx, signatures)
}

var _ middleware.ManyPublisher = (*batching)(nil)
