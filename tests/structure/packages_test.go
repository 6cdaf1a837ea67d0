package structure_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	module = "github.com/machinery-envelope/machinery-envelope"
	root   = "../.."
)

// goPackage is what go list says of a package of the module.
type goPackage struct {
	ImportPath string
	Name       string
	Dir        string
	Doc        string
	Imports    []string
	Deps       []string // of all depths
	GoFiles    []string // no tests
	// TestGoFiles and XTestGoFiles are the test files of the package and of its _test package.
	TestGoFiles, XTestGoFiles []string
}

// path is the folder in the module.
func (p goPackage) path() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

// ownImports returns the folders of the packages of the module that p imports, tests aside.
func (p goPackage) ownImports() []string {
	var own []string
	for _, path := range p.Imports {
		if folder, ok := strings.CutPrefix(path, module+"/"); ok {
			own = append(own, folder)
		}
	}
	return own
}

// within reports whether a package is in one of the folders.
func within(path string, folders ...string) bool {
	for _, folder := range folders {
		if path == folder || strings.HasPrefix(path, folder+"/") {
			return true
		}
	}
	return false
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	all, err := listPackages()
	require.NoError(t, err)
	return all
}

var listPackages = sync.OnceValues(func() ([]goPackage, error) {
	command := exec.Command("go", "list", "-json=ImportPath,Name,Dir,Doc,Imports,Deps,GoFiles,TestGoFiles,XTestGoFiles", "./...")
	command.Dir = root
	output, err := command.Output()
	if err != nil {
		return nil, err
	}
	var all []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
})
