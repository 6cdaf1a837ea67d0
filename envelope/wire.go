package envelope

import (
	"cmp"
	"maps"
	"reflect"
	"strconv"
)

// A wire is all that is needed to carry values of one Go type in an envelope of their own.
type wire struct {
	goType     reflect.Type
	expression string
	header     string
	// pointerHeader is the header of a pointer to the type.
	pointerHeader string
	// version and codec are those that the header names, plan what writes and reads with them.
	version    int
	codec      string
	plan       plan
	staticOnly bool
	// encodings are what is done to the payload; encrypted says that it is encrypted after them, whatever it holds.
	encodings []Encoding
	encrypted bool
	// readsPlain tells whether envelopes are taken in which nothing was done to the data.
	readsPlain bool
	// erased is a type whose name the expression leaves out.
	erased reflect.Type
	// tooLong tells of an array that is too long to be named by a message.
	tooLong bool
}

// wired is a wire, or the reason why there is none.
type wired struct {
	wire *wire
	err  error
}

// wire returns the wire of a type, worked out on first use.
func (c *catalog) wire(t reflect.Type) (*wire, error) {
	if known, ok := c.wires.Load(t); ok {
		result := known.(wired)
		return result.wire, result.err
	}
	w, err := c.newWire(t)
	c.wires.Store(t, wired{wire: w, err: err})
	if err == nil && w.erased == nil {
		c.remember(w)
	}
	return w, err
}

func (c *catalog) newWire(t reflect.Type) (*wire, error) {
	s := &c.registry.settings
	if s.err != nil {
		return nil, s.err
	}
	if err := c.checkNamed(t); err != nil {
		return nil, err
	}
	text, err := c.expressionOf(t, 0)
	if err != nil {
		return nil, err
	}
	x, err := parseExpression(text, s)
	if err != nil {
		return nil, err
	}
	current, err := c.planFor(t)
	if err != nil {
		return nil, err
	}
	version, codec := c.schemaOf(t)
	h := header{expression: text, version: version, codec: codec}
	behindPointer := header{expression: "*" + text, version: version, codec: codec}
	encodings, encrypted := s.encodingsOf(c.leafOf(t)), s.encryptAll || c.holdsEncrypted(t)
	return &wire{
		goType:        t,
		expression:    text,
		header:        string(appendHeader(nil, h)) + dataKey,
		pointerHeader: string(appendHeader(nil, behindPointer)) + dataKey,
		version:       version,
		codec:         codec,
		plan:          current,
		staticOnly:    c.isStaticOnly(t),
		encodings:     encodings,
		encrypted:     encrypted,
		readsPlain:    mayBeLeftOut(encodings) && (!encrypted || s.allowUnencrypted),
		erased:        c.erasedIn(t),
		tooLong:       s.hasTooLongArray(x),
	}, nil
}

// checkDynamic refuses to send values inside an interface that no receiver would open there, or not as the
// same type.
func (w *wire) checkDynamic(s *settings) error {
	switch {
	case w.staticOnly:
		return faultf(ErrUnsupported, "%s is StaticOnly: nobody would open it inside an interface", w.expression)
	case w.erased != nil:
		return unregistered(w.erased)
	case w.tooLong:
		return limited("MaxArrayLength", s.maxArrayLength)
	}
	return nil
}

// hasTooLongArray tells whether an expression names an array that messages may not name.
func (s *settings) hasTooLongArray(x *expression) bool {
	for ; x != nil; x = x.element {
		if !x.isWithin(s.maxArrayLength) {
			return true
		}
	}
	return false
}

// checkNamed refuses defined types that are neither registered nor built in: by themselves they have no name.
func (c *catalog) checkNamed(t reflect.Type) error {
	_, isBuiltin := builtinByType[t]
	_, isRegistered := c.byType[t]
	if t.Name() == "" || isBuiltin || isRegistered {
		return nil
	}
	if t.Kind() == reflect.Interface && t.NumMethod() == 0 {
		return nil
	}
	if t.Kind() == reflect.Interface {
		return unregisteredInterface(t)
	}
	return unregistered(t)
}

// expressionOf writes the type expression of t, in which named types that are not registered are erased to
// their kind.
func (c *catalog) expressionOf(t reflect.Type, depth int) (string, error) {
	if known, ok := builtinByType[t]; ok && known.name != "" {
		return known.name, nil
	}
	if registered, ok := c.byType[t]; ok {
		return registered.name, nil
	}
	if t.Kind() == reflect.Interface {
		return interfaceExpression(t)
	}
	if !c.isByKind(t) {
		return "", unregistered(t)
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return c.compositeExpression(t, depth)
	case reflect.Struct:
		return "", unregisteredStruct(t)
	}
	if _, ok := basicPlans[t.Kind()]; ok {
		return t.Kind().String(), nil
	}
	return "", faultf(ErrUnsupported, "%s values cannot be carried", t.Kind())
}

func interfaceExpression(t reflect.Type) (string, error) {
	if t.NumMethod() == 0 {
		return anyName, nil
	}
	return "", unregisteredInterface(t)
}

func unregisteredStruct(t reflect.Type) error {
	if t.Name() == "" {
		return faultf(ErrUnregistered, "anonymous structs have no name to travel under: define a type and register it")
	}
	return unregistered(t)
}

func (c *catalog) compositeExpression(t reflect.Type, depth int) (string, error) {
	if deepest := c.registry.settings.maxTypeDepth; depth >= deepest {
		return "", limited("MaxTypeDepth", deepest)
	}
	element, err := c.expressionOf(t.Elem(), depth+1)
	if err != nil {
		return "", err
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + element, nil
	case reflect.Slice:
		return "[]" + element, nil
	case reflect.Array:
		return "[" + strconv.Itoa(t.Len()) + "]" + element, nil
	}
	key, err := c.expressionOf(t.Key(), depth+1)
	return "map[" + key + "]" + element, err
}

// isStaticOnly tells whether t is, or holds as its elements, a type that messages may not choose.
func (c *catalog) isStaticOnly(t reflect.Type) bool {
	if registered, ok := c.byType[t]; ok {
		return registered.staticOnly
	}
	if _, ok := builtinByType[t]; ok {
		return false
	}
	switch t.Kind() {
	case reflect.Map:
		return c.isStaticOnly(t.Key()) || c.isStaticOnly(t.Elem())
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return c.isStaticOnly(t.Elem())
	}
	return false
}

// wireNamed returns the wire of the type that an expression in a message stands for.
func (c *catalog) wireNamed(text string) (*wire, error) {
	if w, ok := c.wireOf(text); ok {
		return w, nil
	}
	x, err := parseExpression(text, &c.registry.settings)
	if err != nil {
		return nil, err
	}
	t, err := c.resolve(x)
	if err != nil {
		return nil, err
	}
	return c.wire(t)
}

// wireOf returns the wire with the given canonical expression, if there is one yet.
func (c *catalog) wireOf(text string) (*wire, bool) {
	known := c.expressions.Load()
	if known == nil {
		return nil, false
	}
	w, ok := (*known)[text]
	return w, ok
}

// remember makes a wire known by its expression.
func (c *catalog) remember(w *wire) {
	for {
		known := c.expressions.Load()
		next := map[string]*wire{}
		if known != nil {
			next = maps.Clone(*known)
		}
		next[w.expression] = w
		if c.expressions.CompareAndSwap(known, &next) {
			return
		}
	}
}

// erasedIn returns a type whose name the expression of t leaves out, as it is not registered: nil if there is
// none. Where it is not, the expression stands for another type.
func (c *catalog) erasedIn(t reflect.Type) reflect.Type {
	if known, ok := builtinByType[t]; ok && known.name != "" || c.byType[t] != nil {
		return nil
	}
	if t.Name() != "" {
		return t
	}
	switch t.Kind() {
	case reflect.Map:
		return cmp.Or(c.erasedIn(t.Key()), c.erasedIn(t.Elem()))
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return c.erasedIn(t.Elem())
	}
	return nil
}
