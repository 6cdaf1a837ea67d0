// Package adaptertest is the contract of a broker and of its dead letters, as tests that every adapter runs on every
// server it supports, and the tools with which an adapter tests what is its own.
//
// Only tests import it. TestMain of an adapter calls Main, and one test calls Run:
//
//	func TestContract(t *testing.T) { adaptertest.Run(t, adaptertest.Adapter{…}) }
package adaptertest
