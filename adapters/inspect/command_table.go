package inspect

import (
	"context"
	"flag"
	"time"
)

// subcommand is one of the things that the command does.
type subcommand struct {
	name      string
	arguments string // as usage has them
	summary   string
	flags     []string
	needs     need
	least     int // arguments
	most      int
	run       func(*invocation, context.Context) error
}

// need is what a subcommand cannot do without.
type need int

const (
	nothing need = iota
	aSource
	aQueue // and a source
)

// many stands for any number of arguments.
const many = 1 << 20

// subcommands returns all, in the order of usage.
func subcommands() []*subcommand {
	lists := []string{"json", "source", "queue", "filter", "limit", "cursor"}
	bulk := []string{"json", "source", "queue", "filter", "yes", "dry-run"}
	return []*subcommand{
		{"queues", "", "how much is in each queue", []string{"json", "source"}, aSource, 0, 0, (*invocation).queues},
		{"tasks", "", "the tasks of a queue in one state", append(lists, "state"), aQueue, 0, 0, (*invocation).tasks},
		{"task", "UUID", "one task, wherever it is, and its result", []string{"json", "source"}, aSource, 1, 1, (*invocation).task},
		{"group", "UUID", "the members of a group or chord", []string{"json", "source", "limit", "cursor"}, aSource, 1, 1, (*invocation).group},
		{"workers", "", "who takes tasks, and what they run", []string{"json", "source"}, aSource, 0, 0, (*invocation).workers},
		{"dead", "[ID]", "the dead letters of a queue, or one of them", lists, aQueue, 0, 1, (*invocation).dead},
		{"replay", "[ID…]", "sends dead letters again: those named, or those that a filter chooses", bulk, aQueue, 0, many, (*invocation).replay},
		{"drop", "[ID…]", "removes dead letters: those named, or those that a filter chooses", bulk, aQueue, 0, many, (*invocation).drop},
		{"delete", "[UUID…]", "removes tasks: those named, or those of a queue that a filter chooses", append(bulk, "state"), aSource, 0, many, (*invocation).delete},
		{"run", "[UUID…]", "runs delayed tasks now: those named, or those of a queue that a filter chooses", bulk, aSource, 0, many, (*invocation).runNow},
		{"pause", "", "keeps workers from taking tasks of a queue", []string{"source", "queue"}, aQueue, 0, 0, (*invocation).pause},
		{"resume", "", "ends pause", []string{"source", "queue"}, aQueue, 0, 0, (*invocation).resume},
		{"watch", "", "redraws queues and workers until it is interrupted", []string{"source", "interval"}, aSource, 0, 0, (*invocation).watch},
		{"serve", "", "serves the page until it is interrupted", []string{"source", "listen", "read-only"}, aSource, 0, 0, (*invocation).serve},
		{"completion", "bash|zsh|fish", "writes what has a shell complete this command", nil, nothing, 1, 1, (*invocation).completion},
	}
}

// flagValues are what flags say.
type flagValues struct {
	json, yes, dryRun, readOnly          bool
	source, queue, state, filter, cursor string
	limit                                int
	interval                             time.Duration
	listen                               string
}

// commandFlag is a flag of subcommands.
type commandFlag struct {
	name, value, summary string
	add                  func(*flag.FlagSet, *flagValues)
}

// commandFlags are all, in the order of usage.
var commandFlags = []commandFlag{
	{"queue", "name", "which queue", func(f *flag.FlagSet, v *flagValues) { f.StringVar(&v.queue, "queue", "", "") }},
	{"state", "state", "waiting, running, put-back or delayed (waiting)", func(f *flag.FlagSet, v *flagValues) {
		f.StringVar(&v.state, "state", string(Waiting), "")
	}},
	{"filter", "filter", "only those that it chooses, such as 'order.customer.id = 42 and age > 2h'", func(f *flag.FlagSet, v *flagValues) {
		f.StringVar(&v.filter, "filter", "", "")
	}},
	{"limit", "n", "at most so many (50)", func(f *flag.FlagSet, v *flagValues) { f.IntVar(&v.limit, "limit", DefaultLimit, "") }},
	{"cursor", "cursor", "goes on where a list before has ended", func(f *flag.FlagSet, v *flagValues) { f.StringVar(&v.cursor, "cursor", "", "") }},
	{"yes", "", "acts without asking", func(f *flag.FlagSet, v *flagValues) { f.BoolVar(&v.yes, "yes", false, "") }},
	{"dry-run", "", "only says how many there are", func(f *flag.FlagSet, v *flagValues) { f.BoolVar(&v.dryRun, "dry-run", false, "") }},
	{"interval", "d", "how often it looks, from 1s (2s)", func(f *flag.FlagSet, v *flagValues) {
		f.DurationVar(&v.interval, "interval", 2*time.Second, "")
	}},
	{"listen", "address", "where it listens (127.0.0.1:8080)", func(f *flag.FlagSet, v *flagValues) {
		f.StringVar(&v.listen, "listen", "127.0.0.1:8080", "")
	}},
	{"read-only", "", "serves who reaches it, and lets nobody act", func(f *flag.FlagSet, v *flagValues) {
		f.BoolVar(&v.readOnly, "read-only", false, "")
	}},
	{"source", "name", "which of several sources", func(f *flag.FlagSet, v *flagValues) { f.StringVar(&v.source, "source", "", "") }},
	{"json", "", "writes JSON", func(f *flag.FlagSet, v *flagValues) { f.BoolVar(&v.json, "json", false, "") }},
}
