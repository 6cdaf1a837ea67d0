package delivery

import (
	"bytes"
	"encoding/json"
)

// maxLevels is how deep encoding/json lets values nest.
const maxLevels = 10_000

// parts are what the text of a task consists of, as far as it costs memory of its own.
type parts struct {
	tasks  int // nested in the task
	others int // arguments, objects and arrays
}

// separators returns at least as many as there are parts: before each of them stands one.
func separators(text []byte) int {
	return bytes.Count(text, []byte{','}) + bytes.Count(text, []byte{'{'}) + bytes.Count(text, []byte{'['})
}

// A place is where a value stands in the text of a task: what encoding/json will make of it.
type place byte

const (
	anywhere place = iota
	aTask
	taskList
	anArgument
	argumentList
)

// A level is an object or array that has begun and not ended.
type level struct {
	place   place
	isArray bool
}

// A scanner goes once through the text of a task. It takes any text; of one that is not JSON, which
// encoding/json refuses before it allocates, what it counts means nothing.
type scanner struct {
	text    []byte
	at      int
	levels  []level
	next    place // of the next value
	key     bool  // a key comes before it
	counted parts
}

func countParts(text []byte) parts {
	s := scanner{text: text, next: aTask, counted: parts{tasks: -1}} // the outermost task is not nested
	for s.step() {
	}
	return s.counted
}

// step goes on by one token, and reports whether there may be more.
func (s *scanner) step() bool {
	if s.at >= len(s.text) {
		return false
	}
	switch c := s.text[s.at]; {
	case c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ':':
		s.at++
	case c == ',':
		s.at++
		s.expect()
	case c == '}' || c == ']':
		s.at++
		return s.leave()
	case c == '"' && s.key:
		s.next, s.key = s.placeOf(s.takeString()), false
	default:
		return s.value(c)
	}
	return true
}

// value takes a value, or the beginning of an object or array.
func (s *scanner) value(first byte) bool {
	if s.next == aTask {
		s.counted.tasks++
	}
	if s.next == anArgument || s.next == anywhere && (first == '{' || first == '[') {
		s.counted.others++
	}
	switch first {
	case '{', '[':
		s.at++
		s.levels = append(s.levels, level{s.next, first == '['})
		s.expect()
	case '"':
		s.takeString()
	default:
		s.takeLiteral()
	}
	return len(s.levels) > 0 && len(s.levels) <= maxLevels
}

// expect sets what comes next at the current level.
func (s *scanner) expect() {
	if len(s.levels) == 0 {
		return
	}
	switch l := s.levels[len(s.levels)-1]; {
	case !l.isArray:
		s.key = true
	case l.place == taskList:
		s.next = aTask
	case l.place == argumentList:
		s.next = anArgument
	default:
		s.next = anywhere
	}
}

func (s *scanner) leave() bool {
	s.key = false
	if len(s.levels) > 0 {
		s.levels = s.levels[:len(s.levels)-1]
	}
	return len(s.levels) > 0
}

// placeOf returns what stands under a key of the current object. encoding/json takes keys in upper and lower case.
func (s *scanner) placeOf(key []byte) place {
	if s.levels[len(s.levels)-1].place != aTask {
		return anywhere
	}
	if bytes.IndexByte(key, '\\') >= 0 {
		key = unescaped(key)
	}
	switch {
	case bytes.EqualFold(key, []byte("Args")):
		return argumentList
	case bytes.EqualFold(key, []byte("OnSuccess")), bytes.EqualFold(key, []byte("OnError")):
		return taskList
	case bytes.EqualFold(key, []byte("ChordCallback")):
		return aTask
	default:
		return anywhere
	}
}

func unescaped(key []byte) []byte {
	var text string
	if json.Unmarshal([]byte(`"`+string(key)+`"`), &text) != nil {
		return nil
	}
	return []byte(text)
}

// takeString takes a string and returns what is between its quotes.
func (s *scanner) takeString() []byte {
	s.at++
	for begin := s.at; ; {
		quote := bytes.IndexByte(s.text[s.at:], '"')
		if quote < 0 {
			s.at = len(s.text)
			return s.text[begin:]
		}
		end := s.at + quote
		s.at = end + 1
		if !isEscaped(s.text[begin:end]) {
			return s.text[begin:end]
		}
	}
}

// isEscaped reports whether the byte after a text is escaped: an odd number of backslashes stands before it.
func isEscaped(before []byte) bool {
	return (len(before)-len(bytes.TrimRight(before, `\`)))%2 == 1
}

// takeLiteral takes a number, true, false or null.
func (s *scanner) takeLiteral() {
	for s.at++; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case ',', '}', ']', ' ', '\t', '\r', '\n':
			return
		}
	}
}
