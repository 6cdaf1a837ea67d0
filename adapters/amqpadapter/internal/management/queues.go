package management

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// Unknown is a count that the API does not tell: statistics of a queue come seconds after it.
const Unknown = -1

// A Queue is a queue as the API knows it.
type Queue struct {
	Name    string
	Unacked int // handed out and not acknowledged, or Unknown
	// Oldest is the timestamp of the message at the head; zero where there is none, or RabbitMQ does not say.
	Oldest time.Time
}

// queueColumns are all that is asked for: RabbitMQ has about 2 KB more to say of each queue.
var queueColumns = url.Values{"columns": {"name,messages_unacknowledged,head_message_timestamp"}}.Encode()

// Queues returns the queues of the virtual host, by name.
func (c *Client) Queues(ctx context.Context) (map[string]Queue, error) {
	answer, err := c.get(ctx, queueColumns, "queues", c.virtualHost)
	if err != nil {
		return nil, fmt.Errorf("queues: %w", err)
	}
	queues, err := parseQueues(answer)
	if err != nil {
		return nil, fmt.Errorf("queues: %w", err)
	}
	return queues, nil
}

func parseQueues(answer []byte) (map[string]Queue, error) {
	var found []struct {
		Name    text  `json:"name"`
		Unacked count `json:"messages_unacknowledged"`
		Head    count `json:"head_message_timestamp"`
	}
	if err := parse(answer, &found); err != nil {
		return nil, err
	}
	queues := make(map[string]Queue, len(found))
	for _, q := range found {
		if q.Name == "" {
			continue
		}
		queues[string(q.Name)] = Queue{Name: string(q.Name), Unacked: q.Unacked.value(), Oldest: q.Head.time()}
	}
	return queues, nil
}

// BoundTo returns the names of the queues that are bound to an exchange, each once; none where there is no such
// exchange.
func (c *Client) BoundTo(ctx context.Context, exchange string) ([]string, error) {
	answer, err := c.get(ctx, "", "exchanges", c.virtualHost, exchange, "bindings", "source")
	if errors.Is(err, errMissing) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("bindings: %w", err)
	}
	queues, err := parseBindings(answer)
	if err != nil {
		return nil, fmt.Errorf("bindings: %w", err)
	}
	return queues, nil
}

func parseBindings(answer []byte) ([]string, error) {
	var found []struct {
		Destination text `json:"destination"`
		Kind        text `json:"destination_type"`
	}
	if err := parse(answer, &found); err != nil {
		return nil, err
	}
	var queues []string
	seen := make(map[text]bool)
	for _, b := range found {
		if b.Kind == "queue" && b.Destination != "" && !seen[b.Destination] {
			seen[b.Destination] = true
			queues = append(queues, string(b.Destination))
		}
	}
	return queues, nil
}

// parse reads a list. Errors of encoding/json, which may quote values, are left out.
func parse[T any](answer []byte, list *[]T) error {
	if err := json.Unmarshal(answer, list); err != nil {
		return fmt.Errorf("%w: it is not the JSON list of one", ErrAnswer)
	}
	return nil
}
