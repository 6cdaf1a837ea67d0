//lint:file-ignore U1000 The fields of the look-alikes are looked at by reflection alone.

package middleware_test

import (
	"reflect"
	"testing"
	"time"

	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// These look like Machinery's results, with a field that is missing or of another type.
type (
	noBackend struct {
		Signature *tasks.Signature
		taskState *tasks.TaskState
	}
	noState struct {
		Signature *tasks.Signature
		backend   backendsiface.Backend
	}
	valueState struct {
		Signature *tasks.Signature
		taskState tasks.TaskState
		backend   backendsiface.Backend
	}
	anyBackend struct {
		Signature *tasks.Signature
		taskState *tasks.TaskState
		backend   any
	}
	hiddenSignature struct {
		signature *tasks.Signature
		taskState *tasks.TaskState
		backend   backendsiface.Backend
	}
	noSteps     struct{ backend backendsiface.Backend }
	renamedStep struct {
		results []*result.AsyncResult
		backend backendsiface.Backend
	}
	valueMembers struct {
		groupAsyncResults []result.AsyncResult
		chordAsyncResult  *result.AsyncResult
		backend           backendsiface.Backend
	}
	noCallback struct {
		groupAsyncResults []*result.AsyncResult
		backend           backendsiface.Backend
	}
)

func TestAMachineryWhoseResultsHaveOtherFieldsIsAnError(t *testing.T) {
	t.Parallel()
	task, chain, chord := reflect.TypeFor[result.AsyncResult](), reflect.TypeFor[result.ChainAsyncResult](), reflect.TypeFor[result.ChordAsyncResult]()
	require.NoError(t, middleware.CheckFields(task, chain, chord))
	for _, lookAlike := range []any{noBackend{}, noState{}, valueState{}, anyBackend{}, hiddenSignature{}} {
		assert.ErrorIs(t, middleware.CheckFields(reflect.TypeOf(lookAlike), chain, chord), middleware.ErrMachinery, "%T", lookAlike)
	}
	for _, lookAlike := range []any{noSteps{}, renamedStep{}} {
		assert.ErrorIs(t, middleware.CheckFields(task, reflect.TypeOf(lookAlike), chord), middleware.ErrMachinery, "%T", lookAlike)
	}
	for _, lookAlike := range []any{valueMembers{}, noCallback{}} {
		err := middleware.CheckFields(task, chain, reflect.TypeOf(lookAlike))
		assert.ErrorIs(t, err, middleware.ErrMachinery, "%T", lookAlike)
		assert.ErrorContains(t, err, reflect.TypeOf(lookAlike).String())
	}
}

// own is a result that nobody can look into.
type own struct{ res middleware.Result }

func (o own) GetWithTimeout(timeout, sleep time.Duration) ([]reflect.Value, error) {
	return o.res.GetWithTimeout(timeout, sleep)
}

type embedding struct{ *result.AsyncResult }

func TestAResultThatNobodyCanLookIntoIsNotVerified(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	sent := v.send(t, "own").(*result.AsyncResult)
	_, err := middleware.Await[order](t.Context(), v.m, own{sent})
	assert.ErrorContains(t, err, "server.GetBackend()")
	for _, wrapper := range []middleware.Result{embedding{sent}, &embedding{sent}} {
		_, err = middleware.Await[order](t.Context(), v.m, wrapper)
		assert.NoError(t, err)
	}
	_, err = middleware.Await[order](t.Context(), v.m, embedding{result.NewAsyncResult(sent.Signature, v.store)})
	assert.ErrorContains(t, err, "server.GetBackend()")
}
