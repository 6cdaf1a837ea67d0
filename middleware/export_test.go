package middleware

// Kept counts what is kept of the signatures that are being processed.
func (m *Middleware) Kept() int {
	n := 0
	count := func(any, any) bool {
		n++
		return true
	}
	m.received.Range(count)
	m.gathering.Range(count)
	deliveries.mu.RLock()
	defer deliveries.mu.RUnlock()
	return n + len(deliveries.bySignature)
}
