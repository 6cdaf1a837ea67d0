package wirelock

import (
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"
)

// updateFlag is what go test -update turns on. It is defined only where it is given, and under a name of its own, so
// that a test binary may have a flag update too, before or after: that one is then set as well.
type updateFlag struct{ on bool }

const (
	sharedFlag = "update"
	ownFlag    = "wirelock.update"
)

var update updateFlag

func init() {
	if !testing.Testing() {
		return
	}
	if rename(os.Args[1:]) {
		flag.Var(&update, ownFlag, "write locks of the wire that have changed")
	}
}

// rename gives the flag update, among the arguments of the command line, the name of wirelock's own, and reports whether
// it is there.
func rename(args []string) (found bool) {
	for i, arg := range args {
		if arg == "--" {
			break // no flags follow
		}
		if isShared(arg) {
			args[i] = "-" + ownFlag + strings.TrimLeft(arg, "-")[len(sharedFlag):]
			found = true
		}
	}
	return found
}

// isShared reports whether an argument of the command line is the flag update, with or without a value.
func isShared(arg string) bool {
	name, _, _ := strings.Cut(arg, "=")
	return name == "-"+sharedFlag || name == "--"+sharedFlag
}

// IsBoolFlag lets the flag stand without a value.
func (u *updateFlag) IsBoolFlag() bool { return true }

// String returns the value of the flag.
func (u *updateFlag) String() string { return strconv.FormatBool(u.on) }

// Set is called when flags are parsed, after all of them were defined. It takes what any boolean flag does and, where
// there is another flag update, what that one takes: a value that is no boolean is that one's alone.
func (u *updateFlag) Set(text string) error {
	on, err := strconv.ParseBool(text)
	u.on = on
	if shared := flag.Lookup(sharedFlag); shared != nil {
		return shared.Value.Set(text)
	}
	return err
}
