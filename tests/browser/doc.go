// Package browser tests the page of package inspect in a real browser: Chromium, driven by chromedp. It is a module of
// its own, so that nobody else gets chromedp. It consists of tests alone.
package browser
