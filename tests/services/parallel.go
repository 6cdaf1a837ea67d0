package services

import (
	"flag"
	"strconv"
)

// RunInParallel lets n tests run at the same time, which may be more than there are processors: tests of servers mostly
// wait. A TestMain calls it. The flag -parallel takes precedence.
func RunInParallel(n int) {
	const name = "test.parallel"
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if !given {
		_ = flag.Set(name, strconv.Itoa(n)) // it exists in every test binary
	}
}
