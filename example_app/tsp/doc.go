// Package tsp solves travelling-salesman problems: what the demo's tasks work on. It knows nothing of Machinery.
package tsp
