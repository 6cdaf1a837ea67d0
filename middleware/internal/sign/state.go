package sign

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// A signed result has one more element of this type, and a signed failure one more line that begins with the mark.
const (
	resultType  = Header
	failureMark = "\n" + Header + ": "
)

// Results returns the results of a task and, as the last one, the signature of its SUCCESS with these results.
func (s *Signer) Results(t *tasks.Signature, results []*tasks.TaskResult) ([]*tasks.TaskResult, error) {
	text, err := s.state(t, tasks.NewSuccessTaskState(t, results))
	if err != nil {
		return nil, err
	}
	return append(slices.Clone(results), &tasks.TaskResult{Type: resultType, Value: text}), nil
}

// Failure returns the text of a task's failure and, as the last line, the signature of its FAILURE with this text.
func (s *Signer) Failure(t *tasks.Signature, reason string) (string, error) {
	text, err := s.state(t, tasks.NewFailureTaskState(t, reason))
	if err != nil {
		return "", err
	}
	return reason + failureMark + text, nil
}

// state returns the signature of how a task has ended: the version, when the task was created, its name, its group and
// the MAC.
func (s *Signer) state(t *tasks.Signature, state *tasks.TaskState) (string, error) {
	claims := claimsOf(t).String()
	form := canonicalState(claims, state)
	defer form.free()
	mac, err := form.compute(s.MAC)
	if err != nil {
		return "", fmt.Errorf("sign result of task %s: %w", state.TaskUUID, err)
	}
	return claims + " " + mac, nil
}

// OpenState verifies how a task has ended and removes the signature. It returns ErrUnsigned or ErrForged if that is not
// genuine.
func (s *Signer) OpenState(state *tasks.TaskState) error {
	_, err := s.open(state)
	return err
}

// OpenGroup does for all states of a group what OpenState does for one. They must be of different tasks of that group,
// and as many as it has.
func (s *Signer) OpenGroup(groupUUID string, taskCount int, states []*tasks.TaskState) error {
	if len(states) != taskCount {
		return fmt.Errorf("result of the chord: %d of %d members: %w", len(states), taskCount, ErrForged)
	}
	seen := make(map[string]bool, len(states))
	for i, state := range states {
		if !state.IsCompleted() {
			continue // the worker will not call back
		}
		claims, err := s.open(state)
		if err == nil && (seen[state.TaskUUID] || claims.signed && claims.groupUUID != groupUUID) {
			err = ErrForged
		}
		if err != nil {
			return fmt.Errorf("result of member %d of the chord: %w", i+1, err)
		}
		seen[state.TaskUUID] = true
	}
	return nil
}

// stateClaims are what the signature of a state says beside the MAC, which covers them. Some backends leave the name
// and the time of creation out of a state, and others take them over from one that is not signed.
type stateClaims struct {
	signed    bool
	created   string // as in CreatedHeader; empty where the task has none
	name      string
	groupUUID string
}

func claimsOf(t *tasks.Signature) stateClaims {
	created, _ := t.Headers[CreatedHeader].(string)
	if _, err := time.Parse(time.RFC3339Nano, created); err != nil {
		created = ""
	}
	return stateClaims{true, created, t.Name, t.GroupUUID}
}

// String returns the claims as they stand in the signature.
func (c stateClaims) String() string {
	created := c.created
	if created == "" {
		created = "-"
	}
	return stateVersion + " " + created + " " + url.PathEscape(c.name) + " " + c.groupUUID
}

func parseStateClaims(text string) (stateClaims, error) {
	parts := strings.SplitN(text, " ", 4)
	if len(parts) != 4 || parts[0] != stateVersion {
		return stateClaims{}, ErrForged
	}
	name, err := url.PathUnescape(parts[2])
	if err != nil {
		return stateClaims{}, ErrForged
	}
	if parts[1] == "-" {
		parts[1] = ""
	}
	return stateClaims{true, parts[1], name, parts[3]}, nil
}

// complete gives a state what its claims, which are genuine, say about it. It returns ErrForged for a state that says
// otherwise.
func (c stateClaims) complete(state *tasks.TaskState) error {
	if state.TaskName != "" && state.TaskName != c.name {
		return ErrForged
	}
	state.TaskName, state.CreatedAt = c.name, time.Time{}
	if c.created == "" {
		return nil
	}
	created, err := time.Parse(time.RFC3339Nano, c.created)
	if err != nil {
		return ErrForged
	}
	state.CreatedAt = created
	return nil
}

func (s *Signer) open(state *tasks.TaskState) (stateClaims, error) {
	text, signed := cutSignature(state)
	if !signed && s.AcceptUnsigned {
		return stateClaims{}, nil
	}
	if !signed {
		return stateClaims{}, ErrUnsigned
	}
	at := max(strings.LastIndexByte(text, ' '), 0)
	mac := strings.TrimPrefix(text[at:], " ")
	claims, err := parseStateClaims(text[:at])
	if err != nil {
		return stateClaims{}, err
	}
	form := canonicalState(text[:at], state)
	defer form.free()
	if err := form.verify(s.MAC, mac); err != nil {
		return stateClaims{}, err
	}
	return claims, claims.complete(state)
}

func canonicalState(claims string, state *tasks.TaskState) *canonicalForm {
	form := newCanonicalForm(stateKind)
	form.text(claims)
	form.text(state.TaskUUID)
	form.text(state.State)
	form.text(state.Error)
	form.number(len(state.Results))
	for _, result := range state.Results {
		form.flag(result != nil)
		if result == nil {
			continue
		}
		form.text(result.Type)
		form.value(result.Value)
	}
	return form
}

// cutSignature removes the signature from the results or the error of a state.
func cutSignature(state *tasks.TaskState) (text string, found bool) {
	if state.IsFailure() {
		at := strings.LastIndex(state.Error, failureMark)
		if at < 0 {
			return "", false
		}
		text = state.Error[at+len(failureMark):]
		state.Error = state.Error[:at]
		return text, true
	}
	last := len(state.Results) - 1
	if last < 0 || state.Results[last] == nil || state.Results[last].Type != resultType {
		return "", false
	}
	text, _ = state.Results[last].Value.(string)
	state.Results = state.Results[:last]
	return text, true
}
