package inspect

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// write writes a value as JSON, or else as a table. The first row is the header.
func (i *invocation) write(value any, rows [][]string) error {
	if i.values.json {
		encoder := json.NewEncoder(i.Stdout)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(value)
	}
	return writeTable(i.Stdout, rows)
}

// widestCell is how many characters of a name a table shows: all rows are as wide as the widest one.
const widestCell = 200

func writeTable(out io.Writer, rows [][]string) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.StripEscape)
	for _, row := range rows {
		cells := make([]string, len(row))
		for n, cell := range row {
			most := widestCell
			if n == len(row)-1 {
				most = maxText // nothing is aligned after it
			}
			cells[n] = printable(cutTo(cell, most))
		}
		if _, err := fmt.Fprintln(table, strings.Join(cells, "\t")); err != nil {
			return err
		}
	}
	return table.Flush()
}

// printable replaces what would command a terminal, or break a table: senders choose names.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		if unicode.IsSpace(r) {
			return ' '
		}
		return unicode.ReplacementChar
	}, text)
}

// cutTo returns text with no more than so many characters.
func cutTo(text string, most int) string {
	n := 0
	for at := range text {
		if n++; n > most {
			return text[:at] + "…"
		}
	}
	return text
}

// count shows a count of a Queue.
func count(n int) string {
	if n == Unknown {
		return "?"
	}
	return strconv.Itoa(n)
}

// ago shows how long ago something was; a dash where that is not known.
func ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return briefly(time.Since(t))
}

// ahead shows how long until something is; a dash where that is nothing.
func ahead(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return briefly(time.Until(t))
}

// briefly rounds to what people look at.
func briefly(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return "-" + briefly(-d)
	case d >= day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// moment shows a time in full; nothing where that is not known.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
