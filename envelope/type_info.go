package envelope

import (
	"maps"
	"reflect"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
)

// A typeInfo is all that is needed to carry values of one Go type in an envelope of their own.
type typeInfo struct {
	goType  reflect.Type
	size    int64 // of a value
	scratch scratch
	// sample is a value of the type, to ask whether it implements an interface; nil for interfaces and large types.
	sample     any
	expression string
	header     string
	// pointerHeader is the header of a pointer to the type.
	pointerHeader string
	// version and codec are those that the header names; plan writes and reads with them.
	version    int
	codec      string
	plan       plan
	staticOnly bool
	// encodings are applied to the payload, and after them it is encrypted if encrypted is set. An envelope is
	// encrypted as well if something that asks for it is found in an interface.
	encodings []Encoding
	encrypted bool
	// readsPlain reports whether envelopes are read in which nothing was done to the data.
	readsPlain bool
	// erased is a type whose name the expression leaves out, nil if there is none.
	erased reflect.Type
	// unregistered is the error for erased.
	unregistered error
	// tooLong reports whether the expression has an array that is too long to be named by a message.
	tooLong bool
}

// A typeInfoResult is a typeInfo, or the reason why there is none.
type typeInfoResult struct {
	info *typeInfo
	err  error
}

// typeInfo returns what is known of a type, worked out on first use.
func (c *catalog) typeInfo(t reflect.Type) (*typeInfo, error) {
	if known, ok := c.typeInfos.Load(t); ok {
		result := known.(typeInfoResult)
		return result.info, result.err
	}
	info, err := c.newTypeInfo(t)
	c.typeInfos.Store(t, typeInfoResult{info: info, err: err})
	if err == nil && info.erased == nil {
		c.addExpression(info)
	}
	return info, err
}

func (c *catalog) newTypeInfo(t reflect.Type) (*typeInfo, error) {
	if err := c.err(); err != nil {
		return nil, err
	}
	if err := c.types.checkNamed(t); err != nil {
		return nil, err
	}
	limits := &c.settings.limits
	text, err := c.types.expressionOf(t, limits.MaxTypeDepth)
	if err != nil {
		return nil, err
	}
	x, err := parseExpression(text, limits)
	if err != nil {
		return nil, err
	}
	current, err := c.planFor(t)
	if err != nil {
		return nil, err
	}
	version, codec := c.types.schemaOf(t)
	h := header{expression: text, version: version, codec: codec}
	behindPointer := header{expression: "*" + text, version: version, codec: codec}
	encodings := c.settings.encodingsOf(c.types.leafOf(t))
	encrypted := c.settings.encryptAll || c.holdsEncrypted(t)
	info := &typeInfo{
		goType:        t,
		size:          sizeOf(t),
		scratch:       c.types.scratchOf(t),
		sample:        sampleOf(t),
		expression:    text,
		header:        string(appendHeader(nil, h)) + dataKey,
		pointerHeader: string(appendHeader(nil, behindPointer)) + dataKey,
		version:       version,
		codec:         codec,
		plan:          current,
		staticOnly:    c.types.isStaticOnly(t),
		encodings:     encodings,
		encrypted:     encrypted,
		readsPlain:    mayBeLeftOut(encodings) && (!encrypted || c.settings.allowUnencrypted),
		erased:        c.types.erasedIn(t),
		tooLong:       x.hasArrayLongerThan(limits.MaxArrayLength),
	}
	if info.erased != nil {
		info.unregistered = cures{c.types}.unregistered(info.erased)
	}
	return info, nil
}

// checkDynamic refuses to send values inside an interface that no receiver would open there, or not as the same type.
func (i *typeInfo) checkDynamic(l *Limits) error {
	switch {
	case i.staticOnly:
		return faults.Newf(ErrUnsupported, "%s is StaticOnly: nobody would open it inside an interface: "+
			"send it where its Go type is named, or register it without envelope.StaticOnly()", i.expression)
	case i.erased != nil:
		return i.unregistered
	case i.tooLong:
		return faults.Limited("MaxArrayLength", l.MaxArrayLength)
	}
	return nil
}

// typeInfoNamed returns what is known of the type that an expression in a message stands for.
func (d *decoder) typeInfoNamed(text string) (*typeInfo, error) {
	if info, ok := d.catalog.byExpression(text); ok {
		return info, nil
	}
	if err := d.in.Charge(perExpressionByte * int64(len(text))); err != nil {
		return nil, err
	}
	x, err := parseExpression(text, &d.settings.limits)
	if err != nil {
		return nil, err
	}
	if err := d.checkNull(x); err != nil {
		return nil, err
	}
	t, err := d.resolve(x)
	if err != nil {
		return nil, err
	}
	return d.catalog.typeInfo(t)
}

// byExpression returns the typeInfo with the given canonical expression, if there is one yet.
func (c *catalog) byExpression(text string) (*typeInfo, bool) {
	known := c.expressions.Load()
	if known == nil {
		return nil, false
	}
	info, ok := (*known)[text]
	return info, ok
}

// addExpression lets a typeInfo be found by its expression.
func (c *catalog) addExpression(info *typeInfo) {
	for {
		known := c.expressions.Load()
		next := map[string]*typeInfo{}
		if known != nil {
			next = maps.Clone(*known)
		}
		next[info.expression] = info
		if c.expressions.CompareAndSwap(known, &next) {
			return
		}
	}
}
