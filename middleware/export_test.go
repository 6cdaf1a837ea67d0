package middleware

// Restored counts the restorations that are kept.
func (m *Middleware) Restored() int {
	n := 0
	m.restored.Range(func(any, any) bool {
		n++
		return true
	})
	return n
}
