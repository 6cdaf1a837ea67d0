package redisadapter

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/go-redis/redis/v8"
)

// NewClusterClient is redis.NewClusterClient for Redis Clusters of every version. Since Redis 7 a node describes the
// cluster and its commands at more length than go-redis v8 can read: with its own cluster client every command fails
// there.
//
// It calls opts.NewClient, where that is set, for each node.
func NewClusterClient(opts *redis.ClusterOptions) *redis.ClusterClient {
	own := *opts
	newClient := own.NewClient
	if newClient == nil {
		newClient = redis.NewClient
	}
	own.NewClient = func(nodeOptions *redis.Options) *redis.Client {
		node := newClient(nodeOptions)
		node.AddHook(clusterReplies{node})
		return node
	}
	return redis.NewClusterClient(&own)
}

// clusterReplies answers the two commands that go-redis' cluster client asks nodes for its own needs.
type clusterReplies struct {
	node *redis.Client
}

// errAnswered keeps a command from being sent: AfterProcess answers it.
var errAnswered = errors.New("answered by another command")

func (clusterReplies) BeforeProcess(ctx context.Context, cmd redis.Cmder) (context.Context, error) {
	switch cmd.(type) {
	case *redis.ClusterSlotsCmd, *redis.CommandsInfoCmd:
		return ctx, errAnswered
	}
	return ctx, nil
}

func (r clusterReplies) AfterProcess(ctx context.Context, cmd redis.Cmder) error {
	switch cmd := cmd.(type) {
	case *redis.ClusterSlotsCmd:
		slots, err := r.slots(ctx)
		cmd.SetVal(slots)
		cmd.SetErr(err)
	case *redis.CommandsInfoCmd:
		commands, err := r.commands(ctx)
		cmd.SetVal(commands)
		cmd.SetErr(err)
	}
	return nil
}

func (clusterReplies) BeforeProcessPipeline(ctx context.Context, _ []redis.Cmder) (context.Context, error) {
	return ctx, nil
}

func (clusterReplies) AfterProcessPipeline(context.Context, []redis.Cmder) error { return nil }

// slots reads which nodes keep which slots, and ignores what newer versions say besides.
func (r clusterReplies) slots(ctx context.Context) ([]redis.ClusterSlot, error) {
	ranges, err := r.node.Do(ctx, "cluster", "slots").Slice()
	if err != nil {
		return nil, err
	}
	slots := make([]redis.ClusterSlot, len(ranges))
	for i := range ranges {
		description := list(ranges[i])
		if len(description) < 2 {
			return nil, fmt.Errorf("cluster slots: got %d elements, expected at least 2", len(description))
		}
		slots[i].Start, slots[i].End = integer(description[0]), integer(description[1])
		for _, node := range description[2:] {
			slots[i].Nodes = append(slots[i].Nodes, clusterNode(list(node)))
		}
	}
	return slots, nil
}

// clusterNode leaves the host empty where the node says none: go-redis then takes that of the node it asked.
func clusterNode(description []any) redis.ClusterNode {
	var node redis.ClusterNode
	if len(description) >= 2 {
		node.Addr = net.JoinHostPort(text(description[0]), fmt.Sprint(integer(description[1])))
	}
	if len(description) >= 3 {
		node.ID = text(description[2])
	}
	return node
}

// commands reads where commands have their keys, by which go-redis finds the slot.
func (r clusterReplies) commands(ctx context.Context) (map[string]*redis.CommandInfo, error) {
	descriptions, err := r.node.Do(ctx, "command").Slice()
	if err != nil {
		return nil, err
	}
	commands := make(map[string]*redis.CommandInfo, len(descriptions))
	for i := range descriptions {
		description := list(descriptions[i])
		if len(description) < 6 {
			return nil, fmt.Errorf("command: got %d elements, expected at least 6", len(description))
		}
		command := &redis.CommandInfo{
			Name:        text(description[0]),
			Arity:       int8(integer(description[1])),
			FirstKeyPos: int8(integer(description[3])),
			LastKeyPos:  int8(integer(description[4])),
			StepCount:   int8(integer(description[5])),
		}
		for _, flag := range list(description[2]) {
			command.Flags = append(command.Flags, text(flag))
			command.ReadOnly = command.ReadOnly || text(flag) == "readonly"
		}
		commands[command.Name] = command
	}
	return commands, nil
}

// These read parts of a reply; what is missing or of another kind is empty.
func list(part any) []any  { l, _ := part.([]any); return l }
func text(part any) string { s, _ := part.(string); return s }
func integer(part any) int { n, _ := part.(int64); return int(n) }
