package inspect

import (
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/adapters/deadletter"
)

// A SourceOption changes what a Source of an adapter knows: see redisadapter.NewSource and amqpadapter.NewSource. One
// that cannot be meant, or not of that broker, is an ErrConfig of the adapter, which every method of the source returns.
type SourceOption func(*SourceSettings)

// SourceSettings are what options have set. Adapters read them; what is zero was not set.
type SourceSettings struct {
	// Name is that of the source.
	Name string
	// Queues are the names of queues to look at, beside those that are found.
	Queues []string
	// Results have the states of tasks and groups.
	Results Results
	// DeadLetters are those of all queues, where each queue has none of its own.
	DeadLetters deadletter.Store
	// Verify is asked before a dead letter is replayed, or nil.
	Verify func(*tasks.Signature) error
	// MaxMessage is how long a message may be to be read as a task, in bytes.
	MaxMessage int
	// Management is the URL of RabbitMQ's management HTTP API.
	Management string
	// Browse lets the source take tasks out of a queue and put them back, to show them.
	Browse bool
	// Err is what is wrong with the options.
	Err error
}

// NewSourceSettings returns what the options set.
func NewSourceSettings(opts []SourceOption) SourceSettings {
	var s SourceSettings
	for _, option := range opts {
		option(&s)
	}
	return s
}

// refuse notes an option that cannot be meant, as it was written.
func (s *SourceSettings) refuse(option, rule string) {
	s.Err = errors.Join(s.Err, fmt.Errorf("inspect.%s: %s", option, rule))
}

// WithName sets the name of a source, where there are two of one kind. It stands in the paths of URLs, and is to be fit
// for that without escapes.
func WithName(name string) SourceOption {
	return func(s *SourceSettings) {
		if name == "" || name == "." || name == ".." || url.PathEscape(name) != name {
			s.refuse(fmt.Sprintf("WithName(%q)", name), "it must be fit for the path of a URL")
		}
		s.Name = name
	}
}

// WithQueues names queues to look at, beside the default queue and those that the broker lists: Redis those that workers
// of redisadapter have consumed, RabbitMQ none without WithManagement.
func WithQueues(names ...string) SourceOption {
	return func(s *SourceSettings) {
		if slices.Contains(names, "") {
			s.refuse(fmt.Sprintf("WithQueues(%q)", names), "each queue needs a name")
		}
		s.Queues = append(s.Queues, names...)
	}
}

// WithResults says where the states of tasks and groups are, where it is not the broker that keeps them. A Source of
// another broker is such Results, and so is what ResultsOf returns:
//
//	amqpadapter.NewSource(cnf, inspect.WithResults(redisadapter.NewSource(cnf, client)))
func WithResults(results Results) SourceOption {
	return func(s *SourceSettings) {
		if results == nil {
			s.refuse("WithResults(nil)", "it needs results")
		}
		s.Results = results
	}
}

// WithDeadLetters says where the dead letters of all queues are, where the broker was given WithDeadLetters.
func WithDeadLetters(letters deadletter.Store) SourceOption {
	return func(s *SourceSettings) {
		if letters == nil {
			s.refuse("WithDeadLetters(nil)", "it needs dead letters")
		}
		s.DeadLetters = letters
	}
}

// WithVerify has the dead letters that each queue has of its own ask verify about a task before they replay it, given as
// it was received: see the adapters' option of the same name. With middleware.SignTasks give it Middleware.Verify.
func WithVerify(verify func(*tasks.Signature) error) SourceOption {
	return func(s *SourceSettings) {
		if verify == nil {
			s.refuse("WithVerify(nil)", "it needs a function")
		}
		s.Verify = verify
	}
}

// WithMaxMessage sets how long a message may be to be read as a task, in bytes (default 64 MiB, at least 1), where the
// broker was given WithMaxMessage.
func WithMaxMessage(bytes int) SourceOption {
	return func(s *SourceSettings) {
		if bytes < 1 {
			s.refuse(fmt.Sprintf("WithMaxMessage(%d)", bytes), "it must be at least 1")
		}
		s.MaxMessage = bytes
	}
}

// WithManagement has a source of RabbitMQ read the HTTP API of its management plugin too, such as
// http://guest:guest@localhost:15672: which queues there are, how many tasks workers have, since when the oldest one
// waits, and which workers there are. What it tells is up to five seconds old, unless RabbitMQ's
// collect_statistics_interval says otherwise. Its user needs the tag management and the rights of the broker's user.
func WithManagement(url string) SourceOption {
	return func(s *SourceSettings) {
		if url == "" {
			s.refuse(`WithManagement("")`, "it needs a URL")
		}
		s.Management = url
	}
}
