package wireschema

import "context"

// Format is the version of the text that [Schema.JSON] writes and [Parse] reads.
const Format = 1

// A Schema is all that stands on the wire. It holds no values and no keys.
type Schema struct {
	Settings   Settings
	Types      []Type      // by name
	Interfaces []Interface // by name
	Tasks      []Task      // by name

	// Try reads data, which is JSON, as a value of an older version of a registered type, and returns why that cannot
	// be done. It runs the type's upgrades and its converter. It is nil in a schema that was read from a text, and not
	// written.
	Try func(ctx context.Context, name string, version int, data string) error
}

// Settings are those that sender and receiver have to agree on.
type Settings struct {
	// RefusesUnknown reports whether objects with members that a struct has no field for are refused.
	RefusesUnknown bool `json:"refusesUnknown,omitempty"`
	// Encryption is "all", "marked" for types registered as encrypted, or empty.
	Encryption string `json:"encryption,omitempty"`
	// AllowsUnencrypted reports whether what has to be encrypted is read without it too.
	AllowsUnencrypted bool `json:"allowsUnencrypted,omitempty"`
	// Encodings are those of types that have none of their own, in order. A name with a question mark is that of a
	// compression, which is left out where it does not help; a minus sign follows if it is never used, only read.
	Encodings []string `json:"encodings,omitempty"`
	// Store is "written" where large payloads are kept elsewhere, "read" where none is large enough for that, or empty.
	Store string `json:"store,omitempty"`
	// Signed reports whether tasks are signed, UnsignedResults whether results are not.
	Signed          bool `json:"signed,omitempty"`
	UnsignedResults bool `json:"unsignedResults,omitempty"`
	// AcceptsUnsigned reports whether tasks and results without a signature are let in.
	AcceptsUnsigned bool `json:"acceptsUnsigned,omitempty"`
}

// A Type is a registered type, or one without a wire name that others hold.
type Type struct {
	Name string `json:"name"`
	// Version is 1 or more for a registered type, 0 for others.
	Version int      `json:"version,omitempty"`
	Aliases []string `json:"aliases,omitempty"`
	// Codec is what values are written in, ReadCodecs what they are read in besides; empty for JSON.
	Codec      string   `json:"codec,omitempty"`
	ReadCodecs []string `json:"readCodecs,omitempty"`
	// Encodings are the type's own; nil if those of the settings hold.
	Encodings  *[]string `json:"encodings,omitempty"`
	Encrypted  bool      `json:"encrypted,omitempty"`
	Secret     bool      `json:"secret,omitempty"`
	StaticOnly bool      `json:"staticOnly,omitempty"`
	// Upgrades are the older versions that are read.
	Upgrades []Upgrade `json:"upgrades,omitempty"`
	// Converted reports whether Form is what a converter makes of the type.
	Converted bool `json:"converted,omitempty"`
	// Form is how values are written, and those of a type with a codec would be without it. It is empty for a struct,
	// which has Fields.
	Form   string  `json:"form,omitempty"`
	Fields []Field `json:"-"`
}

// An Upgrade leads from a version to the next. Form is how values of that version are read.
type Upgrade struct {
	From int    `json:"from"`
	Form string `json:"form"`
}

// A Field is one member of the object that a struct is written as.
type Field struct {
	Name string `json:"name"`
	Form string `json:"form"`
	// Quoted reports whether the value stands in a string.
	Quoted bool `json:"quoted,omitempty"`
	// Omitted says when the member is left out: "empty", "zero", "empty or zero", or "nil", when the embedded pointer
	// that leads to the field is nil. It is empty for a member that is always written.
	Omitted string `json:"omitted,omitempty"`
}

// An Interface is a registered interface. Types are those that a message may choose for it: "orders.Box" where the type
// itself implements the interface, "*orders.Box" where only its pointer does.
type Interface struct {
	Name  string   `json:"name"`
	Types []string `json:"types"`
}

// A Task is one that was registered through the middleware.
type Task struct {
	Name string `json:"name"`
	// Variadic reports whether the last parameter takes any number of arguments; its form is that of one.
	Variadic bool `json:"variadic,omitempty"`
	// TakesNothing reports whether arguments are left out, whatever comes.
	TakesNothing bool    `json:"takesNothing,omitempty"`
	Params       []Param `json:"-"`
	Results      []Param `json:"-"`
}

// A Param is a parameter of a task, in its order, or a result. Name is empty without middleware.Params.
type Param struct {
	Name string `json:"name,omitempty"`
	Form string `json:"form"`
}

// Type returns the type with a name or an alias, or false.
func (s *Schema) Type(name string) (Type, bool) {
	for _, t := range s.Types {
		if t.Name == name {
			return t, true
		}
	}
	for _, t := range s.Types {
		for _, alias := range t.Aliases {
			if alias == name {
				return t, true
			}
		}
	}
	return Type{}, false
}

// Interface returns the registered interface with a name, or false.
func (s *Schema) Interface(name string) (Interface, bool) {
	for _, i := range s.Interfaces {
		if i.Name == name {
			return i, true
		}
	}
	return Interface{}, false
}

// Task returns the task with a name, or false.
func (s *Schema) Task(name string) (Task, bool) {
	for _, t := range s.Tasks {
		if t.Name == name {
			return t, true
		}
	}
	return Task{}, false
}
