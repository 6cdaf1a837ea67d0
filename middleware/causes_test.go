package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

type declined struct {
	Code   int
	Cause  error
	Others []error
	Detail struct{ Value any }
}

func (d *declined) Error() string { return fmt.Sprint("declined: ", d.Code) }

type barred struct{ Value any }

func (b barred) Error() string { return "barred" }

type code string

func (c code) Error() string { return "code " + string(c) }

func newDecliningBank(t *testing.T) *envelope.Registry {
	r := newBank(t)
	envelope.MustRegister[declined](r, "bank.Declined")
	envelope.MustRegister[barred](r, "bank.Barred", envelope.Convert(
		func(context.Context, barred) (string, error) { return "", errors.New("nothing of it travels") },
		func(context.Context, string) (barred, error) { return barred{}, nil }))
	envelope.MustRegister[code](r, "bank.Code")
	return r
}

func TestErrorsAsArgumentsAreNotFailures(t *testing.T) {
	t.Parallel()
	server, m := openBank(t, newDecliningBank(t))
	var got []error
	require.NoError(t, m.RegisterTask("t", func(errs ...error) error {
		got = errs
		return nil
	}))
	_, err := run[struct{}](t, server, m, "t", nil, &declined{Code: 1}, code("2"), "a text")
	require.NoError(t, err)
	require.Len(t, got, 4)
	assert.True(t, got[0] == nil)
	assert.Equal(t, &declined{Code: 1}, got[1])
	assert.Equal(t, code("2"), got[2])
	assert.EqualError(t, got[3], "a text")

	err = runByHand(t, server, m, "t", tasks.Arg{Value: card("4711")})
	require.ErrorContains(t, err, "type mismatch", "it is no error")
	_, err = m.Signature(t.Context(), "t", errors.New("of a type that is not registered"))
	require.ErrorIs(t, err, envelope.ErrUnregistered)
}

func TestSeveralErrorsOfRegisteredTypesTravelInAList(t *testing.T) {
	t.Parallel()
	server, m := openBank(t, newDecliningBank(t))
	joined := errors.Join(code("a"), fmt.Errorf("b: %w, %w", &declined{Code: 2}, errors.New("c")))
	require.NoError(t, m.RegisterTask("t", func() error { return joined }))
	res, err := server.SendTask(&tasks.Signature{Name: "t"})
	require.NoError(t, err)
	_, err = middleware.Await[struct{}](t.Context(), m, res)
	require.EqualError(t, err, joined.Error())
	require.ErrorIs(t, err, code("a"))
	var second *declined
	require.ErrorAs(t, err, &second)
	assert.Equal(t, &declined{Code: 2}, second)
	assert.Equal(t, joined.Error()+"\n"+`{"$envelope":1,"type":"[]any","data":[{"$envelope":1,"type":"bank.Code","data":"a"},`+
		`{"$envelope":1,"type":"*bank.Declined","data":{"Code":2,"Cause":null,"Others":null,"Detail":{"Value":null}}}]}`,
		res.GetState().Error)
}

func TestAnErrorTravelsWithoutWhatCannot(t *testing.T) {
	t.Parallel()
	seen := &watcher{}
	server, m := openBank(t, newDecliningBank(t), middleware.WithObserver(seen))
	failure := &declined{Code: 3, Cause: errors.New("local"), Others: []error{code("x"), errors.New("local")}}
	failure.Detail.Value = stranger{"s3cret"}
	require.NoError(t, m.RegisterTask("t", func() error { return errors.Join(failure, barred{}) }))
	_, err := run[struct{}](t, server, m, "t")
	var got *declined
	require.ErrorAs(t, err, &got)
	assert.Equal(t, &declined{Code: 3, Others: []error{code("x")}}, got)
	assert.False(t, errors.As(err, new(barred)))
	assert.Len(t, failure.Others, 2, "the task's own error stays as it was")
	assert.Error(t, failure.Cause)
	var lost []string
	for _, o := range seen.failed {
		if o.Type != "" {
			lost = append(lost, o.Type)
		}
	}
	assert.Equal(t, []string{"bank.Barred"}, lost)
}
