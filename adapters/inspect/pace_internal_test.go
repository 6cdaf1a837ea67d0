package inspect

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

type countingSource struct {
	Source
	commands int64
}

func (s *countingSource) Commands() int64 { return s.commands }

func TestSourceIsLeftAloneByWhatItCosts(t *testing.T) {
	source := &countingSource{commands: 1000}
	p := paceOf(source)
	source.commands += 20
	assert.Equal(t, 6*time.Second, p.rest(2))
	source.commands += 10
	assert.Equal(t, 3*time.Second, p.rest(2))
	assert.Zero(t, p.rest(2))
	source.commands += 1e6
	assert.Equal(t, longestRest, p.rest(2))
}

func TestSourceThatDoesNotCountIsLeftAloneByQuestions(t *testing.T) {
	p := paceOf(struct{ Source }{})
	assert.Equal(t, 2*time.Second, p.rest(4))
	assert.Equal(t, longestRest, p.rest(1000))
}
