// Package backends runs the conformance suite over the brokers and result backends of Machinery that need libraries or
// servers of their own: SQS, Pub/Sub, memcached, MongoDB and DynamoDB. Over the brokers among them it compares plain tasks
// with those of Machinery alone, as package differential does. It is a module of its own, so that nobody else gets these
// libraries.
//
// The clients are the real ones. Pub/Sub is Google's fake server, MongoDB is FerretDB with SQLite in this process, SQS
// and DynamoDB are stubs of the requests that Machinery makes, and memcached is memcached.
package backends
