package browser

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/tests/inspecttest"
)

// pages are one of each kind.
var pages = []string{
	"", "workers", "redis/queue?queue=orders", "redis/queue?queue=idle", "redis/queue?queue=orders&state=delayed",
	"redis/task?uuid=" + inspecttest.PlacedUUID, "redis/task?uuid=" + inspecttest.ChainUUID, "redis/task?uuid=" + inspecttest.DoneUUID,
	"redis/group?uuid=" + inspecttest.GroupUUID, "redis/dead?queue=orders", "redis/letter?queue=orders&letter=letter-3",
}

// faults are what keeps people out who use a keyboard or a screen reader, as far as the document tells.
const faults = `(() => {
	const found = [];
	const name = e => e.getAttribute("aria-label") || e.labels?.[0]?.innerText || e.innerText?.trim() || e.textContent.trim();
	if (document.documentElement.lang !== "en") found.push("no language");
	for (const only of ["h1", "main", "header", "footer", "title"])
		if (document.querySelectorAll(only).length !== 1 + (only === "title" ? document.querySelectorAll("svg title").length : 0)) found.push("not one " + only);
	for (const e of document.querySelectorAll("a, button, summary, input:not([type=hidden]), nav, [role=region], [role=img], [role=group], form[aria-label], progress"))
		if (!name(e)) found.push("no name: " + e.outerHTML.slice(0, 200));
	for (const e of document.querySelectorAll("nav, [role=region], table")) {
		const same = [...document.querySelectorAll(e.tagName === "TABLE" ? "table" : "nav, [role=region]")].filter(o => (o.caption?.innerText || o.getAttribute("aria-label")) === (e.caption?.innerText || e.getAttribute("aria-label")));
		if (same.length > 1) found.push("two of the same name: " + e.outerHTML.slice(0, 200));
	}
	for (const e of document.querySelectorAll("table")) {
		if (!e.caption?.textContent.trim()) found.push("table without a caption");
		for (const h of e.querySelectorAll("th")) if (!h.scope) found.push("heading without a scope: " + h.outerHTML);
		for (const row of e.tBodies[0].rows) if (row.cells[0].scope !== "row") found.push("row without a heading");
		for (const h of e.tHead.querySelectorAll("th")) if (!h.textContent.trim()) found.push("column without a heading");
	}
	const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
	if (new Set(ids).size !== ids.length) found.push("an id twice");
	let level = 0;
	for (const e of document.querySelectorAll("h1, h2, h3, h4")) {
		const l = +e.tagName[1];
		if (l > level + 1) found.push("a level of headings left out: " + e.innerText);
		level = l;
	}
	for (const e of document.querySelectorAll("[tabindex]")) if (e.tabIndex > 0) found.push("an order of its own: " + e.outerHTML);
	for (const e of document.querySelectorAll(".scroll")) if (e.tabIndex !== 0) found.push("scrolls without keys: " + e.outerHTML.slice(0, 200));
	return found;
})()`

// faint are the texts that have less contrast than WCAG asks for at level AA: 4.5, or 3 for large ones.
const faint = `(() => {
	const parse = c => { const m = c.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
	const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
	const background = e => {
		const layers = [];
		for (; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
		const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0, 1] : [255, 255, 255, 1];
		return layers.reverse().reduce((below, top) => over(top, below), canvas);
	};
	const luminance = c => { const [r, g, b] = c.map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
	const found = new Set();
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n = walker.nextNode(); n; n = walker.nextNode()) {
		const e = n.parentElement;
		if (!n.textContent.trim() || !e.checkVisibility() || e.closest(".hidden, .skip, script")) continue;
		const style = getComputedStyle(e);
		const color = parse(e.closest("svg text") ? style.fill : style.color);
		const behind = background(e.closest("svg text") ? e.closest(".card") : e);
		const size = parseFloat(style.fontSize);
		const least = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700) ? 3 : 4.5;
		const is = contrast(over(color, behind), behind);
		if (is < least) found.add(is.toFixed(2) + ": " + e.className + " " + n.textContent.trim().slice(0, 40));
	}
	for (const e of document.querySelectorAll("button, .button, input:not([type=hidden])")) {
		if (!e.checkVisibility()) continue;
		const style = getComputedStyle(e);
		if (contrast(parse(style.borderTopColor), background(e.parentElement)) < 3) found.add("edge of " + e.outerHTML);
	}
	return [...found];
})()`

func TestEveryPageCanBeReadAndUsedByEverybody(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	for _, page := range pages {
		b.visit(page)
		for _, fault := range evaluate[[]string](b, faults) {
			t.Errorf("%s: %s", page, fault)
		}
	}
}

func TestEveryTextHasContrastInLightAndDark(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	for _, scheme := range []string{"light", "dark"} {
		b.show(1280, scheme)
		for _, page := range pages {
			b.visit(page)
			for _, text := range evaluate[[]string](b, faint) {
				t.Errorf("%s, %s: %s", page, scheme, text)
			}
		}
	}
}

// mustHaveNames are the roles of which a screen reader says the name.
var mustHaveNames = []string{"link", "button", "searchbox", "textbox", "table", "navigation", "region", "image", "img", "DisclosureTriangle", "heading"}

func TestWhatAScreenReaderGetsHasRolesAndNames(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	for _, page := range pages {
		b.visit(page)
		roles := map[string]int{}
		for _, node := range b.accessibilityTree() {
			role, name := fmt.Sprint(node.Role.Value), fmt.Sprint(node.Name.Value)
			roles[role]++
			if slices.Contains(mustHaveNames, role) && name == "" {
				t.Errorf("%s: a %s has no name", page, role)
			}
		}
		for _, role := range []string{"banner", "main", "contentinfo", "navigation", "search"} {
			if roles[role] == 0 {
				t.Errorf("%s: there is no %s among %v", page, role, roles)
			}
		}
	}
}

// An accessibleNode is what a screen reader gets of an element. The type of cdproto fails on newer Chromiums, which know
// more properties than it does.
type accessibleNode struct {
	Ignored bool            `json:"ignored"`
	Role    accessibleValue `json:"role"`
	Name    accessibleValue `json:"name"`
}

type accessibleValue struct {
	Value any `json:"value"`
}

func (b *tab) accessibilityTree() []accessibleNode {
	b.t.Helper()
	var tree struct {
		Nodes []accessibleNode `json:"nodes"`
	}
	b.run(chromedp.ActionFunc(func(ctx context.Context) error {
		return cdp.Execute(ctx, accessibility.CommandGetFullAXTree, nil, &tree)
	}))
	return slices.DeleteFunc(tree.Nodes, func(n accessibleNode) bool { return n.Ignored })
}

// focusable are the elements that Tab goes to, in the order of the document. They are looked up each time: the page may
// have been brought up to date meanwhile.
const focusable = `[...document.querySelectorAll("a[href], button, summary, input:not([type=hidden]), [tabindex='0']")]
	.filter(e => e.checkVisibility())`

// focused is the place of what has the focus among them, if the focus can be seen, or else -1.
const focused = `(() => {
	const e = document.activeElement, style = getComputedStyle(e);
	return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 ? ` + focusable + `.indexOf(e) : -1;
})()`

func TestTabGoesThroughThePageInItsOrderAndTheFocusIsSeen(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	for _, page := range []string{"", "redis/queue?queue=idle", "redis/task?uuid=" + inspecttest.PlacedUUID, "redis/letter?queue=orders&letter=letter-3"} {
		b.visit(page)
		n := evaluate[int](b, focusable+".length")
		for i := range n {
			b.run(chromedp.KeyEvent(kb.Tab))
			if at := evaluate[int](b, focused); at != i {
				t.Fatalf("%s: Tab %d leads to %d, which is %s", page, i, at, evaluate[string](b, "document.activeElement.outerHTML"))
			}
		}
	}
}

func TestTheKeyboardAloneIsEnoughToAct(t *testing.T) {
	source := filled(t)
	b := open(t, []inspect.Source{source})
	b.visit("redis/letter?queue=orders&letter=letter-4")
	b.run(chromedp.Focus(`//summary[starts-with(., "Drop")]`, chromedp.BySearch), chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
	b.awaitText("The dead letter is dropped.")
	if dead := queueOf(t, source, "orders").Dead; dead != inspecttest.Letters-1 {
		t.Errorf("%d are left", dead)
	}
}
