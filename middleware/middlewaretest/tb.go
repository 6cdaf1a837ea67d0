package middlewaretest

// TB is what the package needs of a *testing.T, *testing.B or *testing.F.
type TB interface {
	Helper()
	Cleanup(func())
	// Fatalf fails the test and ends it.
	Fatalf(format string, args ...any)
}
