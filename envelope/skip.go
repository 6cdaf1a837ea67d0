package envelope

// skip reads past one value of any kind, making sure that it is well-formed.
func (d *decoder) skip() error {
	switch c := d.peek(); {
	case c == '{':
		return d.skipObject()
	case c == '[':
		return d.skipArray()
	case c == '"':
		_, _, err := d.text()
		return err
	case c == '-' || isDigit(c):
		_, err := d.number()
		return err
	case c == 't' || c == 'f':
		_, err := d.bool()
		return err
	case d.null():
		return nil
	}
	return d.unexpected("a value")
}

func (d *decoder) skipArray() error {
	empty, err := d.open('[', ']', "an array")
	for more := err == nil && !empty; more; {
		if err := d.skip(); err != nil {
			return err
		}
		if more, err = d.more(']'); err != nil {
			return err
		}
	}
	return err
}

func (d *decoder) skipObject() error {
	empty, err := d.open('{', '}', "an object")
	for more := err == nil && !empty; more; {
		if _, err := d.key(); err != nil {
			return err
		}
		if err := d.skip(); err != nil {
			return err
		}
		if more, err = d.more('}'); err != nil {
			return err
		}
	}
	return err
}

// raw reads one value as it stands in the input.
func (d *decoder) raw() (string, error) {
	d.peek()
	start := d.pos
	if err := d.skip(); err != nil {
		return "", err
	}
	return d.in[start:d.pos], nil
}
