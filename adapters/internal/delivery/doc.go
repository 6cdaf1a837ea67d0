// Package delivery has what both adapters do with a message between taking it from the server and settling it.
package delivery
