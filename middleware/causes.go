package middleware

import (
	"context"
	"errors"
	"reflect"
)

// An errorPacker puts the errors of registered types that a task returns in envelopes.
type errorPacker struct {
	knownTypes
	reporter *reporter
}

// registeredErrors appends the errors of registered types in the tree of err, in the order of errors.As. It does not
// look into them: what they wrap is theirs to carry.
func (p *errorPacker) registeredErrors(found []error, err error) []error {
	if err == nil {
		return found
	}
	if p.registry.IsRegistered(reflect.TypeOf(err)) {
		return append(found, err)
	}
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		return p.registeredErrors(found, wrapper.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range wrapper.Unwrap() {
			found = p.registeredErrors(found, inner)
		}
	}
	return found
}

// packCauses puts errors of registered types in one envelope: one by itself, several in a list. It returns "" if there
// are none, or none that can travel. The observer is told of those that cannot.
func (p *errorPacker) packCauses(ctx context.Context, task string, causes []error) string {
	if len(causes) == 0 {
		return ""
	}
	if text, err := p.registry.Marshal(ctx, listed(causes)); err == nil {
		return text
	}
	var travelling []error
	for _, cause := range causes {
		reduced, err := p.reduce(ctx, cause)
		if err != nil {
			p.notSent(ctx, task, cause, err)
			continue
		}
		travelling = append(travelling, reduced)
	}
	if len(travelling) == 0 {
		return ""
	}
	text, err := p.registry.Marshal(ctx, listed(travelling))
	if err != nil { // together they are too much
		p.notSent(ctx, task, travelling[0], err)
		return ""
	}
	return text
}

func (p *errorPacker) notSent(ctx context.Context, task string, cause, err error) {
	p.reporter.report(ctx, Observer.Failed, Observation{Task: task, Type: p.typeName(reflect.TypeOf(cause)), Err: err})
}

// listed returns what travels for errors: a single one by itself, as it always has.
func listed(causes []error) any {
	if len(causes) == 1 {
		return causes[0]
	}
	list := make([]any, len(causes))
	for i, cause := range causes {
		list[i] = cause
	}
	return list
}

// causeOf returns the error, or the errors, that listed has returned; nil for anything else.
func causeOf(value any) error {
	switch value := value.(type) {
	case error:
		return value
	case []any:
		var causes []error
		for _, element := range value {
			if cause, ok := element.(error); ok {
				causes = append(causes, cause)
			}
		}
		return errors.Join(causes...)
	}
	return nil
}

// reduce returns an error of a registered type as far as it can travel: where something in an interface cannot, without
// that. The text of the failure says what it was.
func (p *errorPacker) reduce(ctx context.Context, err error) (error, error) {
	if p.travelsInInterface(ctx, err) == nil {
		return err, nil
	}
	v := reflect.ValueOf(err)
	isPointer := v.Kind() == reflect.Pointer
	v = reflect.Indirect(v)
	if v.Kind() != reflect.Struct {
		return nil, p.travelsInInterface(ctx, err)
	}
	reduced := reflect.New(v.Type())
	reduced.Elem().Set(v)
	p.reduceStruct(ctx, reduced.Elem())
	if !isPointer {
		reduced = reduced.Elem()
	}
	result := reduced.Interface().(error)
	return result, p.travelsInInterface(ctx, result)
}

// reduceStruct leaves out of the fields of v, which is settable, what stands in interfaces and cannot travel.
func (p *errorPacker) reduceStruct(ctx context.Context, v reflect.Value) {
	for i := range v.NumField() {
		field := v.Field(i)
		switch {
		case !field.CanSet():
		case field.Kind() == reflect.Struct:
			p.reduceStruct(ctx, field)
		case field.Kind() == reflect.Interface && p.travelsInInterface(ctx, field.Interface()) != nil:
			field.SetZero()
		case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Interface:
			p.reduceSlice(ctx, field)
		}
	}
}

func (p *errorPacker) reduceSlice(ctx context.Context, v reflect.Value) {
	kept := reflect.MakeSlice(v.Type(), 0, v.Len())
	for i := range v.Len() {
		if p.travelsInInterface(ctx, v.Index(i).Interface()) == nil {
			kept = reflect.Append(kept, v.Index(i))
		}
	}
	if kept.Len() < v.Len() {
		v.Set(kept)
	}
}

// travelsInInterface returns why a value cannot travel in an interface.
func (p *errorPacker) travelsInInterface(ctx context.Context, value any) error {
	_, err := p.registry.Marshal(ctx, []any{value})
	return err
}
