package redisadapter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/go-redis/redis/v8"
)

const (
	// maxKnownMembers bounds how many members the known groups have together, but for the one that came last.
	maxKnownMembers = 200_000
	// maxKnownGroups bounds how many groups are known.
	maxKnownGroups = 10_000
	// groupTail is how many bytes at the end of a group's JSON say when the group was made: by them it is told from
	// another one under the same UUID. Whether its chord was triggered stands before them.
	groupTail = 48
)

// knownGroups are those of chords of which this process has ended members. Each member of a chord asks whether all have
// ended when it has: if each read the group and all states, a chord of a thousand members would read a million.
type knownGroups struct {
	mu      sync.Mutex
	byUUID  map[string]*knownGroup
	oldest  []*knownGroup // in the order in which they became known
	members int
}

// knownGroup is a group, and how many of its members, in the order of the group, were seen to have ended. Those that
// end in Machinery's own workers are seen like all others.
type knownGroup struct {
	uuid    string
	counted int // of its members, among those of all; with the lock of all

	mu      sync.Mutex
	tail    string
	members []string
	ended   int

	// gathering is held while the states of a group whose members have all ended are read, which gathered notes.
	gathering sync.Mutex
	gathered  bool
}

// of returns what is known of a group, which may be nothing yet.
func (k *knownGroups) of(groupUUID string) *knownGroup {
	k.mu.Lock()
	defer k.mu.Unlock()
	if g := k.byUUID[groupUUID]; g != nil {
		return g
	}
	if k.byUUID == nil {
		k.byUUID = make(map[string]*knownGroup)
	}
	g := &knownGroup{uuid: groupUUID}
	k.byUUID[groupUUID] = g
	k.oldest = append(k.oldest, g)
	return g
}

// count notes how many members a group has, unless it was forgotten meanwhile, and forgets others where that is too many.
func (k *knownGroups) count(g *knownGroup, members int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byUUID[g.uuid] != g {
		return
	}
	g.counted = members
	k.members += members
	for len(k.oldest) > 1 && (k.members > maxKnownMembers || len(k.oldest) > maxKnownGroups) {
		k.remove(k.oldest[0])
	}
}

// forget is for a group that begins anew, and a chord that has to be completed anew.
func (k *knownGroups) forget(groupUUID string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if g := k.byUUID[groupUUID]; g != nil {
		k.remove(g)
	}
}

// remove is called with mu locked.
func (k *knownGroups) remove(g *knownGroup) {
	delete(k.byUUID, g.uuid)
	k.oldest = slices.DeleteFunc(k.oldest, func(other *knownGroup) bool { return other == g })
	k.members -= g.counted
}

// rest returns at most so many of the members that were not seen to have ended, and where they begin.
func (g *knownGroup) rest(most int) (tail string, members []string, from int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	end := min(g.ended+most, len(g.members))
	return g.tail, g.members[g.ended:end], g.ended
}

// advance notes that so many of the members have ended, and reports whether all have.
func (g *knownGroup) advance(ended int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = max(g.ended, ended)
	return g.ended == len(g.members)
}

// haveEnded reports whether all members of a group have ended, from what is known of it on, and returns that.
func haveEnded(b *backend, groupUUID string, taskCount int) (g *knownGroup, all bool, err error) {
	g = b.groups.of(groupUUID)
	for most := 1; ; most = min(2*most, groupChunk) {
		tail, members, from := g.rest(most)
		if tail == "" {
			if err := learn(b, g); err != nil {
				return g, false, err
			}
			tail, members, from = g.rest(most)
		}
		if g.size() != taskCount {
			return g, false, nil
		}
		found, ended, err := look(b, groupUUID, members)
		if err != nil {
			return g, false, err
		}
		if found != tail {
			b.groups.forget(groupUUID)
			g = b.groups.of(groupUUID)
			continue
		}
		if all := g.advance(from + ended); all || ended < len(members) {
			return g, all, nil
		}
	}
}

func (g *knownGroup) size() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.members)
}

// learn reads a group.
func learn(b *backend, g *knownGroup) error {
	text, err := groupText(b, g.uuid)
	if err != nil {
		return err
	}
	group, err := decodeGroup(g.uuid, text)
	if err != nil {
		return err
	}
	g.mu.Lock()
	learned := g.tail == ""
	if learned {
		g.tail, g.members = tailOf(text), group.TaskUUIDs
	}
	g.mu.Unlock()
	if learned {
		b.groups.count(g, len(group.TaskUUIDs))
	}
	return nil
}

func tailOf(text string) string { return text[max(0, len(text)-groupTail):] }

// look returns the tail of a group, and how many of the members given, in their order, have ended before one that has
// not. The error is redis.Nil, wrapped, where the group is not kept, or the state of one that comes before.
func look(b *backend, groupUUID string, members []string) (tail string, ended int, err error) {
	var group *redis.StringCmd
	replies := make([]*redis.StringCmd, len(members))
	err = b.attempt(func(ctx context.Context) error {
		if err := b.pipelines.do(ctx, func(pipe redis.Pipeliner) {
			group = pipe.GetRange(ctx, groupUUID, -groupTail, -1)
			for i, member := range members {
				replies[i] = pipe.Get(ctx, member)
			}
		}); err != nil {
			return err
		}
		return firstError(group, replies)
	})
	switch {
	case err != nil:
		return "", 0, fmt.Errorf("states of group %s: %w", groupUUID, err)
	case group.Val() == "":
		return "", 0, fmt.Errorf("group %s: %w", groupUUID, redis.Nil)
	}
	for i, reply := range replies {
		if errors.Is(reply.Err(), redis.Nil) {
			return "", 0, missingStates(groupUUID, members, replies)
		}
		ended, err := hasEnded(members[i], reply)
		if err != nil {
			return "", 0, fmt.Errorf("group %s: %w", groupUUID, err)
		}
		if !ended {
			return group.Val(), i, nil
		}
	}
	return group.Val(), len(members), nil
}

// firstError does not count that there is no state.
func firstError(group *redis.StringCmd, states []*redis.StringCmd) error {
	if err := group.Err(); err != nil {
		return err
	}
	for _, state := range states {
		if err := state.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
	}
	return nil
}

// hasEnded reads whether a state is the last one. What json.Marshal has written needs no decoding for that.
func hasEnded(taskUUID string, reply *redis.StringCmd) (bool, error) {
	text := reply.Val()
	if _, rest, found := strings.Cut(text, `,"State":"`); found && strings.HasPrefix(text, `{"TaskUUID":"`) {
		name, _, _ := strings.Cut(rest, `"`)
		return name == tasks.StateSuccess || name == tasks.StateFailure, nil
	}
	state, err := readState(taskUUID, reply)
	return err == nil && state.IsCompleted(), err
}
