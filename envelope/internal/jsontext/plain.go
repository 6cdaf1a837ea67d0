package jsontext

import (
	"math/bits"
	"unicode/utf8"
)

// isPlain has the bytes that stand for themselves in a JSON string: ASCII without control characters, quotation marks
// and backslashes.
var isPlain = func() (table [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		table[c] = c != '"' && c != '\\'
	}
	return table
}()

// plainLength returns how many plain bytes s begins with. It looks at eight bytes at a time, as most text is plain.
func plainLength(s string) int {
	i := 0
	for ; len(s)-i >= 8; i += 8 {
		if others := othersIn(word(s[i : i+8])); others != 0 {
			return i + bits.TrailingZeros64(others)/8
		}
	}
	for i < len(s) && isPlain[s[i]] {
		i++
	}
	return i
}

// word returns eight bytes as one number, the first of them lowest.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// othersIn sets the highest bit of each byte of a word that is not plain, and of no byte before the first of these: a
// subtraction borrows from the next byte only where it sets the highest bit itself.
func othersIn(word uint64) uint64 {
	const each, highest = 0x0101010101010101, 0x8080808080808080
	control := word - each*' '
	quote := (word ^ each*'"') - each
	backslash := (word ^ each*'\\') - each
	return (control | quote | backslash | word) & highest
}
