package browser

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/RichardKnop/machinery/v2/tasks"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/machinery-envelope/machinery-envelope/adapters/inspect"
	"github.com/machinery-envelope/machinery-envelope/tests/inspecttest"
)

func mustHave(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("there is no %q in\n%s", part, text)
		}
	}
}

func queueOf(t *testing.T, source inspect.Source, name string) inspect.Queue {
	t.Helper()
	queues, err := source.Queues(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range queues {
		if q.Name == name {
			return q
		}
	}
	t.Fatalf("there is no queue %s", name)
	return inspect.Queue{}
}

func TestTheOverviewShowsEveryQueueAndUpdatesItself(t *testing.T) {
	source, down := filled(t), inspecttest.New("rabbitmq")
	down.Fail(errors.New("connection refused"))
	b := open(t, []inspect.Source{source, down})
	b.visit("")
	b.awaitText("1,000,000")
	mustHave(t, b.text(), "orders", "reports", "Waiting tasks", "rabbitmq has not answered since", inspecttest.Script)
	b.await("document.getElementById('connection').textContent === 'Live'")
	source.AddTask("idle", inspect.Waiting, &tasks.Signature{UUID: "task_new", Name: "new"})
	b.await("[...document.querySelectorAll('tr')].some(row => row.innerText.replace(/\\s+/g, ' ').startsWith('idle 1'))")
	down.Fail(nil)
	b.await("!document.body.innerText.includes('has not answered')")
}

func TestTheFocusAndWhatIsOpenStayWhenThePageUpdatesItself(t *testing.T) {
	source := filled(t)
	b := open(t, []inspect.Source{source})
	b.visit("redis/task?uuid=" + inspecttest.PlacedUUID)
	b.await("document.getElementById('connection').textContent === 'Live'")
	b.click("8 members")
	b.run(chromedp.Focus(`//summary[starts-with(., "Delete")]`, chromedp.BySearch))
	source.SetState(&tasks.TaskState{TaskUUID: inspecttest.PlacedUUID, State: tasks.StateReceived})
	b.awaitText("RECEIVED")
	if evaluate[bool](b, "document.querySelector('.tree details').open") {
		t.Error("it has opened again")
	}
	if focused := evaluate[string](b, "document.activeElement.innerText"); focused != "Delete…" {
		t.Errorf("the focus is on %q", focused)
	}
}

func TestATaskIsATreeWithWhatIsEncryptedAndWithoutSecrets(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	b.visit("redis/task?uuid=" + inspecttest.PlacedUUID)
	text := b.text()
	mustHave(t, text, "orders.Order", "customer", "42", "payments.Card", "hidden", inspecttest.Script)
	if strings.Contains(evaluate[string](b, "document.documentElement.outerHTML"), inspecttest.CardNumber) {
		t.Error("it has the secret")
	}
	b.visit("redis/task?uuid=" + inspecttest.PatientUUID)
	mustHave(t, b.text(), "clinic.Patient", "encoding aead", inspecttest.BloodGroup)
}

func TestAChainIsAGraphWhoseTasksCanBeFollowed(t *testing.T) {
	source := filled(t)
	b := open(t, []inspect.Source{source})
	b.visit("redis/task?uuid=" + inspecttest.ChainUUID)
	mustHave(t, b.text(), "reports.fetch", "reports.render", "reports.mail", "on error")
	b.run(chromedp.Click(`.graph a:nth-of-type(2)`, chromedp.ByQuery))
	b.awaitText("task_chain_2")
	b.visit("redis/task?uuid=" + inspecttest.MemberUUID)
	b.run(chromedp.Click(`.graph a[aria-label^="group"]`, chromedp.ByQuery))
	b.awaitText("Group of 5")
}

func TestNothingHostileIsExecuted(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	for _, page := range []string{
		"", "redis/queue?queue=%3Cscript%3Edocument.title+%3D+%22executed%22%3C%2Fscript%3E", "redis/task?uuid=task_%3Cb%3Ebold%3C/b%3E",
		"redis/task?uuid=..", "redis/dead?queue=orders", "redis/letter?queue=reports&letter=letter-broken", "workers",
	} {
		b.visit(page)
		if title := evaluate[string](b, "document.title"); !strings.HasSuffix(title, "· Machinery") {
			t.Errorf("%s has the title %q", page, title)
		}
		if n := evaluate[int](b, "document.querySelectorAll('script:not([src]), img, b').length"); n != 0 {
			t.Errorf("%s has %d elements of a message", page, n)
		}
	}
}

func TestAFilterChoosesAndTheseAreReplayed(t *testing.T) {
	source := filled(t)
	b := open(t, []inspect.Source{source})
	b.visit("redis/dead?queue=orders")
	b.run(sendFilter("order.customer.id = 42"))
	b.click("Apply")
	b.awaitText("Looked at 120, and found 40")
	if strings.Contains(evaluate[string](b, "location.pathname + location.search + location.hash"), "42") {
		t.Error("the value is in the URL")
	}
	b.click("Replay these")
	b.awaitText("40 dead letters")
	if dead := queueOf(t, source, "orders").Dead; dead != inspecttest.Letters {
		t.Errorf("%d are left before it is said", dead)
	}
	b.click("Replay 40 dead letters")
	b.awaitText("40 of 40 replayed")
	if dead := queueOf(t, source, "orders").Dead; dead != inspecttest.Letters-40 {
		t.Errorf("%d are left", dead)
	}
}

func TestAFilterThatCannotBeReadSaysWhere(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	b.visit("redis/queue?queue=orders")
	b.run(sendFilter("task = = 5"))
	b.click("Apply")
	b.awaitText("The filter cannot be read. Column ")
	mustHave(t, b.text(), "For example:")
	if evaluate[string](b, "document.getElementById('filter').value") != "task = = 5" {
		t.Error("what was written is gone")
	}
}

func TestAQueueIsPausedAndResumed(t *testing.T) {
	source := filled(t)
	b := open(t, []inspect.Source{source})
	b.visit("redis/queue?queue=orders")
	b.click("Pause")
	b.awaitText("The queue is paused.")
	if !queueOf(t, source, "orders").Paused {
		t.Error("it is not")
	}
	b.click("Resume")
	b.awaitText("The queue is resumed.")
	if queueOf(t, source, "orders").Paused {
		t.Error("it is not")
	}
}

func TestTasksAndLettersAreActedOnOneByOne(t *testing.T) {
	source := filled(t)
	b := open(t, []inspect.Source{source})
	b.visit("redis/task?uuid=" + inspecttest.PlacedUUID)
	b.click("Delete…")
	b.click("Delete this task")
	b.awaitText("The task is deleted.")
	b.visit("redis/task?uuid=" + inspecttest.LaterUUID)
	b.click("Run now")
	b.awaitText("waits to be run now")
	b.visit("redis/letter?queue=orders&letter=letter-3")
	b.click("Replay")
	b.awaitText("sent again")
	b.visit("redis/letter?queue=orders&letter=letter-4")
	b.click("Drop…")
	b.click("Drop this letter")
	b.awaitText("dropped")
	q := queueOf(t, source, "orders")
	if q.Waiting != 133 || q.Delayed != 0 || q.Dead != inspecttest.Letters-2 {
		t.Errorf("the queue has %+v", q)
	}
}

// What the page shows may be gone by then: the browser would report an error.
func TestPageIsNotFetchedAgainWhileAnActionIsOnItsWay(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	b.visit("redis/letter?queue=orders&letter=letter-4")
	fetched := evaluate[[]int](b, `(() => {
		let fetched = 0, aborted = 0;
		window.fetch = (_, { signal }) => {
			fetched++;
			signal.addEventListener("abort", () => aborted++);
			return new Promise((_, reject) => signal.addEventListener("abort", reject));
		};
		loading = false;
		load();
		const submit = () => document.querySelector("form[method=post]").dispatchEvent(new Event("submit", { bubbles: true }));
		submit();
		loading = false;
		load();
		const meanwhile = fetched;
		window.dispatchEvent(new Event("pageshow"));
		load();
		return [aborted, meanwhile, fetched];
	})()`)
	if want := []int{1, 1, 2}; !slices.Equal(fetched, want) {
		t.Errorf("aborted, fetched meanwhile, and after: %v, want %v", fetched, want)
	}
}

func TestReadOnlyHasNothingToActWith(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)}, inspect.WithReadOnly())
	for _, page := range pages {
		b.visit(page)
		mustHave(t, b.text(), "Read only")
		if n := evaluate[int](b, "document.querySelectorAll('form[method=post]:not(.filter)').length"); n != 0 {
			t.Errorf("%s has %d forms", page, n)
		}
	}
}

func TestAPhoneShowsEveryPageWithoutScrollingSideways(t *testing.T) {
	b := open(t, []inspect.Source{filled(t)})
	b.show(375, "light")
	for _, page := range pages {
		b.visit(page)
		if width := evaluate[int](b, "document.documentElement.scrollWidth"); width > 375 {
			t.Errorf("%s is %d wide", page, width)
		}
		if small := evaluate[[]string](b, tooSmall); len(small) > 0 {
			t.Errorf("%s: too small for a finger: %q", page, small)
		}
	}
}

// tooSmall are the buttons and fields that are lower than 24 pixels, the least of WCAG 2.2.
const tooSmall = `[...document.querySelectorAll("button, .button, summary, input:not([type=hidden]), nav a")]
	.filter(e => e.checkVisibility() && !e.closest(".tree, .crumbs") && e.getBoundingClientRect().height < 24).map(e => e.outerHTML)`

func TestEverythingWorksWithoutScripts(t *testing.T) {
	source := filled(t)
	b := open(t, []inspect.Source{source})
	b.run(emulation.SetScriptExecutionDisabled(true))
	b.visit("")
	b.click("orders")
	b.awaitText(inspecttest.PlacedUUID)
	mustHave(t, b.text(), "Reload to see changes")
	b.click("Pause")
	b.awaitText("The queue is paused.")
	b.click("120")
	b.awaitText("payment refused")
	b.click("Drop these")
	b.awaitText("120 dead letters")
	b.click("Drop 120 dead letters")
	b.awaitText("120 of 120 dropped")
}
