// Package wirelock keeps an application from breaking its own wire. A file in its repository, the lock, has all that
// its types and tasks put on the wire; a test compares it with the program:
//
//	func TestWire(t *testing.T) {
//		s := middlewaretest.NewServer(t, newRegistry())
//		require.NoError(t, registerTasks(s.Middleware))
//		wirelock.Check(t, s.Middleware.Schema(), "testdata/wire.lock")
//	}
//
// Where there is no test, as in CI, command machinery-inspect compares two locks.
//
// What has changed is then one of three kinds. A [Compatible] change hurts nobody; go test -update writes it to the
// lock. An [Ordered] one hurts nobody in the order that it names, readers first, and is written likewise. A [Breaking]
// one hurts in every order, as messages of the old shape are in queues, wait for their time or lie among dead letters:
// it passes when the version of the type is raised with an upgrade from the old shape.
//
// Compared is what is described: see package wireschema for what that is. What a codec, a converter or a marshaler does
// is not, nor are keys, payload stores and limits.
package wirelock
