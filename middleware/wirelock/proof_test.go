package wirelock_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"

	eagerbackend "github.com/RichardKnop/machinery/v2/backends/eager"

	"github.com/machinery-envelope/machinery-envelope/middleware"
	"github.com/machinery-envelope/machinery-envelope/middleware/wirelock"
)

// A proof runs both generations of a program against each other. It knows nothing of schemas: it compares what was sent
// with what has arrived.
type proof struct {
	t    *testing.T
	hurt []string
}

// verdict is what the wire says of a change.
func (c change) verdict(t *testing.T) (wirelock.Kind, []string) {
	past := &proof{t: t}
	past.between(c.old, c.new, false)
	if c.before != nil {
		readable := &proof{t: t}
		readable.arguments(*c.before, c.old, false)
		if len(readable.hurt) > 0 {
			t.Fatalf("the old generation cannot read the one before it: %v", readable.hurt)
		}
		leftovers := &proof{t: t}
		leftovers.arguments(*c.before, c.new, false)
		if len(leftovers.hurt) > 0 && c.drained {
			return wirelock.Ordered, leftovers.hurt
		}
		past.hurt = append(past.hurt, leftovers.hurt...)
	}
	if len(past.hurt) > 0 {
		return wirelock.Breaking, past.hurt
	}
	future := &proof{t: t}
	future.between(c.new, c.old, true)
	if len(future.hurt) > 0 {
		return wirelock.Ordered, future.hurt
	}
	return wirelock.Compatible, nil
}

func (p *proof) between(writer, reader generation, readerIsOld bool) {
	p.arguments(writer, reader, readerIsOld)
	p.results(writer, reader, readerIsOld)
}

// arguments sends what the writer sends to a worker of the reader.
func (p *proof) arguments(writer, reader generation, readerIsOld bool) {
	sender, worker := start(p.t, writer, eagerbackend.New()), start(p.t, reader, eagerbackend.New())
	taken, given := reader.names, writer.names
	if taken == nil || given == nil {
		taken, given = nil, nil
	}
	known := knownTo(documentsOf(p.t, taken, reader.callsToSend()), documentsOf(p.t, given, writer.callsToSend()))
	for i, call := range writer.callsToSend() {
		forms := [][]any{call}
		if writer.names != nil {
			forms = append(forms, byName(writer.names, call))
		}
		for _, args := range forms {
			_, message := sender.send(p.t, args)
			took, ran := worker.run(p.t, message)
			if !ran {
				p.note("call %d was refused", i+1)
				continue
			}
			if !reader.takesNothing {
				p.compare(documents(p.t, given, reader.upgradedAll(call)), documents(p.t, taken, took), known, readerIsOld)
			}
		}
	}
}

// callsToSend are the calls of a generation and one with zero values, unless the task takes any number.
func (g generation) callsToSend() [][]any {
	if g.task == nil || len(g.calls) == 0 || g.task.IsVariadic() {
		return g.calls
	}
	var zeros []any
	for _, param := range g.params() {
		zeros = append(zeros, reflect.Zero(param).Interface())
	}
	return append(slices.Clone(g.calls), zeros)
}

// upgradedAll are values as the upgrades of a generation make them.
func (g generation) upgradedAll(values []any) []any {
	if g.upgraded == nil {
		return values
	}
	upgraded := make([]any, len(values))
	for i, v := range values {
		upgraded[i] = g.upgraded(v)
	}
	return upgraded
}

func byName(names []string, values []any) []any {
	named := make([]any, len(values))
	for i, v := range values {
		named[i] = middleware.Named(names[i], v)
	}
	return named
}

// results has a worker of the writer write results for the reader to await.
func (p *proof) results(writer, reader generation, readerIsOld bool) {
	if writer.task == nil || reader.task == nil {
		return
	}
	backend := eagerbackend.New()
	worker, awaiting := start(p.t, writer, backend), start(p.t, reader, backend)
	known := knownTo(documentsOf(p.t, nil, reader.resultsToWrite()), documentsOf(p.t, nil, writer.resultsToWrite()))
	for i, results := range writer.resultsToWrite() {
		worker.returns = results
		s, message := worker.send(p.t, writer.calls[0])
		if _, ran := worker.run(p.t, message); !ran {
			p.t.Fatal("a worker does not run a message of its own generation")
		}
		read, ok := awaiting.await(p.t, s)
		if !ok {
			p.note("results %d cannot be read", i+1)
			continue
		}
		p.compare(documents(p.t, nil, results), documents(p.t, nil, read), known, readerIsOld)
	}
}

// resultsToWrite are the results of a generation, at least once what a task without any has.
func (g generation) resultsToWrite() [][]any {
	if len(g.results) == 0 && len(g.calls) > 0 {
		zeros := make([]any, g.task.NumOut()-1)
		for i := range zeros {
			zeros[i] = reflect.Zero(g.task.Out(i)).Interface()
		}
		return [][]any{zeros}
	}
	return g.results
}

func documentsOf(t *testing.T, names []string, calls [][]any) []map[string]any {
	var all []map[string]any
	for _, call := range calls {
		all = append(all, documents(t, names, call))
	}
	return all
}

func (p *proof) note(format string, args ...any) {
	p.hurt = append(p.hurt, fmt.Sprintf(format, args...))
}

// members are those that senders of the reader's generation leave out at times, and those that the writer knows.
type members struct{ sometimes, written map[string]bool }

func knownTo(ofReader, ofWriter []map[string]any) members {
	m := members{map[string]bool{}, map[string]bool{}}
	seen := map[string]bool{}
	for _, document := range ofReader {
		presence(document, "", seen, m.sometimes)
	}
	for _, document := range ofWriter {
		presence(document, "", m.written, map[string]bool{})
	}
	return m
}

// compare notes what was sent and has not arrived, and what an old reader gets that it has always got otherwise.
func (p *proof) compare(sent, arrived map[string]any, known members, readerIsOld bool) {
	d := difference{proof: p, members: known, readerIsOld: readerIsOld}
	d.objects(sent, arrived, "")
}

// presence notes the members that are in some objects of a path and not in others.
func presence(v any, path string, seen, sometimes map[string]bool) {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			presence(element, path+"[]", seen, sometimes)
		}
	case map[string]any:
		first := !seen[path+"{}"]
		seen[path+"{}"] = true
		for name, member := range v {
			here := path + "." + name
			if !first && !seen[here] {
				sometimes[here] = true
			}
			seen[here] = true
			presence(member, here, seen, sometimes)
		}
		for here := range seen {
			rest, ok := strings.CutPrefix(here, path+".")
			if ok && !strings.ContainsAny(rest, ".[{") {
				if _, present := v[rest]; !present {
					sometimes[here] = true
				}
			}
		}
	}
}

type difference struct {
	*proof
	members
	readerIsOld bool
}

func (d *difference) objects(sent, arrived map[string]any, path string) {
	var lost []string
	for name, v := range sent {
		if found, ok := member(arrived, name); ok {
			d.values(v, found, path+"."+name)
		} else {
			lost = append(lost, name)
		}
	}
	for name, v := range arrived {
		if _, ok := member(sent, name); ok || d.written[path+"."+name] {
			continue
		}
		if here := path + "." + name; d.readerIsOld && !d.sometimes[here] {
			d.note("%s.%s was always there", path, name)
		}
		for _, other := range lost {
			if !d.readerIsOld && (couldBe(sent[other], v) || hasMember(v, other) || hasMember(sent[other], name)) {
				d.note("%s.%s is lost, and %s is made up", path, other, name)
			}
		}
	}
}

// member finds a name as readers of objects do.
func member(object map[string]any, name string) (any, bool) {
	if v, ok := object[name]; ok {
		return v, true
	}
	for other, v := range object {
		if strings.EqualFold(other, name) {
			return v, true
		}
	}
	return nil, false
}

// hasMember reports whether an object has a member that has moved into it, or out of it.
func hasMember(v any, name string) bool {
	object, isObject := v.(map[string]any)
	_, ok := member(object, name)
	return isObject && ok
}

// couldBe reports whether a value that was lost, and is not zero, is of the kind of one that is made up.
func couldBe(lost, madeUp any) bool {
	if lost == nil || reflect.ValueOf(lost).IsZero() {
		return false
	}
	return madeUp == nil || reflect.TypeOf(lost) == reflect.TypeOf(madeUp)
}

func (d *difference) values(sent, arrived any, path string) {
	switch v := sent.(type) {
	case map[string]any:
		if object, ok := arrived.(map[string]any); ok {
			d.objects(v, object, path)
			return
		}
	case []any:
		if list, ok := arrived.([]any); ok && len(list) == len(v) {
			for i := range v {
				d.values(v[i], list[i], path+"[]")
			}
			return
		}
	case json.Number:
		if n, ok := arrived.(json.Number); ok && sameNumber(v, n) {
			return
		}
	default:
		if reflect.DeepEqual(sent, arrived) {
			return
		}
	}
	d.note("%s: %v arrives as %v", path, sent, arrived)
}

func sameNumber(a, b json.Number) bool {
	x, _ := new(big.Rat).SetString(a.String())
	y, _ := new(big.Rat).SetString(b.String())
	return x != nil && y != nil && x.Cmp(y) == 0
}
