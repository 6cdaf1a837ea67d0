package main

import _ "embed"

// notMet says why bounds are not met. It is written by hand, with the profiles that it rests on.
//
//go:embed NOT_MET.md
var notMet string
