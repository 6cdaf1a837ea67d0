package tsp

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
)

// The picture, in pixels. Its map is as wide as the picture without the margins, and as high as the cities need.
const (
	pictureWidth  = 1000
	pictureMargin = 50
	titleHeight   = 90
	minMapHeight  = 250
	maxMapHeight  = 1400
)

// WritePicture draws a tour as an SVG into a file, which it creates or overwrites. Its errors are those of the file.
func WritePicture(path string, problem Problem, tour Tour) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(file)
	drawPicture(out, problem, tour)
	if err := out.Flush(); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

// drawPicture draws a tour as an SVG. The writer keeps its errors for its user.
func drawPicture(out io.Writer, problem Problem, tour Tour) {
	m := newMap(problem)
	title := escaped(fmt.Sprintf("%s, %d cities", problem.Name, len(problem.Cities)))
	verdict := escaped(fmt.Sprintf("length %d, %s", tour.Length, problem.Verdict(tour)))
	height := m.height + titleHeight + 2*pictureMargin

	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" width="%d" height="%.0f" font-family="Helvetica, Arial, sans-serif">
<title>%s: %s</title>
<rect width="100%%" height="100%%" fill="#fbfaf7"/>
<text x="%d" y="62" font-size="34" font-weight="bold" fill="#17324d">%s</text>
<text x="%d" y="98" font-size="21" fill="#5b7083">%s</text>
`, pictureWidth, height, pictureWidth, height, title, verdict, pictureMargin, title, pictureMargin, verdict)

	fmt.Fprint(out, `<path fill="#d8ebe7" fill-rule="evenodd" stroke="#17806d" stroke-linejoin="round" `)
	fmt.Fprintf(out, `stroke-width="%.1f" d="`, m.pen)
	for i, city := range tour.Order {
		x, y := m.place(problem.Cities[city])
		fmt.Fprintf(out, "%c%.1f %.1f", "ML"[min(i, 1)], x, y)
	}
	fmt.Fprint(out, "Z\"/>\n<g fill=\"#e4572e\" stroke=\"#fbfaf7\">\n")
	for i, city := range problem.Cities {
		x, y := m.place(city)
		fmt.Fprintf(out, `<circle cx="%.1f" cy="%.1f" r="%.1f"><title>%d</title></circle>`+"\n", x, y, 1.9*m.pen, i+1)
	}
	fmt.Fprint(out, "</g>\n</svg>\n")
}

// pictureMap says where cities stand in the picture.
type pictureMap struct {
	west, north float64
	scale       float64
	// The offsets put cities that need little room in the middle of the picture.
	offsetX, offsetY float64
	height           float64
	pen              float64
}

func newMap(problem Problem) pictureMap {
	west, east := math.Inf(1), math.Inf(-1)
	south, north := math.Inf(1), math.Inf(-1)
	for _, city := range problem.Cities {
		west, east = min(west, city.X), max(east, city.X)
		south, north = min(south, city.Y), max(north, city.Y)
	}

	width := float64(pictureWidth - 2*pictureMargin)
	scale := min(width/max(east-west, 1e-9), maxMapHeight/max(north-south, 1e-9))
	drawn := (north - south) * scale
	height := max(drawn, minMapHeight)
	return pictureMap{
		west: west, north: north, scale: scale, height: height,
		offsetX: (width - (east-west)*scale) / 2, offsetY: (height - drawn) / 2,
		pen: min(max(60/math.Sqrt(float64(len(problem.Cities))), 0.8), 3.5),
	}
}

// place is where a city stands. Maps have their north at the top, and pictures their zero.
func (m pictureMap) place(city City) (x, y float64) {
	x = pictureMargin + m.offsetX + (city.X-m.west)*m.scale
	y = titleHeight + pictureMargin + m.offsetY + (m.north-city.Y)*m.scale
	return x, y
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder takes everything
	return b.String()
}
