// Package wireschema describes what an application puts on the wire: its types, interfaces and tasks, and the settings
// that have to agree between sender and receiver. Registry.Schema of package envelope and Middleware.Schema of package
// middleware make a [Schema]; package wirelock compares two of them.
//
// # Forms
//
// A form says how the values at one place are written:
//
//	any int64 string time.Time   a built-in type of the envelope format; types that are defined as a basic type
//	                             and have no name on the wire are written as that type
//	orders.Order go:orders.Line  a registered type or interface, by its wire name; a type that is not registered, by its
//	                             Go name: it has an entry among the types
//	*T []T [4]T map[K]T          null or T; a list; a list of exactly 4; an object
//	json(civil.Date)             whatever MarshalJSON of the Go type writes
//	text(semver.Version)         the string that MarshalText of the Go type writes
//	error                        an error of a task
//
// Types that hold themselves refer to their entry, so that every schema is finite.
package wireschema
