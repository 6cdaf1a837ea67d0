package structure_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const maxMethods = 30

func TestNoTypeHasTooManyMethods(t *testing.T) {
	for _, p := range packages(t) {
		methods := make(map[string]int)
		for _, file := range parse(t, p.Dir, p.GoFiles) {
			for _, declaration := range file.Decls {
				if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv != nil {
					methods[receiver(f)]++
				}
			}
		}
		for name, n := range methods {
			assert.LessOrEqual(t, n, maxMethods, "%s.%s has %d methods", p.path(), name, n)
		}
	}
}

func TestEveryPackageHasADocComment(t *testing.T) {
	for _, p := range packages(t) {
		assert.NotEmpty(t, p.Doc, "package %s", p.path())
	}
}

func TestEveryExportedNameHasAComment(t *testing.T) {
	for _, p := range packages(t) {
		for _, file := range parse(t, p.Dir, p.GoFiles) {
			for _, declaration := range file.Decls {
				for _, name := range uncommented(declaration) {
					t.Errorf("%s.%s has no comment", p.path(), name)
				}
			}
		}
	}
}

func TestEveryExampleIsRunAndItsOutputCompared(t *testing.T) {
	for _, p := range packages(t) {
		for _, example := range doc.Examples(parse(t, p.Dir, slices.Concat(p.TestGoFiles, p.XTestGoFiles))...) {
			assert.True(t, example.Output != "" || example.EmptyOutput, "%s: Example%s has no output", p.path(), example.Name)
		}
	}
}

func parse(t *testing.T, dir string, names []string) []*ast.File {
	t.Helper()
	var files []*ast.File
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, file)
	}
	return files
}

// receiver is the name of the type of a method.
func receiver(method *ast.FuncDecl) string {
	t := method.Recv.List[0].Type
	for {
		switch generic := t.(type) {
		case *ast.StarExpr:
			t = generic.X
		case *ast.IndexExpr:
			t = generic.X
		case *ast.IndexListExpr:
			t = generic.X
		default:
			return t.(*ast.Ident).Name
		}
	}
}

// uncommented returns the exported names that a declaration gives no comment.
func uncommented(declaration ast.Decl) []string {
	switch d := declaration.(type) {
	case *ast.FuncDecl:
		isReachable := d.Recv == nil || ast.IsExported(receiver(d))
		if d.Name.IsExported() && isReachable && d.Doc == nil {
			return []string{d.Name.Name}
		}
	case *ast.GenDecl:
		return uncommentedSpecs(d)
	}
	return nil
}

// uncommentedSpecs lets the comment of a group stand for all in it.
func uncommentedSpecs(d *ast.GenDecl) []string {
	var names []string
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
				names = append(names, s.Name.Name)
			}
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
					names = append(names, name.Name)
				}
			}
		}
	}
	return names
}
