package inspect

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

const usageEnd = `
A filter is made of conditions that all have to hold, joined by and:

  task = orders.ship           and != ~ !~; ~ means "contains"
  type = orders.Order          a wire name in the arguments
  queue = urgent
  reason ~ "connection refused"
  age > 2h30m                  and < <= >=, in d, h, m and s
  order.customer.id = 42       a path: the name of an argument, the last part of its type, or
                               its position as [0]; then members and [indexes], [*] for any

What acts on a filter says first how many it has chosen, and asks. What has changed by then is left as it is.

exit status: 0 done; 1 some were left as they are, or the answer was no; 2 command line or filter not understood; 3 no such
queue, task, group or letter; 4 the broker cannot tell or do it; 5 a server failed; 130 interrupted
`

// usage returns what help writes, of one subcommand where it is not nil.
func (c *Command) usage(of *subcommand) string {
	var text strings.Builder
	if of != nil {
		line := strings.TrimRight(fmt.Sprintf("usage: %s %s [flags] %s", c.Name, of.name, of.arguments), " ")
		fmt.Fprintf(&text, "%s: %s.\n\n%s\n", of.name, of.summary, line)
		writeFlags(&text, of.flags)
		return text.String()
	}
	fmt.Fprintf(&text, "Shows what is in the queues of a Machinery application, and acts on it.\n\nusage: %s %scommand [flags] [arguments]\n\n",
		c.Name, c.placeOfFlags())
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, s := range subcommands() {
		fmt.Fprintf(table, "  %s\t%s\n", strings.TrimRight(s.name+" "+s.arguments, " "), s.summary)
	}
	fmt.Fprint(table, "  help\twrites this; command -h writes the flags of one\n")
	_ = table.Flush() // strings.Builder takes all
	c.writeOwnFlags(&text)
	text.WriteString(usageEnd)
	return text.String()
}

func (c *Command) placeOfFlags() string {
	if c.Flags == nil {
		return ""
	}
	return "[flags] "
}

// writeOwnFlags lists the flags that stand before the command's name.
func (c *Command) writeOwnFlags(text *strings.Builder) {
	if c.Flags == nil {
		return
	}
	flags := flag.NewFlagSet(c.Name, flag.ContinueOnError)
	c.Flags(flags)
	text.WriteString("\nflags before the command:\n\n")
	table := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	flags.VisitAll(func(f *flag.Flag) {
		value, summary := flag.UnquoteUsage(f)
		fmt.Fprintf(table, "  -%s %s\t%s\n", f.Name, value, summary)
	})
	_ = table.Flush()
}

func writeFlags(text *strings.Builder, names []string) {
	if len(names) == 0 {
		return
	}
	text.WriteString("\n")
	table := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	for _, f := range commandFlags {
		if slices.Contains(names, f.name) {
			fmt.Fprintf(table, "  %s\t%s\n", strings.TrimRight("-"+f.name+" "+f.value, " "), f.summary)
		}
	}
	_ = table.Flush()
}
