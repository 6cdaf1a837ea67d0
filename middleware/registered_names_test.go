package middleware_test

import (
	"fmt"
	"sync"
	"testing"

	eagerbroker "github.com/RichardKnop/machinery/v2/brokers/eager"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Machinery reads the names and hands them over in two steps, between which another task may be registered.
func TestATaskThatIsRegisteredMeanwhileStaysKnownToTheBroker(t *testing.T) {
	t.Parallel()
	server, m := install(t, eagerbroker.New())
	require.NoError(t, m.RegisterTask("first", func() error { return nil }))
	read := server.GetRegisteredTaskNames()
	require.NoError(t, server.RegisterTask("second", func() error { return nil }))
	server.GetBroker().SetRegisteredTaskNames(read)
	assert.True(t, server.GetBroker().IsTaskRegistered("first"))
	assert.True(t, server.GetBroker().IsTaskRegistered("second"))
}

func TestTasksAreRegisteredByManyAtATime(t *testing.T) {
	t.Parallel()
	server, m := install(t, eagerbroker.New())
	const registrars, each = 8, 25
	var registering sync.WaitGroup
	for i := range registrars {
		registering.Go(func() {
			for n := range each {
				assert.NoError(t, m.RegisterTask(fmt.Sprint("task-", i, "-", n), func() error { return nil }))
			}
		})
	}
	registering.Wait()
	for _, name := range server.GetRegisteredTaskNames() {
		assert.True(t, server.GetBroker().IsTaskRegistered(name), name)
	}
}
