// Package lifecycle starts and stops the workers of a broker, for both adapters.
package lifecycle
