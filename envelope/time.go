package envelope

import (
	"reflect"
	"time"
)

// timePlan writes instants with their offset as RFC 3339, with as many digits of the second as it takes.
type timePlan struct{}

func (timePlan) encode(e *encoder, v reflect.Value) (err error) {
	e.buf = append(e.buf, '"')
	e.buf, err = appendTime(e.buf, *v.Addr().Interface().(*time.Time))
	e.buf = append(e.buf, '"')
	return err
}

func (timePlan) decode(d *decoder, v reflect.Value) error {
	text, _, err := d.text()
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
		return buf, unsupported("time has an offset with seconds")
	}
	if offset <= -secondsPerDay || offset >= secondsPerDay {
		return buf, unsupported("time has an offset of a day or more")
	}
	if year := t.Year(); year < 0 || year > 9999 {
		return buf, unsupported("time has a year outside of 0 to 9999")
	}
	return t.AppendFormat(buf, time.RFC3339Nano), nil
}

// parseTime reads RFC 3339: in UTC at offset 0, else in a zone with the offset and no name.
func parseTime(text string) (time.Time, error) {
	// The parser of package time lets the following pass.
	if len(text) <= secondEnd || text[hourEnd] != ':' || text[secondEnd] == ',' {
		return time.Time{}, notATime()
	}
	if digits(text[secondEnd+1:]) > len("999999999") && text[secondEnd] == '.' {
		return time.Time{}, notATime()
	}
	t, err := time.ParseInLocation(time.RFC3339Nano, text, time.UTC)
	if err != nil {
		return time.Time{}, notATime()
	}
	if _, offset := t.Zone(); offset <= -secondsPerDay || offset >= secondsPerDay {
		return time.Time{}, notATime()
	}
	return t, nil
}

func notATime() error { return mismatch("expected a time as in RFC 3339") }
