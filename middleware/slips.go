package middleware

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/RichardKnop/machinery/v2/tasks"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/middleware/internal/native"
)

// A slip is a parameter, of a task that was registered with the server, for which Machinery has no values.
type slip struct {
	position int // counted from 0, without the context
	typ      reflect.Type
}

// findSlips looks at tasks that were registered past the middleware, and logs which can only be called through it.
// There is no other way to tell: the server returns no error for them.
func findSlips(m *Middleware, names []string) {
	for _, name := range names {
		fn, err := m.server.GetRegisteredTask(name)
		if _, wrapped := m.wrapped.Load(name); wrapped || err != nil {
			continue
		}
		found := slipsOf(reflect.TypeOf(fn))
		if found == nil {
			m.slips.Delete(name)
			continue
		}
		if _, known := m.slips.Swap(name, found); !known {
			m.reporter.logger.Error("envelope: a task takes a type of its own: register it with Middleware.RegisterTask, not with the server",
				"task", name, "parameter", found[0].position+1, "type", found[0].typ.String())
		}
	}
}

// slipsOf returns the parameters of a function that no value of Machinery's fits.
func slipsOf(fn reflect.Type) (found []slip) {
	offset := 0
	if fn.NumIn() > 0 && fn.In(0) == contextType {
		offset = 1
	}
	for i := offset; i < fn.NumIn(); i++ {
		t := fn.In(i)
		if fn.IsVariadic() && i == fn.NumIn()-1 {
			t = t.Elem()
		}
		if !native.IsPassable(t) {
			found = append(found, slip{i - offset, t})
		}
	}
	return found
}

// explain makes Machinery's failure of a task say what was done wrong, by the type that it names: it fails such a task
// in any case.
func (d *delivery) explain() {
	if d.task != nil {
		d.explainForeign()
		return
	}
	found, _ := d.m.slips.Load(d.signature.Name)
	slips, _ := found.([]slip)
	for _, s := range slips {
		d.relabel(s.position, fmt.Sprintf("%s (register the task with Middleware.RegisterTask, not with the server)", s.typ))
	}
}

// explainForeign looks for arguments of a wrapped task that no middleware has sent.
func (d *delivery) explainForeign() {
	for i, arg := range d.signature.Args {
		if native.Type(arg.Type) == nil {
			d.relabel(i, fmt.Sprintf("%q (was it sent by a server without middleware.Install?)", arg.Type))
		}
	}
}

// relabel changes the type that an argument names, if there is such an argument.
func (d *delivery) relabel(position int, label string) {
	if position < len(d.signature.Args) {
		d.signature.Args = slices.Clone(d.signature.Args)
		d.signature.Args[position].Type = label
	}
}

// noteText is noteType for a text that may be no envelope. Once the task is noted it is not parsed.
func (u *unpacker) noteText(task, text string) {
	if _, noted := u.textNoted.Load(task); noted {
		return
	}
	if header, err := envelope.Parse(text); err == nil {
		u.noteType(task, header.Type)
	}
}

// noteType logs, once for each task, that a parameter of kind string gets an envelope, of a value of that type, as a text.
func (u *unpacker) noteType(task, name string) {
	if native.Type(name) != nil || task == "" {
		return
	}
	if _, noted := u.textNoted.LoadOrStore(task, nil); !noted {
		u.reporter.logger.Warn("envelope: a parameter of type string gets the envelope of another type, as a text", "task", task)
	}
}

// noteZero logs, once for each task, that a struct which was put in a signature by hand is the zero value.
func (p *packer) noteZero(task string, value any) {
	v := reflect.Indirect(reflect.ValueOf(value))
	if v.Kind() != reflect.Struct || v.NumField() == 0 || !v.IsZero() || !p.registry.IsRegistered(v.Type()) {
		return
	}
	if _, noted := p.zeroNoted.LoadOrStore(task, nil); !noted {
		p.reporter.logger.Warn("envelope: an argument is the zero value of its type: make signatures of periodic tasks with "+
			"Middleware.Signature, as Machinery copies those made by hand without their fields", "task", task, "type", v.Type().String())
	}
}

// describeMisfit adds to the error of an argument that does not fit what may have happened to it.
func describeMisfit(arg tasks.Arg, param reflect.Type, err error) error {
	for param.Kind() == reflect.Pointer || param.Kind() == reflect.Slice {
		param = param.Elem()
	}
	text, _ := arg.Value.(string)
	header, parseErr := envelope.Parse(text)
	if parseErr != nil || param.Kind() != reflect.Struct || header.Type != "map[string]any" && header.Type != "[]any" {
		return err
	}
	return fmt.Errorf("%w: %s", err, throughJSON)
}
