// Package faults has the errors that package envelope and the packages inside it have in common.
package faults
