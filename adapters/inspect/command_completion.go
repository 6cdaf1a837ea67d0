package inspect

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// completion writes what has a shell complete the names of commands, and then their flags.
func (i *invocation) completion(context.Context) error {
	write, ok := map[string]func(*Command) string{
		"bash": (*Command).bashCompletion,
		"zsh":  (*Command).zshCompletion,
		"fish": (*Command).fishCompletion,
	}[i.arguments[0]]
	if !ok {
		return usagef("completion: unknown shell %q, want bash, zsh or fish", i.arguments[0])
	}
	_, err := fmt.Fprint(i.Stdout, write(i.Command))
	return err
}

// identifier is the program's name as a part of a shell function's.
func (c *Command) identifier() string {
	return strings.Map(func(r rune) rune {
		if r < 128 && isNameRune(r) && r != '-' && r != '$' {
			return r
		}
		return '_'
	}, c.Name)
}

func (c *Command) bashCompletion() string {
	var cases strings.Builder
	for _, s := range subcommands() {
		fmt.Fprintf(&cases, "\t\t%s) words=%q; break;;\n", s.name, dashed(s.flags))
	}
	return fmt.Sprintf(`_%[1]s() {
	local word words=%[3]q
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $word in
%[4]s		esac
	done
	COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _%[1]s %[2]s
`, c.identifier(), c.Name, strings.Join(commandNames(), " "), cases.String())
}

// zshCompletion lets zsh read what bash does.
func (c *Command) zshCompletion() string {
	return "autoload -U +X bashcompinit && bashcompinit\n" + c.bashCompletion()
}

func (c *Command) fishCompletion() string {
	var script strings.Builder
	fmt.Fprintf(&script, "complete -c %s -f\n", c.Name)
	for _, s := range subcommands() {
		fmt.Fprintf(&script, "complete -c %s -n __fish_use_subcommand -a %s -d %s\n", c.Name, s.name, fishQuoted(s.summary))
		for _, f := range commandFlags {
			if slices.Contains(s.flags, f.name) {
				fmt.Fprintf(&script, "complete -c %s -n '__fish_seen_subcommand_from %s' -o %s -d %s\n", c.Name, s.name, f.name, fishQuoted(f.summary))
			}
		}
	}
	return script.String()
}

func fishQuoted(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

func dashed(names []string) string {
	words := make([]string, len(names))
	for n, name := range names {
		words[n] = "-" + name
	}
	return strings.Join(words, " ")
}
