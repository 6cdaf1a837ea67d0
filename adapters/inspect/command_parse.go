package inspect

import (
	"flag"
	"io"
	"slices"
	"strings"
	"time"
)

// parse reads a command line. With an error comes as much of the invocation as was understood.
func (c *Command) parse(arguments []string) (*invocation, error) {
	i := &invocation{Command: c}
	global := flag.NewFlagSet(c.Name, flag.ContinueOnError)
	global.SetOutput(io.Discard)
	if c.Flags != nil {
		c.Flags(global)
	}
	if err := global.Parse(arguments); err != nil {
		return i, asUsage(err, isCommandFlag, "after the command")
	}
	arguments = global.Args()
	if len(arguments) == 0 {
		return i, usagef("no command: want one of %s", strings.Join(commandNames(), ", "))
	}
	if arguments[0] == "help" {
		return i, flag.ErrHelp
	}
	if i.subcommand = subcommandNamed(arguments[0]); i.subcommand == nil {
		return i, usagef("unknown command %q, want one of %s", arguments[0], strings.Join(commandNames(), ", "))
	}
	if err := i.parseFlags(arguments[1:]); err != nil {
		isGlobal := func(name string) bool { return global.Lookup(name) != nil }
		return i, asUsage(err, isGlobal, "before "+i.subcommand.name)
	}
	return i, i.check()
}

// asUsage makes an error of package flag one of whoever wrote the command line. A flag that is known elsewhere has its
// place there.
func asUsage(err error, isElsewhere func(string) bool, place string) error {
	if err == flag.ErrHelp {
		return err
	}
	const undefined = "flag provided but not defined: -"
	if name, ok := strings.CutPrefix(err.Error(), undefined); ok && isElsewhere(name) {
		return usagef("-%s stands %s", name, place)
	}
	return UsageError(err.Error())
}

func isCommandFlag(name string) bool {
	return slices.ContainsFunc(commandFlags, func(f commandFlag) bool { return f.name == name })
}

func subcommandNamed(name string) *subcommand {
	all := subcommands()
	i := slices.IndexFunc(all, func(s *subcommand) bool { return s.name == name })
	if i < 0 {
		return nil
	}
	return all[i]
}

func commandNames() []string {
	names := []string{}
	for _, s := range subcommands() {
		names = append(names, s.name)
	}
	return append(names, "help")
}

// parseFlags reads flags and arguments in any order. What comes after -- is arguments.
func (i *invocation) parseFlags(arguments []string) error {
	flags := flag.NewFlagSet(i.subcommand.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	for _, f := range commandFlags {
		if slices.Contains(i.subcommand.flags, f.name) {
			f.add(flags, &i.values)
		}
	}
	for len(arguments) > 0 {
		if err := flags.Parse(arguments); err != nil {
			return err
		}
		read := len(arguments) - flags.NArg()
		if read > 0 && arguments[read-1] == "--" {
			i.arguments = append(i.arguments, flags.Args()...)
			return nil
		}
		if arguments = flags.Args(); len(arguments) > 0 {
			i.arguments, arguments = append(i.arguments, arguments[0]), arguments[1:]
		}
	}
	return nil
}

// check finds what no flag alone tells.
func (i *invocation) check() (err error) {
	s, v := i.subcommand, i.values
	n := len(i.arguments)
	if n < s.least || n > s.most {
		return usagef("%s: want %s, got %d", s.name, wantedArguments(s), n)
	}
	if i.filter, err = ParseFilter(v.filter); err != nil {
		return err
	}
	if n > 0 && (v.filter != "" || v.dryRun) {
		return usagef("%s: either names what to act on, or has -filter and -dry-run", s.name)
	}
	switch {
	case s.has("state") && !slices.Contains(States(), State(v.state)):
		return usagef("-state: unknown state %q", v.state)
	case s.has("limit") && (v.limit < 1 || v.limit > MaxSelected):
		return usagef("-limit: want 1 to %d", MaxSelected)
	case s.has("interval") && v.interval < time.Second:
		return usagef("-interval: want 1s or more")
	}
	return nil
}

func wantedArguments(s *subcommand) string {
	if s.arguments == "" {
		return "no arguments"
	}
	return s.arguments
}

// lacksQueue reports whether -queue is missing.
func lacksQueue(i *invocation) bool {
	isBulk := len(i.arguments) == 0 && i.subcommand.has("yes")
	return i.values.queue == "" && (i.subcommand.needs == aQueue || isBulk)
}

func (s *subcommand) has(flag string) bool { return slices.Contains(s.flags, flag) }
