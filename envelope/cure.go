package envelope

import (
	"context"
	"fmt"
	"go/token"
	"path"
	"reflect"
	"regexp"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

var (
	errorType   = reflect.TypeFor[error]()
	contextType = reflect.TypeFor[context.Context]()
)

// cures words the errors about types, each with the call that helps.
type cures struct{ types *typeSet }

// registerCall spells the call that registers t with some options, so that it can be pasted. The wire name is the one
// that t is registered under, or that it has by convention.
func (c cures) registerCall(t reflect.Type, options ...string) string {
	function := "MustRegister"
	if t.Kind() == reflect.Interface {
		function = "RegisterInterface"
	}
	arguments := append([]string{"registry", `"` + c.suggestedName(t) + `"`}, options...)
	return "envelope." + function + "[" + goName(t) + "](" + strings.Join(arguments, ", ") + ")"
}

// suggestedName returns the wire name of t, or the package and the type where that can be one.
func (c cures) suggestedName(t reflect.Type) string {
	if registered, ok := c.types.byType[t]; ok {
		return registered.name
	}
	if name := goName(t); isName(name) {
		return name
	}
	return "…"
}

// convertOption is the option for types that only their author knows how to carry.
const convertOption = "envelope.Convert(to, from)"

// An importPath is the part of a type's text before the name of its package, and localType what the compiler adds to
// the names of types that are declared inside of functions.
var (
	importPath = regexp.MustCompile(`[\w.~%\-/]+/[\w~%\-.]+\.`)
	localType  = regexp.MustCompile(`·\d+`)
	majorPath  = regexp.MustCompile(`^v\d+$`)
)

// goName spells a type as a program does that uses it: reflection gives the arguments of a generic type with their
// whole import paths.
func goName(t reflect.Type) string {
	text := localType.ReplaceAllString(t.String(), "")
	if !strings.Contains(text, "/") {
		return text
	}
	return importPath.ReplaceAllStringFunc(text, func(found string) string {
		return packageName(strings.TrimSuffix(found, ".")) + "."
	})
}

// packageName returns the name that a package with an import path most likely has.
func packageName(importPath string) string {
	name := path.Base(importPath)
	if majorPath.MatchString(name) {
		name = path.Base(path.Dir(importPath))
	}
	name, _, _ = strings.Cut(name, "%2e")
	name, _, _ = strings.Cut(name, ".")
	return name
}

// isLibraryError reports whether t is an error of Go's library, such as that of errors.New, with a name that no program
// can write.
func isLibraryError(t reflect.Type) bool {
	root, _, _ := strings.Cut(t.PkgPath(), "/")
	return isError(t) && isUnexported(t) && root != "main" && !strings.Contains(root, ".")
}

// isUnexported reports whether t has a name that only its own package can write.
func isUnexported(t reflect.Type) bool {
	return t.PkgPath() != "" && !token.IsExported(t.Name())
}

// unregistered says how a type can be sent that has no name of its own here.
func (c cures) unregistered(t reflect.Type) error {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case isContext(t):
		return contextCannotTravel(t)
	case isLibraryError(t):
		return faults.Newf(ErrUnregistered, "%s cannot be registered, as its name is unexported: send its text, "+
			"`err.Error()`, or an error type of your own by envelope.MustRegister[MyError](registry, \"…\")", goName(t))
	case t.Kind() == reflect.Interface && isUnexported(t):
		return faults.Newf(ErrUnregistered, "interface %s is not registered: call, in its own package, %s",
			goName(t), c.registerCall(t))
	case t.Kind() == reflect.Interface:
		return faults.Newf(ErrUnregistered, "interface %s is not registered: call %s", goName(t), c.registerCall(t))
	case isProtobuf(t):
		return faults.Newf(ErrUnregistered, "type %s is not registered: call %s", goName(t), c.registerCall(t, protobufOption))
	}
	return faults.Newf(ErrUnregistered, "type %s is not registered: call %s", goName(t), c.registerCall(t))
}

// unregisteredStruct is unregistered for structs, which may have no name at all.
func (c cures) unregisteredStruct(t reflect.Type) error {
	if t.Name() == "" {
		return faults.Newf(ErrUnregistered, "anonymous structs have no name to travel under: define a type and call "+
			"envelope.MustRegister[T](registry, \"…\")")
	}
	return c.unregistered(t)
}

// isContext reports whether t is an interface of contexts, or one of the contexts of Go's library.
func isContext(t reflect.Type) bool {
	return t.Implements(contextType) && t.Kind() == reflect.Interface || t.PkgPath() == contextType.PkgPath()
}

func isError(t reflect.Type) bool {
	return t.Implements(errorType) || reflect.PointerTo(t).Implements(errorType)
}

func contextCannotTravel(t reflect.Type) error {
	return faults.Newf(ErrUnsupported, "%s cannot be carried: let the task take its own as the first parameter, "+
		"`func(ctx context.Context, …) error`", goName(t))
}

// protobufOption is the option for Protocol Buffers messages.
const protobufOption = "envelope.UseCodec(protocodec.Codec{})"

// isProtobuf reports whether t is the struct of a Protocol Buffers message, by the methods that are generated for it:
// MethodByName is called with constants for the linker's sake.
func isProtobuf(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	pointer := reflect.PointerTo(t)
	if _, ok := pointer.MethodByName("ProtoMessage"); !ok {
		return false
	}
	_, ok := pointer.MethodByName("ProtoReflect")
	return ok
}

// keysCannotTravel refuses map keys that text cannot carry.
func (c cures) keysCannotTravel(t reflect.Type) error {
	call := "define a type for them and call envelope.MustRegister[K](registry, \"…\", " + convertOption + ")"
	switch {
	case t.Kind() == reflect.Interface:
		call = "use map[string]any, or a slice of a struct `struct { Key K; Value V }`"
	case t.Kind() == reflect.Pointer:
		call = "use what they point to, map[" + goName(t.Elem()) + "]V"
	case t.Name() != "" && t.PkgPath() != "":
		call = "call " + c.registerCall(t, convertOption) + ", to and from string"
	}
	return faults.Newf(ErrUnsupported, "map keys of type %s cannot be carried: %s", goName(t), call)
}

// unknownCodec refuses a codec that the registered type, nil for none, is not read in.
func (c cures) unknownCodec(h header, leaf *registration) error {
	if leaf == nil {
		return faults.Newf(ErrUnknownCodec, "codec %s of %s is not known here: built-in types have none", h.codec, h.expression)
	}
	return faults.Newf(ErrUnknownCodec, "codec %s of %s is not known here: call %s",
		h.codec, h.expression, c.registerCall(leaf.goType, "envelope.ReadCodec(codec)"))
}

// misfit says why an expression does not fit a type.
func (c cures) misfit(x *expression, t reflect.Type) error {
	if err := x.unknownName(c.types); err != nil {
		return err
	}
	return faults.Newf(ErrTypeMismatch, "envelope of %s does not fit %s: send a value of that type", x, goName(t))
}

// unknownType refuses a name that nothing is registered under.
func unknownType(name string) error {
	return faults.Newf(ErrUnknownType, "unknown type %s: call, for its Go type T, envelope.MustRegister[T](registry, %q)", name, name)
}

// newerVersion refuses a version that only newer programs know.
func (c cures) newerVersion(version int, leaf *registration) error {
	return faults.Newf(ErrUnknownVersion, "version %d of %s is newer than %d: call, with the type as it is now, %s",
		version, leaf.name, leaf.version, c.registerCall(leaf.goType, fmt.Sprintf("envelope.Version(%d)", version)))
}

// noUpgrade refuses an older version that nothing leads from.
func (c cures) noUpgrade(version int, leaf *registration) error {
	return faults.Newf(ErrUnknownVersion, "version %d of %s has no Upgrade: %s", version, leaf.name, c.upgradeCall(version, leaf))
}

// upgradeCall spells the registration with one more step of the upgrade path.
func (c cures) upgradeCall(from int, leaf *registration) string {
	return "call " + c.registerCall(leaf.goType,
		fmt.Sprintf("envelope.Version(%d)", leaf.version), fmt.Sprintf("envelope.Upgrade(%d, up)", from))
}

// nilDoesNotFit refuses nil for a type that has none.
func nilDoesNotFit(spelling string, t reflect.Type) error {
	return faults.Newf(ErrTypeMismatch, "%s does not fit %s: send a value, or receive a *%s", spelling, goName(t), goName(t))
}

// doesNotImplement refuses a type that cannot stand in an interface.
func (i *typeInfo) doesNotImplement(target reflect.Type) error {
	cure := "send a value of a type that has its methods"
	if reflect.PointerTo(i.goType).Implements(target) {
		cure = "send a pointer to the value, `&value`"
	}
	return faults.Newf(ErrTypeMismatch, "%s does not implement %s: %s", i.expression, goName(target), cure)
}
