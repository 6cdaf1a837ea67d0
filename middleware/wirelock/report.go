package wirelock

import (
	"fmt"
	"slices"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
)

// A report words losses for people.
type report struct {
	before, after *index
	taken, given  map[string]bool // types that parameters and results hold, in either schema
}

func newReport(before, after *index) *report {
	return &report{before, after, usedBy(paramsOf, before, after), usedBy(resultsOf, before, after)}
}

func paramsOf(t wireschema.Task) []wireschema.Param  { return t.Params }
func resultsOf(t wireschema.Task) []wireschema.Param { return t.Results }

// usedBy finds the types that tasks name in a place, and that those hold.
func usedBy(place func(wireschema.Task) []wireschema.Param, indices ...*index) map[string]bool {
	used := map[string]bool{}
	for _, x := range indices {
		for _, t := range x.tasks {
			for _, p := range place(t) {
				x.reaches(p.Form, func(t wireschema.Type) bool {
					used[t.Name] = true
					return false
				})
			}
		}
	}
	return used
}

// changes makes one change of what is lost at one place in one way.
func (r *report) changes(losses []loss) []Change {
	type key struct{ where, what, order string }
	var order []key
	groups := map[key][]loss{}
	for _, l := range losses {
		k := key{l.where, l.what, l.order}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], l)
	}
	changes := make([]Change, len(order))
	for i, k := range order {
		changes[i] = r.change(groups[k])
	}
	return folded(changes)
}

// folded makes what is ordered at the place of a breaking change a part of that. The settings are no place but many.
func folded(changes []Change) []Change {
	breaking := map[string]int{}
	for i, c := range changes {
		if c.Kind == Breaking && c.Where != "settings" {
			breaking[c.Where] = i
		}
	}
	var kept []Change
	for _, c := range changes {
		outer, ok := breaking[c.Where]
		if !ok || c.Kind == Breaking {
			continue
		}
		for _, text := range c.Hurt {
			if !slices.Contains(changes[outer].Hurt, text) {
				changes[outer].Hurt = append(changes[outer].Hurt, text)
			}
		}
	}
	for _, c := range changes {
		if _, ok := breaking[c.Where]; !ok || c.Kind == Breaking {
			kept = append(kept, c)
		}
	}
	return kept
}

func (r *report) change(group []loss) Change {
	c := Change{Kind: Ordered, Where: group[0].where, What: group[0].what}
	roots := rootsOf(group)
	if others := othersThan(c.Where, roots); len(others) > 0 {
		c.What += ", in " + strings.Join(others, ", ")
	}
	arguments, results := false, false
	for _, l := range group {
		isResult := l.result || r.given[l.root]
		isArgument := l.argument || r.taken[l.root] || !isResult
		if l.direction == past && l.order == "" {
			c.Kind = Breaking
		}
		c.addHurt(l, isArgument, isResult)
		arguments, results = arguments || isArgument, results || isResult
		if l.remedy != "" {
			c.Remedy = l.remedy
		}
	}
	switch {
	case c.Kind == Breaking && c.Remedy == "":
		c.Remedy = r.versionStep(roots)
	case c.Kind == Ordered:
		c.Remedy, c.Order = "", group[0].order
		if c.Order == "" {
			c.Order = readersFirst(arguments, results)
		}
	}
	return c
}

func rootsOf(group []loss) []string {
	var roots []string
	for _, l := range group {
		if l.root != "" && !slices.Contains(roots, l.root) {
			roots = append(roots, l.root)
		}
	}
	slices.Sort(roots)
	return roots
}

// othersThan leaves out the root that a place begins with.
func othersThan(where string, roots []string) []string {
	return slices.DeleteFunc(slices.Clone(roots), func(root string) bool {
		return where == root || strings.HasPrefix(where, root+".") || strings.HasPrefix(where, root+",") || where == "interface "+root
	})
}

func (c *Change) addHurt(l loss, isArgument, isResult bool) {
	var who []string
	switch {
	case l.order != "":
		who = []string{"nobody, when nothing is left that is older than the lock"}
	case l.direction == past:
		who = hurt(isArgument, isResult,
			"new workers, by what old senders have sent: queued, delayed and retried messages, periodic tasks, dead letters",
			"new readers of results, by what old workers have written")
	default:
		who = hurt(isArgument, isResult, "old workers, by new senders", "old readers of results, by new workers")
	}
	for _, text := range who {
		if !slices.Contains(c.Hurt, text) {
			c.Hurt = append(c.Hurt, text)
		}
	}
}

func hurt(isArgument, isResult bool, workers, readers string) (who []string) {
	if isArgument {
		who = append(who, workers)
	}
	if isResult {
		who = append(who, readers)
	}
	return who
}

func readersFirst(arguments, results bool) string {
	switch {
	case arguments && results:
		return "readers first: deploy workers and whoever reads results, then senders; where a program is both, " +
			"release what reads it, and then what writes it"
	case results:
		return "readers first: deploy whoever reads results, then workers"
	}
	return "readers first: deploy workers, then senders"
}

// versionStep says how the types are changed without a loss.
func (r *report) versionStep(roots []string) string {
	var steps []string
	for _, root := range roots {
		if t, ok := r.before.types[root]; ok && isRegistered(t) {
			steps = append(steps, fmt.Sprintf("%s: envelope.Version(%d) and envelope.Upgrade(%d, …) from the type as it was", root, t.Version+1, t.Version))
		}
	}
	return strings.Join(steps, "; ")
}
