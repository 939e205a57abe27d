package statewright

import (
	"runtime"

	"github.com/statewright/statewright/bindings/go/internal/capi"
)

// MergeOptions say how [Document.Merge] puts two documents together. Zero, and nil, merge objects at every level,
// replace arrays, and take a null as a value.
type MergeOptions struct {
	// Shallow merges the members of the two documents themselves, and replaces these as a whole.
	Shallow bool

	// Arrays is what becomes of two arrays.
	Arrays ArrayMerge

	// Nulls is what a null in the other document means.
	Nulls NullMerge
}

// ArrayMerge is what becomes of two arrays that meet in a merge.
type ArrayMerge uint32

const (
	// ReplaceArrays: the other array takes the place of this one.
	ReplaceArrays ArrayMerge = capi.SW_ARRAYS_REPLACE
	// AppendArrays: the other's items come after this one's.
	AppendArrays ArrayMerge = capi.SW_ARRAYS_APPEND
	// UniteArrays: those of the other's items that this one does not have come after this one's.
	UniteArrays ArrayMerge = capi.SW_ARRAYS_UNION
	// MergeArraysByIndex: items of the same index are merged.
	MergeArraysByIndex ArrayMerge = capi.SW_ARRAYS_BY_INDEX
)

// NullMerge is what a null means in a merge.
type NullMerge uint32

const (
	// KeepNulls: a null is a value as any other.
	KeepNulls NullMerge = capi.SW_NULLS_KEEP
	// SkipNulls: a null means nothing.
	SkipNulls NullMerge = capi.SW_NULLS_SKIP
	// RemoveByNulls: a null removes the member, as in a JSON Merge Patch.
	RemoveByNulls NullMerge = capi.SW_NULLS_REMOVE
)

// Prefer is what [Document.Merge3] takes where both sides have changed one place, each in another way.
type Prefer uint32

const (
	// PreferNone takes ours, and reports the conflict.
	PreferNone Prefer = capi.SW_PREFER_NONE
	// PreferOurs takes ours.
	PreferOurs Prefer = capi.SW_PREFER_OURS
	// PreferTheirs takes theirs.
	PreferTheirs Prefer = capi.SW_PREFER_THEIRS
	// PreferBase takes back both changes.
	PreferBase Prefer = capi.SW_PREFER_BASE
)

// Conflict is a place that two versions have changed, each in another way. A nil side has nothing there.
type Conflict struct {
	Path   string `json:"path"`
	Base   Value  `json:"base"`
	Ours   Value  `json:"ours"`
	Theirs Value  `json:"theirs"`
}

// Merge merges a document or a Go value into this document. Members keep their order, and new ones come after them;
// what is neither an object nor an array gives way to the other.
func (d *Document) Merge(other any, options *MergeOptions) error {
	var low *capi.MergeOptions
	if options != nil {
		low = &capi.MergeOptions{Arrays: uint32(options.Arrays), Nulls: uint32(options.Nulls)}
		if options.Shallow {
			low.Depth = capi.SW_MERGE_SHALLOW
		}
	}
	return with(other, func(other capi.Value) error { return d.end(capi.ValueMerge(d.handle, other, low)) })
}

// Merge3 merges what two sides have made of this document, place by place, and reports the conflicts: places that both
// have changed, each in another way. There, the merged document has our version.
func (d *Document) Merge3(ours, theirs *Document, prefer Prefer) (merged *Document, conflicts []Conflict, err error) {
	handle, reported, err := capi.ValueMerge3(d.handle, ours.handle, theirs.handle, uint32(prefer))
	runtime.KeepAlive(ours)
	runtime.KeepAlive(theirs)
	if merged, err = document(handle, d.end(err)); err != nil {
		return nil, nil, err
	}
	conflicts, err = Decode[[]Conflict](reported)
	return merged, conflicts, err
}
