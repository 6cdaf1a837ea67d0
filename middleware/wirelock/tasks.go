package wirelock

import (
	"fmt"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
)

// allTasks compares the tasks of the old schema with what they have become.
func (r *reading) allTasks(before, after *index) []loss {
	var losses []loss
	for _, name := range sortedNames(before.tasks) {
		old := before.tasks[name]
		root := r.of("task " + name)
		current, ok := after.tasks[name]
		switch {
		case !ok && r.direction == past:
			root.lose("task "+name, "the task is gone: what was sent for it stays in the queue")
			root.remedy("keep it registered until nothing is sent for it and nothing is left, delayed tasks and retries included")
		case ok && r.direction == past:
			taskReading{root}.task(old, current)
		case ok:
			taskReading{root}.task(current, old)
		}
		for i := range root.losses {
			root.losses[i].argument = !root.losses[i].result
		}
		losses = append(losses, root.losses...)
	}
	return losses
}

const newTask = "register the task under a new name beside this one, and take this one out when nothing is left for it"

// A taskReading compares the arguments and results of one task.
type taskReading struct{ *reading }

// task compares the arguments that one side sends, and the results that it writes, with what the other takes.
func (r taskReading) task(written, read wireschema.Task) {
	where := "task " + written.Name
	if !read.TakesNothing && r.count(written, read, where) {
		for i, param := range written.Params {
			place := min(i, len(read.Params)-1)
			r.parameter(param, read.Params[place], fmt.Sprintf("%s, parameter %d", where, i+1))
		}
	}
	if len(written.Results) != len(read.Results) {
		old, current := r.oldIndex().tasks[written.Name], r.newIndex().tasks[written.Name]
		r.lose(where, "%d results become %d", len(old.Results), len(current.Results))
		r.ofResults(newTask)
		return
	}
	for i, result := range written.Results {
		first := len(r.losses)
		r.argument(parse(result.Form), parse(read.Results[i].Form), fmt.Sprintf("%s, result %d", where, i+1))
		for i := range r.losses[first:] {
			r.losses[first+i].result, r.losses[first+i].remedy = true, newTask
		}
	}
}

// count compares how many arguments are sent and taken, and reports whether they agree.
func (r taskReading) count(written, read wireschema.Task, where string) bool {
	sent, taken := len(written.Params), len(read.Params)
	switch {
	case written.TakesNothing:
		sent = 0
	case written.Variadic && !read.Variadic:
		r.lose(where, "the last parameter is %s", map[direction]string{past: "no longer variadic", future: "variadic now"}[r.direction])
		r.remedy(newTask)
		return false
	case written.Variadic:
		sent-- // at least
	}
	if sent == taken && !read.Variadic || read.Variadic && sent >= taken-1 {
		return len(written.Params) > 0 && !written.TakesNothing && taken > 0
	}
	r.lose(where, "parameters (%s) become (%s)", forms(r.oldIndex().tasks[written.Name].Params), forms(r.newIndex().tasks[written.Name].Params))
	r.remedy(newTask)
	return false
}

func forms(params []wireschema.Param) string {
	texts := make([]string, len(params))
	for i, p := range params {
		texts[i] = strings.TrimSpace(p.Name + " " + p.Form)
	}
	return strings.Join(texts, ", ")
}

// parameter compares what is sent for a parameter with what takes it, by position and by name.
func (r taskReading) parameter(written, read wireschema.Param, where string) {
	if written.Name != "" && written.Name != read.Name {
		old, current := written.Name, read.Name
		if r.direction == future {
			old, current = current, old
		}
		r.lose(where, "the name %q becomes %q, so that arguments by name, or those by position, go elsewhere or are refused", old, current)
		r.remedy("keep the names and their order in middleware.Params, or %s", newTask)
	}
	first := len(r.losses)
	r.argument(parse(written.Form), parse(read.Form), where)
	for i := range r.losses[first:] {
		r.losses[first+i].remedy = newTask
	}
}

// argument compares an argument or result, which names its type unless Machinery carries it by itself, with what takes
// it. What registered types consist of is compared elsewhere.
func (r taskReading) argument(w, f wireschema.Form, where string) {
	if !r.takes(w, f) {
		r.lose(where, "%s", r.becomes(w, f))
	}
}

func (r taskReading) takes(w, f wireschema.Form) bool {
	written, read := w.String(), f.String()
	_, writesInterface := r.written.interfaces[written]
	_, readsInterface := r.reads.interfaces[read]
	switch {
	case r.canonical(w) == read:
		return true
	case read == "any":
		return written != "error"
	case written == "any", written == "error", read == "error":
		return false
	case writesInterface && readsInterface:
		probe := r.of(r.root)
		probe.choices(written, read)
		return len(probe.losses) == 0
	case writesInterface:
		return false
	case readsInterface:
		return r.reads.mayChoose(read, written)
	case w.Kind == wireschema.Pointer:
		return f.Kind == wireschema.Pointer && r.takes(*w.Element, *f.Element)
	case f.Kind == wireschema.Pointer:
		return r.takes(w, *f.Element)
	case w.Kind == wireschema.List && f.Kind == wireschema.List && r.isBase(*w.Element) && r.isBase(*f.Element):
		return r.takes(*w.Element, *f.Element)
	case w.Kind == f.Kind && w.Element != nil:
		return w.Length == f.Length && r.fitsKey(w, f) && r.fits(*w.Element, *f.Element)
	}
	return r.takesBase(w, f)
}

// canonical is a form with the registered names of the reader in the place of their aliases.
func (r taskReading) canonical(f wireschema.Form) string {
	element := f
	for element.Element != nil {
		element = *element.Element
	}
	if element.Kind != wireschema.Named {
		return f.String()
	}
	text := f.String()
	return strings.TrimSuffix(text, element.Name) + r.reads.canonical(element.Name)
}

// fits compares elements inside an envelope, whose type expression has to fit.
func (r taskReading) fits(w, f wireschema.Form) bool {
	switch {
	case r.canonical(w) == f.String():
		return true
	case w.Kind == wireschema.Pointer:
		return f.Kind == wireschema.Pointer && r.fits(*w.Element, *f.Element)
	case f.Kind == wireschema.Pointer:
		return r.fits(w, *f.Element)
	case w.Kind == f.Kind && w.Element != nil:
		return w.Length == f.Length && r.fitsKey(w, f) && r.fits(*w.Element, *f.Element)
	}
	return false
}

func (r taskReading) fitsKey(w, f wireschema.Form) bool {
	return w.Key == nil || r.canonical(*w.Key) == f.Key.String()
}

// isBase reports whether Machinery carries values of a form, but for their name.
func (r taskReading) isBase(f wireschema.Form) bool {
	return baseOf(r.written, f) != "" || baseOf(r.reads, f) != ""
}

// baseOf is the base type that a form, or a registered type without a form of its own, is defined as.
func baseOf(x *index, f wireschema.Form) string {
	for seen := map[string]bool{}; f.Kind == wireschema.Named && !seen[f.Name]; {
		t, ok := x.types[f.Name]
		if !ok {
			break
		}
		if t.Converted || t.Codec != "" || t.Form == "" {
			return ""
		}
		seen[f.Name] = true
		f = parse(t.Form)
	}
	switch name := f.String(); {
	case name == "time.Duration":
		return "int64"
	case name == "bool", name == "string", integers[name] != 0 && name != "uintptr", exactly[name] != 0:
		return name
	}
	return ""
}

// takesBase compares what is converted by its base type. A registered type is not made of another one.
func (r taskReading) takesBase(w, f wireschema.Form) bool {
	written, read := baseOf(r.written, w), baseOf(r.reads, f)
	_, isOther := r.reads.types[f.Name]
	_, hasName := r.written.types[w.Name]
	_, isKnown := r.reads.types[w.Name]
	if written == "" || read == "" || hasName && (isOther || !isKnown) {
		return false
	}
	if written == read || exactly[written] != 0 && exactly[written] <= exactly[read] {
		return true
	}
	return holdsInteger(integers[written], integers[read])
}
