package tsp

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// drawn is what a reader of XML finds in a picture.
type drawn struct {
	cities []xml.StartElement
	paths  []string
	text   string
}

func draw(t *testing.T, problem Problem) drawn {
	order := make([]int, len(problem.Cities))
	for city := range order {
		order[city] = city
	}
	var out bytes.Buffer
	drawPicture(&out, problem, Tour{Order: order, Length: problem.Length(order)})

	var found drawn
	d := xml.NewDecoder(&out)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.CharData:
			found.text += string(token)
		case xml.StartElement:
			switch token.Name.Local {
			case "circle":
				found.cities = append(found.cities, token.Copy())
			case "path":
				found.paths = append(found.paths, attribute(token, "d"))
			}
		}
	}
}

func attribute(element xml.StartElement, name string) string {
	for _, attribute := range element.Attr {
		if attribute.Name.Local == name {
			return attribute.Value
		}
	}
	return ""
}

func TestPictureShowsEveryCityAndTheTour(t *testing.T) {
	problem, err := Berlin52()
	require.NoError(t, err)
	found := draw(t, problem)
	assert.Len(t, found.cities, 52)
	require.Len(t, found.paths, 1)
	assert.Equal(t, 1, strings.Count(found.paths[0], "M"))
	assert.Equal(t, 51, strings.Count(found.paths[0], "L"))
	assert.True(t, strings.HasSuffix(found.paths[0], "Z"), "the tour is closed")
	assert.Contains(t, found.text, "berlin52, 52 cities")
	assert.Contains(t, found.text, "over the proven optimum of 7542")
}

func TestPictureHasRoomForAllCities(t *testing.T) {
	problems := map[string][]City{
		"one place":    {{7, 7}, {7, 7}, {7, 7}},
		"a wide line":  {{-1e9, 5}, {1e9, 5}, {0, 5}},
		"a high line":  {{5, -1e9}, {5, 1e9}, {5, 0}},
		"a tiny place": {{0, 0}, {1e-12, 0}, {0, 1e-12}},
		"a square":     {{0, 0}, {1, 0}, {1, 1}, {0, 1}},
	}
	for name, cities := range problems {
		t.Run(name, func(t *testing.T) {
			found := draw(t, Problem{Name: name, Cities: cities})
			require.Len(t, found.cities, len(cities))
			for _, city := range found.cities {
				assertWithin(t, attribute(city, "cx"), pictureMargin, pictureWidth-pictureMargin)
				assertWithin(t, attribute(city, "cy"), pictureMargin+titleHeight, pictureMargin+titleHeight+maxMapHeight)
			}
		})
	}
}

func assertWithin(t *testing.T, text string, low, high float64) {
	number, err := strconv.ParseFloat(text, 64)
	require.NoError(t, err)
	assert.False(t, math.IsNaN(number) || number < low-0.1 || number > high+0.1, text)
}

func TestPictureHasTheNorthAtTheTop(t *testing.T) {
	found := draw(t, Problem{Cities: []City{{0, 0}, {0, 10}, {10, 0}}})
	require.Len(t, found.cities, 3)
	south, err := strconv.ParseFloat(attribute(found.cities[0], "cy"), 64)
	require.NoError(t, err)
	north, err := strconv.ParseFloat(attribute(found.cities[1], "cy"), 64)
	require.NoError(t, err)
	assert.Less(t, north, south)
}

func TestPictureTakesAnyName(t *testing.T) {
	found := draw(t, Problem{Name: `<script>"&'`, Cities: []City{{0, 0}, {0, 10}, {10, 0}}})
	assert.Contains(t, found.text, `<script>"&', 3 cities`)
}

func TestWritePictureSaysWhyItCannot(t *testing.T) {
	err := WritePicture(t.TempDir()+"/missing/out.svg", Problem{}, Tour{})
	assert.ErrorContains(t, err, "no such file or directory")
}
