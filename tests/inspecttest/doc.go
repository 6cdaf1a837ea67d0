// Package inspecttest has a Source of package inspect in memory, for tests of what shows and changes one: the page and
// the command. It is for tests alone.
package inspecttest
