package envelope

import (
	"reflect"
	"sync"
	"time"

	"github.com/machinery-envelope/machinery-envelope/envelope/internal/faults"
	"github.com/machinery-envelope/machinery-envelope/envelope/internal/jsontext"
)

// timePlan writes instants with their offset as RFC 3339, with as many digits of the second as it takes.
type timePlan struct{}

func (timePlan) encode(_ *encoder, buf []byte, v reflect.Value) ([]byte, error) {
	buf = append(buf, '"')
	buf, err := appendTime(buf, *v.Addr().Interface().(*time.Time))
	return append(buf, '"'), err
}

func (timePlan) decode(d *decoder, v reflect.Value) error {
	text, _, err := d.in.Text()
	if err != nil {
		return err
	}
	t, err := parseTime(text)
	*v.Addr().Interface().(*time.Time) = t
	return err
}

const (
	secondsPerDay = 24 * 60 * 60
	hourEnd       = len("2006-01-02T15")
	secondEnd     = len("2006-01-02T15:04:05")
)

func appendTime(buf []byte, t time.Time) ([]byte, error) {
	_, offset := t.Zone()
	if offset%60 != 0 {
		return buf, faults.Unsupported("time has an offset with seconds: send `t.UTC()`")
	}
	if offset <= -secondsPerDay || offset >= secondsPerDay {
		return buf, faults.Unsupported("time has an offset of a day or more: send `t.UTC()`")
	}
	if year := t.Year(); year < 0 || year > 9999 {
		return buf, faults.Unsupported("time has a year outside of 0 to 9999: send `t.Unix()`")
	}
	return t.AppendFormat(buf, time.RFC3339Nano), nil
}

// parseTime reads RFC 3339: in UTC at offset 0, else in a zone with the offset and no name.
func parseTime(text string) (time.Time, error) {
	if !isStrictTime(text) {
		return time.Time{}, notATime()
	}
	t, err := time.ParseInLocation(time.RFC3339Nano, text, time.UTC)
	if err != nil {
		return time.Time{}, notATime()
	}
	_, offset := t.Zone()
	if offset <= -secondsPerDay || offset >= secondsPerDay {
		return time.Time{}, notATime()
	}
	return t.In(zoneAt(offset)), nil
}

// isStrictTime refuses what the parser of package time lets pass: one digit of the hour, a comma, digits beyond the
// nanosecond, and offsets with more than 59 minutes.
func isStrictTime(text string) bool {
	if len(text) <= secondEnd || text[hourEnd] != ':' || text[secondEnd] == ',' {
		return false
	}
	if text[secondEnd] == '.' && jsontext.Digits(text[secondEnd+1:]) > len("999999999") {
		return false
	}
	return text[len(text)-1] == 'Z' || text[len(text)-len("00")] <= '5'
}

// zones are those of times that were read: time.Location by offset, of which there are fewer than 3,000.
var zones sync.Map

// zoneAt returns the same zone for an offset every time, so that equal times are equal map keys.
func zoneAt(offset int) *time.Location {
	if offset == 0 {
		return time.UTC
	}
	zone, ok := zones.Load(offset)
	if !ok {
		zone, _ = zones.LoadOrStore(offset, time.FixedZone("", offset))
	}
	return zone.(*time.Location)
}

func notATime() error { return faults.Mismatch("expected a time as in RFC 3339") }
