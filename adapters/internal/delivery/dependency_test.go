package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/RichardKnop/machinery/v2"
	eagerbackend "github.com/RichardKnop/machinery/v2/backends/eager"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	eagerbroker "github.com/RichardKnop/machinery/v2/brokers/eager"
	"github.com/RichardKnop/machinery/v2/config"
	eagerlock "github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/internal/delivery"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// failing is a backend that fails in one of its methods.
type failing struct {
	backendsiface.Backend
	started, success, completed, triggered error
}

func (f failing) SetStateStarted(*tasks.Signature) error { return f.started }

func (f failing) SetStateSuccess(*tasks.Signature, []*tasks.TaskResult) error { return f.success }

func (f failing) GroupCompleted(string, int) (bool, error) { return f.completed == nil, f.completed }

func (f failing) TriggerChord(string) (bool, error) { return false, f.triggered }

// The texts are Machinery's, so its own worker makes them.
func TestFailureOfTheBackendIsTold(t *testing.T) {
	down := errors.New("dial tcp 127.0.0.1:6379: connect: connection refused")
	for name, f := range map[string]failing{
		"started": {started: down}, "success": {success: down}, "completed": {completed: down}, "triggered": {triggered: down},
	} {
		cnf := &config.Config{}
		f.Backend = eagerbackend.New()
		server := machinery.NewServer(cnf, eagerbroker.New(), f, eagerlock.New())
		require.NoError(t, server.RegisterTask("t", func(context.Context) error { return nil }))
		s := &tasks.Signature{UUID: "a", Name: "t", GroupUUID: "g", ChordCallback: &tasks.Signature{}}
		err := middleware.Process(server.NewWorker("w", 1), s)
		require.Error(t, err, name)
		require.True(t, delivery.IsBackendFailure(err), "%s: %v", name, err)
	}
}

func TestStopInAnOutageIsAFailureOfTheBackend(t *testing.T) {
	err := fmt.Errorf("%w: %w", middleware.ErrStopped, errors.New("WRONGTYPE is not what it was"))
	require.True(t, delivery.IsBackendFailure(err))
}

func TestFaultOfTheTaskIsNoFailureOfTheBackend(t *testing.T) {
	for _, err := range []error{
		nil,
		errors.New("anything else"),
		middleware.ErrPanicked,
		fmt.Errorf("Set state to 'success' for task a returned error: json: unsupported value: %v", math.NaN()),
		errors.New("Completed check for group g returned error: group g: redis: nil"),
		errors.New("Publish message error: no"),
	} {
		require.False(t, delivery.IsBackendFailure(err), "%v", err)
	}
}
