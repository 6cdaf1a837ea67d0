package amqpadapter

import (
	"slices"
	"sync"
)

// maxRoutes bounds what routes keep: a sender may use any number of routing keys.
const maxRoutes = 1024

// routes keep what has to be declared for each routing key: most tasks go where others went before.
type routes struct {
	mu    sync.RWMutex
	byKey map[string][]declaration
}

func newRoutes() *routes { return &routes{byKey: make(map[string][]declaration)} }

func (r *routes) find(routingKey string) (needs []declaration, known bool) {
	if r == nil {
		return nil, false
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	needs, known = r.byKey[routingKey]
	return needs, known
}

// keep returns the needs, to which may be appended.
func (r *routes) keep(routingKey string, needs []declaration) []declaration {
	needs = slices.Clip(needs)
	if r == nil {
		return needs
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.byKey) < maxRoutes {
		r.byKey[routingKey] = needs
	}
	return needs
}
