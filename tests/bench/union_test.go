package main

// UnionPage is a Page for libraries that cannot restore interfaces: the name of the one field that is set tags the kind
// of each block. Marshalers with a tag and a RawMessage would leave the interfaces in place, but scan nested blocks
// once more at each level.
type UnionPage struct {
	Title  string       `json:"title"`
	Blocks []UnionBlock `json:"blocks"`
}

type UnionBlock struct {
	Paragraph *Paragraph    `json:"paragraph,omitempty"`
	Image     *Image        `json:"image,omitempty"`
	Table     *Table        `json:"table,omitempty"`
	Chapter   *UnionChapter `json:"chapter,omitempty"`
}

type UnionChapter struct {
	Heading string       `json:"heading"`
	Blocks  []UnionBlock `json:"blocks"`
}

func unionPage(p Page) UnionPage {
	return UnionPage{Title: p.Title, Blocks: unionBlocks(p.Blocks)}
}

func unionBlocks(blocks []Block) []UnionBlock {
	var unions []UnionBlock
	for _, b := range blocks {
		unions = append(unions, unionBlock(b))
	}
	return unions
}

func unionBlock(b Block) UnionBlock {
	switch b := b.(type) {
	case Paragraph:
		return UnionBlock{Paragraph: &b}
	case Image:
		return UnionBlock{Image: &b}
	case Table:
		return UnionBlock{Table: &b}
	case Chapter:
		return UnionBlock{Chapter: &UnionChapter{Heading: b.Heading, Blocks: unionBlocks(b.Blocks)}}
	}
	panic("no such block")
}
