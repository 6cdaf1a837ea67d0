package wirelock

import (
	"fmt"
	"slices"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope/wireschema"
)

// A typeReading compares the envelopes of one registered type.
type typeReading struct{ *reading }

// registered compares a registered type in envelopes of its own with what it has become.
func (r typeReading) registered(old, current wireschema.Type) {
	if r.direction == past {
		r.leftovers(old, current)
	}
	r.name(old, current)
	r.headers(old, current)
	switch {
	case current.Version == old.Version && r.direction == past:
		r.bodies(old, current)
	case current.Version == old.Version:
		r.bodies(current, old)
	case current.Version > old.Version && r.direction == past:
		r.upgraded(old, current)
	case current.Version > old.Version:
		r.lose(old.Name, "version %d becomes %d", old.Version, current.Version)
	case r.direction == past:
		r.lose(old.Name, "version %d becomes %d, which is lower", old.Version, current.Version)
		r.remedy("never lower a version: give it envelope.Version(%d) again, or a higher one", old.Version)
	case !canUpgrade(old, current.Version):
		r.lose(old.Name, "version %d becomes %d", old.Version, current.Version)
	}
}

// name is for a type that goes by another name now.
func (r typeReading) name(old, current wireschema.Type) {
	if r.direction == future && current.Name != old.Name && !slices.Contains(old.Aliases, current.Name) {
		r.lose(old.Name, "the type is sent as %s", current.Name)
	}
}

// bodies compares the values of two types as they stand in an envelope of their own, where the codec is named.
func (r typeReading) bodies(written, read wireschema.Type) {
	if written.Codec != "" && written.Codec == read.Codec && len(written.Fields) == 0 && len(read.Fields) == 0 {
		return
	}
	written.Codec, read.Codec = "", ""
	if written.Form == "" && read.Form == "" {
		r.structs(written, read)
		return
	}
	r.values(bodyOf(r.written, written), bodyOf(r.reads, read), label(fieldOfOld(r.direction, written, read)))
}

// bodyOf makes the body of a type a form: a struct has a name of its own for that.
func bodyOf(x *index, t wireschema.Type) wireschema.Form {
	if t.Form != "" {
		return parse(t.Form)
	}
	name := "go:=" + t.Name
	t.Name = name
	x.types[name] = t
	return wireschema.Form{Kind: wireschema.Named, Name: name}
}

// upgraded compares what the old program wrote with what the first upgrade reads.
func (r typeReading) upgraded(old, current wireschema.Type) {
	if !canUpgrade(current, old.Version) {
		r.lose(old.Name, "version %d becomes %d, and there is no way from one to the other", old.Version, current.Version)
		r.remedy("register envelope.Upgrade(%d, …), and those for the versions that follow", old.Version)
		return
	}
	form := ""
	for _, upgrade := range current.Upgrades {
		if upgrade.From == old.Version {
			form = upgrade.Form
		}
	}
	first := len(r.losses)
	read := r.reads.resolve(parse(form))
	if old.Codec != "" && !readsCodec(current, old.Codec) {
		return // said of the header
	}
	if old.Form == "" && read.structure != nil {
		r.structs(old, *read.structure)
	} else {
		r.values(bodyOf(r.written, old), parse(form), old.Name)
	}
	for i := range r.losses[first:] {
		l := &r.losses[first+i]
		l.what += fmt.Sprintf(" in what Upgrade(%d) reads", old.Version)
		l.remedy = fmt.Sprintf("let the first type of Upgrade(%d, …) of %s be the type as it was at that version", old.Version, old.Name)
	}
}

// canUpgrade reports whether a type has every step from a version to its own.
func canUpgrade(t wireschema.Type, from int) bool {
	has := map[int]bool{}
	for _, upgrade := range t.Upgrades {
		has[upgrade.From] = true
	}
	for version := from; version < t.Version; version++ {
		if !has[version] {
			return false
		}
	}
	return from <= t.Version
}

// leftovers are messages that old workers read and that senders before them have written.
func (r typeReading) leftovers(old, current wireschema.Type) {
	for _, alias := range old.Aliases {
		if found, ok := r.reads.types[alias]; !ok || found.Name != current.Name {
			r.lose(old.Name, "the alias %s is gone", alias)
			r.remedy("keep envelope.Alias(%q)", alias)
		}
	}
	for version := 1; version < old.Version; version++ {
		if canUpgrade(old, version) && !canUpgrade(current, version) && current.Version >= old.Version {
			r.lose(old.Name, "version %d can no longer be read", version)
			r.remedy("keep envelope.Upgrade(%d, …)", version)
		}
	}
	for _, codec := range old.ReadCodecs {
		if !readsCodec(current, codec) {
			r.lose(old.Name, "the codec %s can no longer be read", codec)
			r.remedy("keep envelope.ReadCodec for %s", codec)
		}
	}
}

func readsCodec(t wireschema.Type, codec string) bool {
	return t.Codec == codec || slices.Contains(t.ReadCodecs, codec)
}

// headers compares what has to agree for an envelope to be opened.
func (r typeReading) headers(old, current wireschema.Type) {
	written, read := old, current
	if r.direction == future {
		written, read = current, old
	}
	encodings := r.reads.encodings(read)
	isExact := r.reads.settings.Encryption != "" || len(encodings) > 0
	switch {
	case written.Codec == read.Codec:
	case written.Codec == "" && isExact:
		r.lose(old.Name, "codec json becomes %s, and types with encodings or a key are read in their codec alone", codecName(current.Codec))
		r.remedy("change the codec in a release of its own, before encodings and keys")
	case written.Codec != "" && !readsCodec(read, written.Codec):
		r.lose(old.Name, "codec %s becomes %s", codecName(old.Codec), codecName(current.Codec))
		r.remedy("keep reading the codec %s by envelope.ReadCodec", codecName(old.Codec))
	}
	if !readsEncodings(r.written.encodings(written), encodings) {
		r.lose(r.placeOfEncodings(old, current), "encodings [%s] become [%s]",
			strings.Join(r.oldIndex().encodings(old), " "), strings.Join(r.newIndex().encodings(current), " "))
		r.remedy("let every reader know an encoding before anybody uses it: see envelope.Encodings")
	}
	r.encryption(written.Name, read.Name, old.Name)
	if old.StaticOnly != current.StaticOnly && read.StaticOnly {
		r.lose(old.Name, "StaticOnly is %s, so that interfaces take it on one side only", addedOr(current.StaticOnly))
	}
}

func (r typeReading) placeOfEncodings(old, current wireschema.Type) string {
	if old.Encodings == nil && current.Encodings == nil {
		return "settings"
	}
	return old.Name
}

func (r *reading) oldIndex() *index {
	if r.direction == past {
		return r.written
	}
	return r.reads
}

func (r *reading) newIndex() *index {
	if r.direction == past {
		return r.reads
	}
	return r.written
}

// readsEncodings reports whether a reader takes every payload with the encodings of a writer, of which some may have
// been left out.
func readsEncodings(written, read []string) bool {
	written = slices.DeleteFunc(slices.Clone(written), isReadOnly)
	for _, known := range read {
		name, isOptional := strings.CutSuffix(strings.TrimSuffix(known, readOnly), "?")
		if len(written) > 0 && strings.TrimSuffix(written[0], "?") == name {
			if strings.HasSuffix(written[0], "?") && !isOptional {
				return false
			}
			written = written[1:]
		} else if !isOptional {
			return false
		}
	}
	return len(written) == 0
}

// readOnly ends the name of a compression that is read and never used.
const readOnly = "-"

func isReadOnly(encoding string) bool { return strings.HasSuffix(encoding, readOnly) }

// encryption compares whether envelopes of a form are encrypted and have to be.
func (r *reading) encryption(written, read, where string) {
	writes, needs := r.written.isEncrypted(written), r.reads.isEncrypted(read)
	if r.written.settings.Encryption == "all" || r.reads.settings.Encryption == "all" {
		where = "settings"
	}
	switch {
	case writes && r.reads.settings.Encryption == "":
		r.lose(where, "encryption is %s, and one side has no key", addedOr(r.direction == future))
	case needs && !writes && !r.reads.settings.AllowsUnencrypted:
		r.lose(where, "encryption is %s, and what is not encrypted is refused", addedOr(r.direction == past))
	default:
		return
	}
	r.remedy("bring it into use in the steps of SECURITY.md: envelope.EncryptMarked, then envelope.AllowUnencrypted, then without")
}
