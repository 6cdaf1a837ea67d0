package wirelock

import "strings"

// A settingsReading compares what holds for tasks and results.
type settingsReading struct{ *reading }

// settings compares what holds for all types, and for tasks and results.
func (r *reading) settings() []loss {
	w, f := r.written.settings, r.reads.settings
	all := settingsReading{r.of("")}
	if w.Encryption == "all" || f.Encryption == "all" {
		all.encryption("", "", "settings")
	}
	if !readsEncodings(w.Encodings, f.Encodings) {
		all.lose("settings", "encodings [%s] become [%s]",
			strings.Join(r.oldIndex().settings.Encodings, " "), strings.Join(r.newIndex().settings.Encodings, " "))
		all.remedy("let every reader know an encoding before anybody uses it: see envelope.Encodings")
	}
	if w.Store == "written" && f.Store == "" {
		all.lose("settings", "the payload store is %s", addedOr(r.direction == future))
		all.remedy("let every reader have the store before anybody uses it, and as long as payloads are in it: see envelope.WithStore")
	}
	all.signatures()
	if r.direction == past {
		all.lastSteps()
	}
	return all.losses
}

const signingSteps = "go the steps of SECURITY.md: middleware.SignTasks with AcceptUnsigned and UnsignedResults, then " +
	"without UnsignedResults, then without AcceptUnsigned"

func (r settingsReading) signatures() {
	w, f := r.written.settings, r.reads.settings
	needs := f.Signed && !f.AcceptsUnsigned
	signsResults, readsResults := w.Signed && !w.UnsignedResults, f.Signed
	if needs && !w.Signed {
		r.lose("settings", "signatures are %s, and unsigned tasks are refused", addedOr(r.direction == past))
		r.remedy(signingSteps)
	}
	if needs && !signsResults {
		r.lose("settings", "signatures of results are %s, and unsigned results are refused", addedOr(r.direction == past))
		r.ofResults(signingSteps)
	}
	if signsResults && !readsResults {
		r.lose("settings", "signatures of results are %s, and one side cannot read them", addedOr(r.direction == future))
		r.ofResults(signingSteps)
	}
}

// ofResults notes that the last loss is one of results, with its remedy.
func (r *reading) ofResults(remedy string) {
	last := &r.losses[len(r.losses)-1]
	last.result, last.remedy = true, remedy
}

// lastSteps are those of the migrations to encryption and to signatures: what is refused from then on was not sent by
// the schema before, but by those before it.
func (r settingsReading) lastSteps() {
	w, f := r.written.settings, r.reads.settings
	if w.AllowsUnencrypted && !f.AllowsUnencrypted && f.Encryption != "" {
		r.lose("settings", "AllowUnencrypted is gone")
		r.last("when nothing is left that is not encrypted, delayed tasks, retries, results and dead letters included")
	}
	if w.AcceptsUnsigned && !f.AcceptsUnsigned && f.Signed {
		r.lose("settings", "AcceptUnsigned is gone")
		r.last("when nothing is left that is not signed, delayed tasks, retries, results and dead letters included")
	}
}

// last gives the last loss an order of its own: with it, the loss breaks nothing.
func (r *reading) last(order string) { r.losses[len(r.losses)-1].order = order }
