package compatibility_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"testing"

	"github.com/stretchr/testify/require"
)

// divertRegistration makes the one call server.RegisterTasks(…) in a Go file
// one of compatibility.RegisterTasks(server, …). Lines keep their numbers.
func divertRegistration(source []byte) ([]byte, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "", source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	calls := registrations(file)
	if len(calls) != 1 {
		return nil, fmt.Errorf("registers tasks in %d places, not in one: the way to divert it must be thought over", len(calls))
	}
	call := calls[0]
	text := func(from, to token.Pos) string { return string(source[from-file.FileStart : to-file.FileStart]) }
	receiver := call.Fun.(*ast.SelectorExpr).X
	return []byte(text(file.FileStart, file.Name.End()) +
		`; import "github.com/machinery-envelope/machinery-envelope/tests/compatibility"` +
		text(file.Name.End(), call.Pos()) +
		"compatibility.RegisterTasks(" + text(receiver.Pos(), receiver.End()) + ", " +
		text(call.Lparen+1, file.FileEnd)), nil
}

// registrations returns the calls of methods named RegisterTasks.
func registrations(file *ast.File) []*ast.CallExpr {
	var calls []*ast.CallExpr
	ast.Inspect(file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if method, ok := call.Fun.(*ast.SelectorExpr); ok && method.Sel.Name == "RegisterTasks" {
				calls = append(calls, call)
			}
		}
		return true
	})
	return calls
}

func TestRegistrationIsDivertedInItsOnePlace(t *testing.T) {
	changed, err := divertRegistration([]byte(`package p

import "testing"

type Server interface{ RegisterTasks(map[string]any) error }

func register(s Server) { s.RegisterTasks(map[string]any{"é": nil}) }
`))
	require.NoError(t, err)
	require.Equal(t, `package p; import "github.com/machinery-envelope/machinery-envelope/tests/compatibility"

import "testing"

type Server interface{ RegisterTasks(map[string]any) error }

func register(s Server) { compatibility.RegisterTasks(s, map[string]any{"é": nil}) }
`, string(changed))
}

func TestRegistrationElsewhereIsNoticed(t *testing.T) {
	for _, source := range []string{
		"package p",
		"package p; func f() { s.RegisterTask(nil) }",
		"package p; func f() { s.RegisterTasks(nil); s.RegisterTasks(nil) }",
		"package",
	} {
		_, err := divertRegistration([]byte(source))
		require.Error(t, err, source)
	}
}
