package jsontext

// Skip reads past one value of any kind.
func (r *Reader) Skip() error {
	switch c := r.Peek(); {
	case c == '{':
		return skipObject(r)
	case c == '[':
		return skipArray(r)
	case c == '"':
		_, _, err := r.Text()
		return err
	case c == '-' || IsDigit(c):
		_, err := r.Number()
		return err
	case c == 't' || c == 'f':
		_, err := r.Bool()
		return err
	case r.Null():
		return nil
	}
	return r.Unexpected("a value")
}

func skipArray(r *Reader) error {
	empty, err := r.OpenArray()
	for more := err == nil && !empty; more; {
		if err := r.Skip(); err != nil {
			return err
		}
		if more, err = r.More(']'); err != nil {
			return err
		}
	}
	return err
}

func skipObject(r *Reader) error {
	empty, err := r.OpenObject()
	for more := err == nil && !empty; more; {
		if _, err := r.Key(); err != nil {
			return err
		}
		if err := r.Skip(); err != nil {
			return err
		}
		if more, err = r.More('}'); err != nil {
			return err
		}
	}
	return err
}

// Raw reads one value and returns it as it stands in the text, whose memory it shares.
func (r *Reader) Raw() (string, error) {
	start := r.Mark()
	if err := r.Skip(); err != nil {
		return "", err
	}
	return r.Since(start), nil
}

// AppendCompact writes value, which has to be well-formed JSON, without the white space between its tokens.
func AppendCompact(buf []byte, value string) []byte {
	inString := false
	for i := 0; i < len(value); i++ {
		c := value[i]
		if !inString && IsSpace(c) {
			continue
		}
		buf = append(buf, c)
		switch {
		case c == '"':
			inString = !inString
		case c == '\\':
			i++
			buf = append(buf, value[i])
		}
	}
	return buf
}

// AppendNull writes null.
func AppendNull(buf []byte) []byte { return append(buf, "null"...) }
