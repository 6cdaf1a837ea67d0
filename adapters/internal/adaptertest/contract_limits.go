package adaptertest

import (
	"errors"
	"strings"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware"
)

var limitClauses = []clause{
	{"MessageThatIsTooLongIsNeitherSentNorDecoded", messageThatIsTooLongIsNeitherSentNorDecoded},
	{"MessageThatNestsTooManyTasksIsNotDecoded", messageThatNestsTooManyTasksIsNotDecoded},
	{"WhatTheMiddlewareRefusesIsKeptByteForByte", whatTheMiddlewareRefusesIsKeptByteForByte},
}

func messageThatIsTooLongIsNeitherSentNorDecoded(t *testing.T, f *fixture) {
	const longest = 1000
	broker := f.broker(t, Options{MaxMessage: new(longest)})
	var seen Journal
	p := Start(t, broker, seen.Add)
	body := `{"Name":"add","UUID":"a","Unknown":"` + strings.Repeat("x", longest) + `"}`
	require.ErrorIs(t, broker.Publish(t.Context(), Task("add", "a", tasks.Arg{Type: "string", Value: body})), envelope.ErrLimit)
	f.Enqueue(t, f.queue(), []byte(body[:longest-2]+`"}`), []byte(body))
	letter := awaitLetters(t, f.DeadLetters(t), 1)[0]
	assert.Equal(t, body, string(letter.Body))
	assert.Contains(t, letter.Reason, envelope.ErrLimit.Error())
	assert.Contains(t, letter.Reason, "WithMaxMessage")
	seen.Await(t, "a")
	broker.StopConsuming()
	assert.Zero(t, p.Abandoned.Len())
	assert.Zero(t, f.Waiting(t, f.queue()))
	for _, none := range []int{0, -1} {
		f.refuses(t, Options{MaxMessage: new(none)}, "WithMaxMessage")
	}
}

func messageThatNestsTooManyTasksIsNotDecoded(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{})
	var seen Journal
	p := Start(t, broker, seen.Add)
	body := `{"Name":"add","UUID":"a","OnSuccess":[` + strings.Repeat(`{},`, middleware.MaxNestedTasks) + `{}]}`
	f.Enqueue(t, f.queue(), []byte(body))
	letter := awaitLetters(t, f.DeadLetters(t), 1)[0]
	broker.StopConsuming()
	assert.Equal(t, body, string(letter.Body))
	assert.Contains(t, letter.Reason, envelope.ErrLimit.Error())
	assert.Nil(t, letter.Task)
	assert.ErrorIs(t, f.DeadLetters(t).Replay(t.Context(), letter.ID), deadletter.ErrNoTask)
	assert.Zero(t, seen.Len())
	assert.Zero(t, p.Abandoned.Len())
}

func whatTheMiddlewareRefusesIsKeptByteForByte(t *testing.T, f *fixture) {
	broker := f.broker(t, Options{Backoff: atOnce})
	p := Start(t, broker, func(s *tasks.Signature) error {
		s.Args, s.Name = nil, "other"
		return &middleware.DeadLetterError{Reason: errors.Join(errors.New("task"), middleware.ErrForged)}
	})
	body := `{ "Name":"add", "UUID":"a", "Unknown":{"member":1.0}, "Args":null, "name":"add" }`
	f.Enqueue(t, f.queue(), []byte(body))
	letter := awaitLetters(t, f.DeadLetters(t), 1)[0]
	broker.StopConsuming()
	assert.Equal(t, body, string(letter.Body))
	assert.Contains(t, letter.Reason, middleware.ErrForged.Error())
	assert.Equal(t, f.queue(), letter.Queue)
	assert.Zero(t, p.Abandoned.Len(), "its state may be another task's")
	assert.Zero(t, f.Waiting(t, f.queue()))
}
