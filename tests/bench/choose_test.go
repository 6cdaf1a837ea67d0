package main

import "testing"

func TestPageOnScaleIsWrittenWholeOrNotAtAll(t *testing.T) {
	for pattern, want := range map[string]bool{
		"(?i)scale": true, "SCALE": true, "RedisShards": false, "^Scale$": false, "(?i)redis": false, "Linearity": false, "": false,
	} {
		chosen, err := choose(pattern)
		if err != nil || len(chosen) == 0 {
			t.Fatalf("%q chooses %d sections: %v", pattern, len(chosen), err)
		}
		if got := isScalePage(chosen); got != want {
			t.Errorf("%q: the page is written: %v, want %v", pattern, got, want)
		}
	}
}
