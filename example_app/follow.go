package main

import (
	"context"
	"slices"
	"time"

	"github.com/RichardKnop/machinery/v2/backends/result"
	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

// followPause is how often the backend is asked for tours that workers elsewhere have found.
const followPause = 250 * time.Millisecond

// follow counts the tours that workers elsewhere find, until stop is called. Where results are handed out once, waiting
// for the chord takes them, and nothing is to be seen before the end.
func (j *job) follow(ctx context.Context) (stop func()) {
	if !j.transport.keepsResults() {
		return func() {}
	}
	left := slices.Clone(j.flow.group())
	waiting, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		pause := time.NewTicker(followPause)
		defer pause.Stop()
		for waiting.Err() == nil {
			left = j.look(ctx, left)
			select {
			case <-waiting.Done():
			case <-pause.C:
			}
		}
		j.look(ctx, left)
	}()
	return func() {
		cancel()
		<-ended
	}
}

// look counts what has been found of a group, and returns the signatures that are left.
func (j *job) look(ctx context.Context, group []*tasks.Signature) []*tasks.Signature {
	backend := j.server.GetBackend()
	return slices.DeleteFunc(group, func(signature *tasks.Signature) bool {
		state, err := backend.GetState(signature.UUID)
		if err != nil || !state.IsSuccess() {
			return false
		}
		found, err := middleware.Await[Found](ctx, j.m, result.NewAsyncResult(signature, backend))
		if err != nil {
			return false
		}
		j.progress.add(found)
		return true
	})
}
