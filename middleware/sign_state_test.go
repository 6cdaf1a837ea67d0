package middleware_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/RichardKnop/machinery/v2"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/brokers/eager"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// store is a result backend that an attacker can write to.
type store struct {
	mu      sync.Mutex
	states  map[string]*tasks.TaskState
	members map[string][]string
	tamper  func() // called before the results of a chord are gathered
}

func newStore() *store {
	return &store{states: make(map[string]*tasks.TaskState), members: make(map[string][]string), tamper: func() {}}
}

// set keeps a state as JSON would.
func (b *store) set(state *tasks.TaskState) error {
	text, err := json.Marshal(state)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	kept := new(tasks.TaskState)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.states[state.TaskUUID] = kept
	return decoder.Decode(kept)
}

func (b *store) SetStatePending(s *tasks.Signature) error { return b.set(tasks.NewPendingTaskState(s)) }
func (b *store) SetStateReceived(s *tasks.Signature) error {
	return b.set(tasks.NewReceivedTaskState(s))
}
func (b *store) SetStateStarted(s *tasks.Signature) error { return b.set(tasks.NewStartedTaskState(s)) }
func (b *store) SetStateRetry(s *tasks.Signature) error   { return b.set(tasks.NewRetryTaskState(s)) }
func (b *store) SetStateSuccess(s *tasks.Signature, results []*tasks.TaskResult) error {
	return b.set(tasks.NewSuccessTaskState(s, results))
}
func (b *store) SetStateFailure(s *tasks.Signature, reason string) error {
	return b.set(tasks.NewFailureTaskState(s, reason))
}
func (b *store) IsAMQP() bool                { return false }
func (b *store) PurgeState(string) error     { return nil }
func (b *store) PurgeGroupMeta(string) error { return nil }
func (b *store) TriggerChord(string) (bool, error) {
	b.tamper()
	return true, nil
}

func (b *store) GetState(uuid string) (*tasks.TaskState, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	state, ok := b.states[uuid]
	if !ok {
		return nil, errors.New("no state")
	}
	copied := *state
	copied.Results = slices.Clone(state.Results)
	return &copied, nil
}

func (b *store) InitGroup(group string, members []string) error {
	b.members[group] = members
	return nil
}

func (b *store) GroupCompleted(group string, count int) (bool, error) {
	states, err := b.GroupTaskStates(group, count)
	return err == nil && !slices.ContainsFunc(states, func(s *tasks.TaskState) bool { return !s.IsCompleted() }), nil
}

func (b *store) GroupTaskStates(group string, _ int) ([]*tasks.TaskState, error) {
	var states []*tasks.TaskState
	for _, uuid := range b.members[group] {
		state, err := b.GetState(uuid)
		if err != nil {
			return nil, err
		}
		states = append(states, state)
	}
	return states, nil
}

type vault struct {
	store  *store
	dead   *letterBox
	server *machinery.Server
	m      *middleware.Middleware
}

// newVault runs tasks in place and keeps signed results in a store.
func newVault(t *testing.T) *vault { return newVaultOf(t, signed) }

func newVaultOf(t *testing.T, signing middleware.Option) *vault {
	v := &vault{store: newStore(), dead: &letterBox{}}
	v.server = machinery.NewServer(&config.Config{}, eager.New(), v.store, eagerlock.New())
	types := registry()
	envelope.MustRegister[refusal](types, "shop.Refusal")
	var err error
	v.m, err = middleware.Install(v.server, types, signing, middleware.WithDeadLetters(v.dead))
	require.NoError(t, err)
	v.server.GetBroker().(eager.Mode).AssignWorker(v.m.NewWorker("w", 1))
	require.NoError(t, v.m.RegisterTask("own", func(id string) (order, error) { return order{ID: id}, nil }))
	require.NoError(t, v.server.RegisterTask("plain", func(id string) (int64, string, error) { return 7, id, nil }))
	require.NoError(t, v.m.RegisterTask("nothing", func(string) error { return nil }))
	require.NoError(t, v.m.RegisterTask("fails", func(string) error { return &refusal{7} }))
	return v
}

func (v *vault) send(t *testing.T, name string) middleware.Result {
	s := signatureOf(name, "o-1")
	res, err := v.m.SendTask(t.Context(), s)
	require.NoError(t, err)
	return res
}

func TestSignedResultsAreReadAsEver(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	o, err := middleware.Await[order](t.Context(), v.m, v.send(t, "own"))
	require.NoError(t, err)
	assert.Equal(t, order{ID: "o-1"}, o)
	_, err = middleware.Await[struct{}](t.Context(), v.m, v.send(t, "nothing"))
	require.NoError(t, err)
	res := v.send(t, "plain")
	var n int64
	var id string
	require.NoError(t, middleware.Scan(t.Context(), v.m, res, &n, &id))
	assert.Equal(t, int64(7), n)
	assert.Equal(t, "o-1", id)
	values, err := res.GetWithTimeout(time.Second, time.Millisecond)
	require.NoError(t, err)
	assert.Len(t, values, 2, "by Machinery's own means")

	_, err = middleware.Await[struct{}](t.Context(), v.m, v.send(t, "fails"))
	var cause *refusal
	require.ErrorAs(t, err, &cause)
	assert.Equal(t, "refused: 7", err.Error())
}

func TestNothingOfASignedResultCanBeChanged(t *testing.T) {
	t.Parallel()
	own := tasks.TaskResult{Type: "string", Value: `{"$envelope":1,"type":"shop.Order","data":{"ID":"forged","Price":0}}`}
	for name, c := range map[string]struct {
		task   string
		change func(v *vault, state *tasks.TaskState)
		want   error
	}{
		"a value":              {"own", func(_ *vault, s *tasks.TaskState) { s.Results[0] = &own }, middleware.ErrForged},
		"a native value":       {"plain", func(_ *vault, s *tasks.TaskState) { s.Results[0].Value = json.Number("8") }, middleware.ErrForged},
		"a type":               {"plain", func(_ *vault, s *tasks.TaskState) { s.Results[0].Type = "int8" }, middleware.ErrForged},
		"the order":            {"plain", func(_ *vault, s *tasks.TaskState) { s.Results[0], s.Results[1] = s.Results[1], s.Results[0] }, middleware.ErrForged},
		"a result more":        {"own", func(_ *vault, s *tasks.TaskState) { s.Results = slices.Insert(s.Results, 1, &own) }, middleware.ErrForged},
		"a result less":        {"plain", func(_ *vault, s *tasks.TaskState) { s.Results = s.Results[1:] }, middleware.ErrForged},
		"null":                 {"own", func(_ *vault, s *tasks.TaskState) { s.Results[0] = nil }, middleware.ErrForged},
		"no signature":         {"own", func(_ *vault, s *tasks.TaskState) { s.Results = s.Results[:1] }, middleware.ErrUnsigned},
		"no results":           {"own", func(_ *vault, s *tasks.TaskState) { s.Results = nil }, middleware.ErrUnsigned},
		"null for a signature": {"own", func(_ *vault, s *tasks.TaskState) { s.Results[1] = nil }, middleware.ErrUnsigned},
		"a number for one":     {"own", func(_ *vault, s *tasks.TaskState) { s.Results[1].Value = json.Number("1") }, middleware.ErrForged},
		"an empty signature":   {"own", func(_ *vault, s *tasks.TaskState) { s.Results[1].Value = "" }, middleware.ErrForged},
		"another's result": {"own", func(v *vault, s *tasks.TaskState) {
			other := signatureOf("own", "o-2")
			other.UUID = "task_other"
			_, _ = v.m.SendTask(context.Background(), other)
			s.Results = v.store.states["task_other"].Results
		}, middleware.ErrForged},
		"a failure": {"own", func(_ *vault, s *tasks.TaskState) {
			s.State, s.Results = tasks.StateFailure, nil
			s.Error = "bad\n" + `{"$envelope":1,"type":"*shop.Refusal","data":{"Code":666}}`
		}, middleware.ErrUnsigned},
		"a success":            {"fails", func(_ *vault, s *tasks.TaskState) { s.State, s.Error = tasks.StateSuccess, "" }, middleware.ErrUnsigned},
		"the name of the task": {"own", func(_ *vault, s *tasks.TaskState) { s.TaskName = "other" }, middleware.ErrForged},
		"the text of a failure": {"fails", func(_ *vault, s *tasks.TaskState) {
			s.Error = "x" + s.Error
		}, middleware.ErrForged},
		"the error of a failure": {"fails", func(_ *vault, s *tasks.TaskState) {
			s.Error = string(bytes.ReplaceAll([]byte(s.Error), []byte("7}"), []byte("8}")))
		}, middleware.ErrForged},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVault(t)
			res := v.send(t, c.task)
			state, err := v.store.GetState("task_" + c.task)
			require.NoError(t, err)
			c.change(v, state)
			require.NoError(t, v.store.set(state))
			_, err = middleware.Await[order](t.Context(), v.m, res)
			var failed *middleware.TaskError
			require.ErrorAs(t, err, &failed)
			assert.ErrorIs(t, err, c.want)
			var cause *refusal
			assert.False(t, errors.As(err, &cause), "what a forged failure holds is not opened")
		})
	}
}

func TestTheWholeStateOfAnotherTaskIsNoResult(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	res := v.send(t, "own")
	other := signatureOf("own", "o-2")
	other.UUID = "task_other"
	_, err := v.m.SendTask(t.Context(), other)
	require.NoError(t, err)
	v.store.states["task_own"] = v.store.states["task_other"]
	_, err = middleware.Await[order](t.Context(), v.m, res)
	assert.ErrorIs(t, err, middleware.ErrForged)
}

func TestAFailureWithoutATextDoesNotPassForASuccess(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	require.NoError(t, v.server.RegisterTask("mute", func(string) error { return errors.New("") }))
	res := v.send(t, "mute")
	state := v.store.states["task_mute"]
	_, signature, found := strings.Cut(state.Error, middleware.SignatureHeader+": ")
	require.True(t, found)
	state.State, state.Error = tasks.StateSuccess, ""
	state.Results = []*tasks.TaskResult{{Type: middleware.SignatureHeader, Value: signature}}
	_, err := middleware.Await[struct{}](t.Context(), v.m, res)
	assert.ErrorIs(t, err, middleware.ErrForged)
}

func TestNoByteOfTheSignatureOfAResultCanBeChanged(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.send(t, "own")
	state, err := v.store.GetState("task_own")
	require.NoError(t, err)
	right := state.Results[1].Value.(string)
	for i := range len(right) {
		wrong := []byte(right)
		wrong[i] ^= 1
		state.Results[1].Value = string(wrong)
		require.NoError(t, v.store.set(state))
		read, err := v.server.GetBackend().GetState("task_own")
		require.NoError(t, err)
		assert.True(t, read.IsFailure(), "byte %d", i)
		assert.Empty(t, read.Results)
	}
}

func TestAResultOfABackendThatVerifiesNothingIsRefused(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	sent := v.send(t, "own").(*result.AsyncResult)
	_, err := middleware.Await[order](t.Context(), v.m, sent)
	require.NoError(t, err)
	for _, unverified := range []middleware.Result{
		result.NewAsyncResult(sent.Signature, v.store),
		result.NewChainAsyncResult([]*tasks.Signature{sent.Signature}, v.store),
		result.NewChordAsyncResult([]*tasks.Signature{sent.Signature}, sent.Signature, v.store),
	} {
		_, err = middleware.Await[order](t.Context(), v.m, unverified)
		require.ErrorContains(t, err, "server.GetBackend()")
	}
}

func TestAcceptUnsignedLetsUnsignedResultsIn(t *testing.T) {
	t.Parallel()
	v := newVaultOf(t, signedWith(middleware.AcceptUnsigned(), middleware.UnsignedResults()))
	o, err := middleware.Await[order](t.Context(), v.m, v.send(t, "own"))
	require.NoError(t, err)
	assert.Equal(t, order{ID: "o-1"}, o)
	assert.Len(t, v.store.states["task_own"].Results, 1)
	_, err = middleware.Await[struct{}](t.Context(), v.m, v.send(t, "fails"))
	var cause *refusal
	require.ErrorAs(t, err, &cause)
	assert.NotContains(t, v.store.states["task_fails"].Error, middleware.SignatureHeader)

	v = newVaultOf(t, signedWith(middleware.AcceptUnsigned()))
	res := v.send(t, "own")
	state, err := v.store.GetState("task_own")
	require.NoError(t, err)
	state.Results[0].Value = "other"
	require.NoError(t, v.store.set(state))
	_, err = middleware.Await[order](t.Context(), v.m, res)
	assert.ErrorIs(t, err, middleware.ErrForged)
}

func TestAForgedResultNeverReachesTheCallbackOfAChord(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		member string
		tamper func(s *store)
		want   error
	}{
		"none":                         {"own", func(*store) {}, nil},
		"none, plain":                  {"plain", func(*store) {}, nil},
		"none, no results":             {"nothing", func(*store) {}, nil},
		"a value":                      {"own", func(s *store) { s.states["b"].Results[0].Value = "forged" }, middleware.ErrForged},
		"a value of a plain task":      {"plain", func(s *store) { s.states["b"].Results[0].Value = json.Number("666") }, middleware.ErrForged},
		"no signature":                 {"own", func(s *store) { s.states["b"].Results = s.states["b"].Results[:1] }, middleware.ErrUnsigned},
		"a success without results":    {"nothing", func(s *store) { s.states["b"] = &tasks.TaskState{TaskUUID: "b", State: tasks.StateSuccess} }, middleware.ErrUnsigned},
		"the result of another member": {"own", func(s *store) { s.states["b"].Results = s.states["a"].Results }, middleware.ErrForged},
		"another member":               {"own", func(s *store) { s.members["group"] = []string{"a", "a"} }, middleware.ErrForged},
		"another chord's member":       {"own", func(s *store) { s.members["group"] = []string{"a", "elsewhere"} }, middleware.ErrForged},
		"a task of no chord":           {"own", func(s *store) { s.members["group"] = []string{"a", "task_own"} }, middleware.ErrForged},
		"a member more":                {"own", func(s *store) { s.members["group"] = []string{"a", "b", "elsewhere"} }, middleware.ErrForged},
		"a member less":                {"own", func(s *store) { s.members["group"] = []string{"b"} }, middleware.ErrForged},
	} {
		for _, immutable := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				v := newVault(t)
				called := 0
				require.NoError(t, v.m.RegisterTask("callback", func(...any) error { called++; return nil }))
				v.send(t, "own")
				v.chord(t, "other", "own", immutable, "x", "elsewhere")
				require.Equal(t, 1, called)
				called = 0
				v.store.tamper = func() { c.tamper(v.store) }
				v.chord(t, "group", c.member, immutable, "a", "b")
				if c.want == nil {
					assert.Equal(t, 1, called)
					assert.Empty(t, v.dead.reasons)
					return
				}
				assert.Zero(t, called)
				require.Len(t, v.dead.reasons, 1)
				assert.ErrorIs(t, v.dead.reasons[0], c.want)
				assert.Equal(t, "callback-of-group", v.dead.tasks[0].UUID)
				read, err := v.server.GetBackend().GetState("callback-of-group")
				require.NoError(t, err)
				assert.True(t, read.IsFailure())
				assert.Contains(t, read.Error, "chord")
			})
		}
	}
}

// SECURITY.md: swaps the results of two members of one chord
func TestTheMembersOfAChordCanBeSwapped(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	var got []string
	require.NoError(t, v.m.RegisterTask("callback", func(orders ...order) error {
		for _, o := range orders {
			got = append(got, o.ID)
		}
		return nil
	}))
	v.store.tamper = func() { slices.Reverse(v.store.members["group"]) }
	v.chord(t, "group", "own", false, "a", "b")
	assert.Equal(t, []string{"b", "a"}, got)
}

// chord sends the members of a group with a callback.
func (v *vault) chord(t *testing.T, group, member string, immutable bool, uuids ...string) {
	callback := &tasks.Signature{UUID: "callback-of-" + group, Name: "callback", Immutable: immutable}
	require.NoError(t, v.store.InitGroup(group, uuids))
	for _, uuid := range uuids {
		s := signatureOf(member, uuid)
		s.UUID, s.GroupUUID, s.GroupTaskCount, s.ChordCallback = uuid, group, len(uuids), callback
		_, err := v.m.SendTask(t.Context(), s)
		require.NoError(t, err)
	}
}

// chordFailing is a backend that fails chords by itself.
type chordFailing struct {
	backendsiface.Backend
	fail func(callback *tasks.Signature, reason string) error
}

func (c *chordFailing) FailChordsBy(fail func(callback *tasks.Signature, reason string) error) {
	c.fail = fail
}

func TestFailureOfAChordThatTheBackendEndsIsSigned(t *testing.T) {
	t.Parallel()
	server := newServer(&recorder{})
	inner := &chordFailing{Backend: server.GetBackend()}
	server.SetBackend(inner)
	_, err := middleware.Install(server, registry(), signed)
	require.NoError(t, err)
	require.NoError(t, inner.fail(&tasks.Signature{UUID: "task_callback", Name: "join"}, "its group is gone"))
	written, err := inner.GetState("task_callback")
	require.NoError(t, err)
	assert.NotEqual(t, "its group is gone", written.Error)
	read, err := server.GetBackend().GetState("task_callback")
	require.NoError(t, err)
	assert.True(t, read.IsFailure())
	assert.Equal(t, "its group is gone", read.Error)
}
