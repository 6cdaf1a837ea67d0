// Package adopt holds small applications as they are before they have the middleware, and after they have followed
// README.md and MIGRATING.md. They run in the tests of their packages. It is a module of its own because one of them
// needs Machinery v1.
package adopt
