package wirelock

import (
	"flag"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheFlagIsFoundWithAndWithoutAValue(t *testing.T) {
	for arg, want := range map[string]bool{
		"-update": true, "--update": true, "-update=false": true, "-updates": false, "update": false, "-test.update": false, "-run=update": false,
	} {
		assert.Equal(t, want, isShared(arg), arg)
	}
}

func TestFlagsGetTheNameOfWirelocksOwn(t *testing.T) {
	args := []string{"-test.v", "-update", "--update=0", "--", "-update"}
	assert.True(t, rename(args))
	assert.Equal(t, []string{"-test.v", "-wirelock.update", "-wirelock.update=0", "--", "-update"}, args)
	assert.False(t, rename(args))
}

func TestTheFlagTakesWhatBooleanFlagsDo(t *testing.T) {
	for text, want := range map[string]bool{
		"true": true, "True": true, "TRUE": true, "t": true, "T": true, "1": true,
		"false": false, "False": false, "FALSE": false, "f": false, "F": false, "0": false,
	} {
		own := updateFlag{on: !want}
		require.NoError(t, own.Set(text))
		assert.Equal(t, want, own.on, text)
	}
	own := updateFlag{on: true}
	require.Error(t, own.Set("golden"))
	assert.False(t, own.on)
}

// The tests of this package define a flag update themselves: it is turned on and off with wirelock's.
func TestAFlagOfTheSameNameIsSetToo(t *testing.T) {
	shared, before := flag.Lookup(sharedFlag), update.on
	defer func() { require.NoError(t, update.Set(map[bool]string{true: "true", false: "false"}[before])) }()
	require.NotNil(t, shared)
	for _, value := range []string{"true", "false"} {
		require.NoError(t, update.Set(value))
		assert.Equal(t, value, shared.Value.String())
		assert.Equal(t, value, update.String())
	}
	assert.Error(t, update.Set("perhaps"))
}
