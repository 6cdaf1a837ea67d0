package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	// maxLine is how many characters an object or list may have that is written in one line.
	maxLine = 120
	// maxText is how many characters of a string are shown, and maxElements how many elements of a list.
	maxText     = 60
	maxElements = 3
)

// A member is a name and its value. An object keeps the order that its members came in.
type member struct {
	name  string
	value any
}

type object []member

// omission stands for the rest of a list.
type omission int

// layOut writes JSON for people to read: short things in one line, long ones indented, the longest with parts left
// out. What is no JSON is left as it is.
func layOut(text, indent string) string {
	value, err := readJSON(json.NewDecoder(strings.NewReader(text)))
	if err != nil {
		return text
	}
	return render(value, indent)
}

func readJSON(d *json.Decoder) (any, error) {
	d.UseNumber()
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return readObject(d)
	case json.Delim('['):
		return readList(d)
	}
	return token, nil
}

func readObject(d *json.Decoder) (any, error) {
	var o object
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		value, err := readJSON(d)
		if err != nil {
			return nil, err
		}
		o = append(o, member{fmt.Sprint(name), value})
	}
	_, err := d.Token()
	return o, err
}

func readList(d *json.Decoder) (any, error) {
	var list []any
	left := 0
	for d.More() {
		value, err := readJSON(d)
		if err != nil {
			return nil, err
		}
		if len(list) == maxElements {
			left++
			continue
		}
		list = append(list, value)
	}
	if left > 0 {
		list = append(list, omission(left))
	}
	_, err := d.Token()
	return list, err
}

func render(value any, indent string) string {
	var parts []string
	brackets := "[]"
	inner := indent + "  "
	switch value := value.(type) {
	case object:
		brackets = "{}"
		for _, m := range value {
			parts = append(parts, quote(m.name)+":"+render(m.value, inner))
		}
	case []any:
		for _, element := range value {
			parts = append(parts, render(element, inner))
		}
	case omission:
		return fmt.Sprintf("… %d more", int(value))
	case string:
		return shortened(value)
	case nil:
		return "null"
	default:
		return fmt.Sprint(value)
	}

	line := brackets[:1] + strings.Join(parts, ", ") + brackets[1:]
	if !strings.Contains(line, "\n") && len(indent)+utf8.RuneCountInString(line) <= maxLine {
		return line
	}
	return brackets[:1] + "\n" + inner + strings.Join(parts, ",\n"+inner) + "\n" + indent + brackets[1:]
}

// shortened quotes a string, and cuts what is too long to read.
func shortened(text string) string {
	characters := []rune(text)
	if len(characters) <= maxText {
		return quote(text)
	}
	return fmt.Sprintf("%s… (%d bytes)", quote(string(characters[:maxText])), len(text))
}

func quote(text string) string {
	quoted, _ := json.Marshal(text) // a string never fails
	return string(quoted)
}
