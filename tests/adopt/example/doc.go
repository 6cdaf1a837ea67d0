// Package example runs Machinery's own example, as it is and with the middleware installed, and compares what it prints.
package example

import _ "github.com/urfave/cli" // the example needs it
