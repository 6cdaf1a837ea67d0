package main

import "fmt"

// Page is a document whose blocks are of several kinds, and of which one holds blocks itself.
type Page struct {
	Title  string  `json:"title"`
	Blocks []Block `json:"blocks"`
}

type Block interface{ block() }

type Paragraph struct {
	Text string `json:"text"`
}

type Image struct {
	URL    string `json:"url"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

type Table struct {
	Rows [][]string `json:"rows"`
}

type Chapter struct {
	Heading string  `json:"heading"`
	Blocks  []Block `json:"blocks"`
}

func (Paragraph) block() {}
func (Image) block()     {}
func (Table) block()     {}
func (Chapter) block()   {}

func newPage() Page {
	return Page{Title: "Field guide", Blocks: newBlocks(3)}
}

// newBlocks is one block of each kind, with two chapters of them nested depth deep.
func newBlocks(depth int) []Block {
	blocks := []Block{
		Paragraph{Text: "The heron stands still for hours, then strikes faster than the eye follows."},
		Image{URL: "https://example.com/heron.jpg", Width: 1600, Height: 900},
		Table{Rows: [][]string{{"bird", "wingspan"}, {"grey heron", "1.75 m"}, {"great egret", "1.50 m"}}},
	}
	if depth == 0 {
		return blocks
	}
	for i := range 2 {
		heading := fmt.Sprintf("Chapter %d.%d", depth, i)
		blocks = append(blocks, Chapter{Heading: heading, Blocks: newBlocks(depth - 1)})
	}
	return blocks
}
