package middlewaretest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// corrupted takes the place of what Corrupt corrupts: no Go type takes it, and none can be chosen for it.
const corrupted = `[{"$envelope":0}]`

var errNotThere = errors.New("there is nothing")

// Corrupt spoils a value in the messages of a task that wait. The path leads to it through the JSON of the message, and
// through that of envelopes in it, by the names of members and the indexes of elements:
//
//	s.Corrupt(uuid, "Args[0].Value")          // the whole envelope
//	s.Corrupt(uuid, "Args[0].Value.data.qty") // a field of the value in it
//
// An empty path cuts the message short. It fails the test where no message of the task waits, or the path leads
// nowhere.
func (s *Server) Corrupt(uuid, path string) {
	s.t.Helper()
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	found := false
	for _, p := range s.memory.waiting {
		if p.signature.UUID != uuid {
			continue
		}
		body, err := corruptMessage(p.body, path)
		if err != nil {
			s.t.Fatalf("middlewaretest: Corrupt: path %q: %v", path, err)
			return
		}
		found, p.body = true, body
	}
	if !found {
		s.t.Fatalf("middlewaretest: Corrupt: no message of task %s waits", uuid)
	}
}

func corruptMessage(body []byte, path string) ([]byte, error) {
	if path == "" {
		return body[:len(body)/2], nil
	}
	return corrupt(body, strings.Split(strings.NewReplacer("[", ".", "]", "").Replace(path), "."))
}

// corrupt returns a JSON text with another value where the path leads.
func corrupt(text []byte, path []string) ([]byte, error) {
	if len(path) == 0 {
		return []byte(corrupted), nil
	}
	var inner string
	if json.Unmarshal(text, &inner) == nil {
		changed, err := corrupt([]byte(inner), path)
		if err != nil {
			return nil, err
		}
		return json.Marshal(string(changed))
	}
	value, end, err := find(text, path[0])
	if err != nil {
		return nil, err
	}
	changed, err := corrupt(value, path[1:])
	if err != nil {
		return nil, err
	}
	return bytes.Join([][]byte{text[:end-len(value)], changed, text[end:]}, nil), nil
}

// find returns the value of a member of an object, or an element of an array, and where it ends.
func find(text []byte, name string) (value json.RawMessage, end int, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	opening, err := decoder.Token()
	if err != nil {
		return nil, 0, fmt.Errorf("%w at %s", errNotThere, name)
	}
	for i := 0; opening == json.Delim('{') || opening == json.Delim('['); i++ {
		if !decoder.More() {
			break
		}
		key := strconv.Itoa(i)
		if opening == json.Delim('{') {
			token, err := decoder.Token()
			if err != nil {
				return nil, 0, err
			}
			key, _ = token.(string)
		}
		if err := decoder.Decode(&value); err != nil {
			return nil, 0, err
		}
		if key == name {
			return value, int(decoder.InputOffset()), nil
		}
	}
	return nil, 0, fmt.Errorf("%w at %s", errNotThere, name)
}
