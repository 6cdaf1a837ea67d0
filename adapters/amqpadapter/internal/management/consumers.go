package management

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// A Consumer takes messages from a queue.
type Consumer struct {
	Queue string
	Tag   string
	// Channel tells channels of the virtual host apart; empty where it is not known.
	Channel string
	// Peer is the address of the host, without a port; empty where it is not known.
	Peer      string
	Arguments Arguments
}

// Arguments are those with which a consumer was declared.
type Arguments struct{ members object }

// Text returns a string; empty where there is none.
func (a Arguments) Text(name string) string { return a.members.text(name) }

// Count returns a number from 0 on; 0 where there is none.
func (a Arguments) Count(name string) int { return max(a.members.count(name).value(), 0) }

// Time returns a timestamp; zero where there is none.
func (a Arguments) Time(name string) time.Time { return a.members.count(name).time() }

// Consumers returns the consumers of the virtual host.
func (c *Client) Consumers(ctx context.Context) ([]Consumer, error) {
	answer, err := c.get(ctx, "", "consumers", c.virtualHost)
	if err != nil {
		return nil, fmt.Errorf("consumers: %w", err)
	}
	consumers, err := parseConsumers(answer)
	if err != nil {
		return nil, fmt.Errorf("consumers: %w", err)
	}
	return consumers, nil
}

func parseConsumers(answer []byte) ([]Consumer, error) {
	var found []struct {
		Tag       text   `json:"consumer_tag"`
		Queue     object `json:"queue"`
		Channel   object `json:"channel_details"`
		Arguments object `json:"arguments"`
	}
	if err := parse(answer, &found); err != nil {
		return nil, err
	}
	var consumers []Consumer
	for _, f := range found {
		queue := f.Queue.text("name")
		if queue == "" {
			continue
		}
		c := Consumer{Queue: queue, Tag: string(f.Tag), Peer: f.Channel.text("peer_host"), Arguments: Arguments{f.Arguments}}
		if peer := f.Channel.count("peer_port"); peer.known != nil {
			c.Channel = c.Peer + ":" + strconv.Itoa(peer.value()) + "#" + strconv.Itoa(f.Channel.count("number").value())
		}
		consumers = append(consumers, c)
	}
	return consumers, nil
}
