package envelope

// Secret keeps values of the type being registered from being shown: [Registry.Describe] and [Registry.Inspect] give only
// the type's name. It changes nothing about how they travel: see [Encrypted] for that.
func Secret() TypeOption {
	return func(r *registration) error {
		r.secret = true
		return nil
	}
}
