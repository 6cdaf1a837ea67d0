package redisadapter

import (
	"encoding/json"
	"strings"
)

// messageHead is what the beginning of a message says of its task. Machinery writes these members first.
type messageHead struct{ UUID, Name, RoutingKey string }

// readHead reads the members of a JSON object as far as the text goes, those of messageHead at any place in it.
func readHead(beginning string) messageHead {
	var head messageHead
	decoder := json.NewDecoder(strings.NewReader(beginning))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return head
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil || head.readMember(decoder, name) != nil {
			break
		}
	}
	return head
}

func (h *messageHead) readMember(decoder *json.Decoder, name json.Token) error {
	switch name {
	case "UUID":
		return decoder.Decode(&h.UUID)
	case "Name":
		return decoder.Decode(&h.Name)
	case "RoutingKey":
		return decoder.Decode(&h.RoutingKey)
	}
	var skipped json.RawMessage
	return decoder.Decode(&skipped)
}
