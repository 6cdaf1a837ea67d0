package inspect

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of what pages show of a text, in bytes.
const (
	maxName = 200
	maxText = 2000
)

// cut returns at most about n bytes of a text, as characters that can be shown.
func cut(text string, n int) string {
	short := text
	if len(text) > n {
		short = text[:n]
		for len(short) > 0 && !utf8.RuneStart(text[len(short)]) {
			short = short[:len(short)-1]
		}
	}
	short = strings.Map(visible, strings.ToValidUTF8(short, "\uFFFD"))
	if len(short) < len(text) && len(text) > n {
		return short + "…"
	}
	return strings.Clone(short) // the rest may be large
}

// visible replaces what has no form, or would turn around what follows.
func visible(r rune) rune {
	if r == '\n' || r == '\t' || unicode.IsGraphic(r) {
		return r
	}
	return unicode.ReplacementChar
}

// thousands writes a number with commas.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// nounFor returns the noun for a number of things, from its plural that ends in s.
func nounFor(n int, plural string) string {
	if n == 1 {
		return strings.TrimSuffix(plural, "s")
	}
	return plural
}

// size writes a number of bytes.
func size(bytes int) string {
	switch {
	case bytes < 1<<10:
		return strconv.Itoa(bytes) + " B"
	case bytes < 1<<20:
		return strconv.Itoa(bytes>>10) + " KiB"
	}
	return strconv.FormatFloat(float64(bytes)/(1<<20), 'f', 1, 64) + " MiB"
}

// span writes how long something takes, in its largest unit.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return thousands(int(math.Floor(d.Hours()/24))) + " d"
}

// templateFuncs are what templates call.
func templateFuncs() template.FuncMap {
	return template.FuncMap{
		"thousands": thousands,
		"noun":      nounFor,
		"size":      size,
		"ago":       func(now, t time.Time) string { return span(now.Sub(t)) },
		"until":     func(now, t time.Time) string { return span(t.Sub(now)) },
		"stamp":     func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"machine":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"clock":     func(t time.Time) string { return t.UTC().Format("15:04:05 UTC") },
		"name":      func(text string) string { return cut(text, maxName) },
		"text":      func(text string) string { return cut(text, maxText) },
		"lower":     strings.ToLower,
		"known":     func(n int) bool { return n >= 0 },
		"list":      func(values ...any) []any { return values },
	}
}
