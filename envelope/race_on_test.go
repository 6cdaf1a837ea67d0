//go:build race

package envelope_test

// raceDetector reports whether the tests run under the race detector. There sync.Pool drops at random what it is given, so
// that math/big, which keeps its working memory in pools, allocates it again and again.
const raceDetector = true
