package inspect

import (
	"context"
	"fmt"
	"html/template"
	"net/url"

	"github.com/RichardKnop/machinery/v2/tasks"
)

// A graph is a task with those before, beside and after it, as pages draw it.
type graph struct {
	Nodes         []node
	Edges         []edge
	Width, Height int
	// Left says that more tasks belong to it than are drawn.
	Left bool
}

// A node is a task of a graph, or a group.
type node struct {
	UUID, Name string
	State      string
	Role       string // "group", "on success", "on error", "chord callback"; empty for the task itself
	Here       bool   // whether it is the task whose page it is
	Page       string
	Query      template.URL
	X, Y       int

	column, row int
}

// An edge leads from a task to one that follows it.
type edge struct {
	Path  string
	Kind  string // as a node's Role
	Fails bool

	from, to int // of nodes
}

// The measures of a graph, in the units of its SVG.
const (
	nodeWidth  = 200
	nodeHeight = 58
	columnGap  = 64
	rowGap     = 18
	maxNodes   = 24
	// maxAsked is of how many tasks of a graph the state is asked for.
	maxAsked = 8
)

// NodeWidth and NodeHeight are for templates.
func (graph) NodeWidth() int { return nodeWidth }

// NodeHeight is for templates.
func (graph) NodeHeight() int { return nodeHeight }

// A grapher lays out a graph.
type grapher struct {
	graph  *graph
	source Source
	calls  int
	rows   int
}

// graphOf draws a task that belongs to a chain, a group or a chord, and returns how many questions that took; nil for
// one that stands alone.
func graphOf(ctx context.Context, m *monitor, s *tasks.Signature) (*graph, int) {
	if len(s.OnSuccess) == 0 && len(s.OnError) == 0 && s.ChordCallback == nil && s.GroupUUID == "" {
		return nil, 0
	}
	g := &grapher{graph: &graph{}, source: m.source}
	start := g.task(ctx, s, "", 0)
	g.graph.Nodes[start].Here = true
	if s.GroupUUID != "" {
		g.group(ctx, s, start)
	}
	g.place()
	return g.graph, g.calls
}

// task adds a task and all that follow it, and returns its index.
func (g *grapher) task(ctx context.Context, s *tasks.Signature, role string, column int) int {
	index := len(g.graph.Nodes)
	g.graph.Nodes = append(g.graph.Nodes, node{
		UUID: cut(s.UUID, maxName), Name: cut(s.Name, maxName), Role: role, State: g.state(ctx, s.UUID), Page: "task",
		Query: encoded(url.Values{uuidParameter: {s.UUID}}), column: column, row: g.rows,
	})
	last := g.rows
	for _, next := range followers(s) {
		if next.signature == nil {
			continue
		}
		if len(g.graph.Nodes) >= maxNodes {
			g.graph.Left = true
			break
		}
		g.rows = last
		to := g.task(ctx, next.signature, next.role, column+1)
		g.connect(index, to, next.role)
		last = g.rows + 1
	}
	g.rows = max(g.rows, last-1)
	return index
}

// A follower is a task that follows another.
type follower struct {
	signature *tasks.Signature
	role      string
}

func followers(s *tasks.Signature) []follower {
	var next []follower
	for _, success := range s.OnSuccess {
		next = append(next, follower{success, "on success"})
	}
	if s.ChordCallback != nil {
		next = append(next, follower{s.ChordCallback, "chord callback"})
	}
	for _, failed := range s.OnError {
		next = append(next, follower{failed, "on error"})
	}
	return next
}

// group adds the group that a task is in, below it.
func (g *grapher) group(ctx context.Context, s *tasks.Signature, member int) {
	g.calls++
	state := ""
	if group, err := g.source.Group(ctx, s.GroupUUID, Page{Limit: 1}); err == nil {
		state = fmt.Sprintf("%d of %d succeeded", group.States[tasks.StateSuccess], group.Size)
	}
	others := max(s.GroupTaskCount-1, 0)
	g.rows++
	index := len(g.graph.Nodes)
	g.graph.Nodes = append(g.graph.Nodes, node{
		UUID: cut(s.GroupUUID, maxName), Name: "and " + plural(others, "other"), Role: "group", State: state, Page: "group",
		Query: encoded(url.Values{uuidParameter: {s.GroupUUID}}), row: g.rows,
	})
	for i, n := range g.graph.Nodes {
		if n.column == 1 && n.Role == "chord callback" {
			g.connect(index, i, n.Role)
		}
	}
}

// state asks for the state of a task, while not too many were asked for.
func (g *grapher) state(ctx context.Context, uuid string) string {
	if g.calls >= maxAsked {
		return ""
	}
	g.calls++
	state, err := g.source.TaskState(ctx, uuid)
	if err != nil {
		return ""
	}
	return cut(state.State, maxName)
}

// connect adds an edge between nodes, which place draws.
func (g *grapher) connect(from, to int, kind string) {
	g.graph.Edges = append(g.graph.Edges, edge{Kind: kind, Fails: kind == "on error", from: from, to: to})
}

// place gives nodes and edges their coordinates.
func (g *grapher) place() {
	const margin = 4
	drawn := g.graph
	for i := range drawn.Nodes {
		n := &drawn.Nodes[i]
		n.X, n.Y = margin+n.column*(nodeWidth+columnGap), margin+n.row*(nodeHeight+rowGap)
		drawn.Width, drawn.Height = max(drawn.Width, n.X+nodeWidth+margin), max(drawn.Height, n.Y+nodeHeight+margin)
	}
	for i := range drawn.Edges {
		a, b := drawn.Nodes[drawn.Edges[i].from], drawn.Nodes[drawn.Edges[i].to]
		x1, y1, x2, y2 := a.X+nodeWidth, a.Y+nodeHeight/2, b.X-6, b.Y+nodeHeight/2
		drawn.Edges[i].Path = fmt.Sprintf("M%d %d C%d %d %d %d %d %d", x1, y1, x1+columnGap/2, y1, x2-columnGap/2, y2, x2, y2)
	}
}
