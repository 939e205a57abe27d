//go:build linux && cgo

// Package malloc tells tests how much memory of C's allocator is in use, which is where the library's memory is.
package malloc

// #include <malloc.h>
import "C"

// InUse gives the bytes that were allocated and not freed, in all threads.
func InUse() uint64 {
	info := C.mallinfo2()
	return uint64(info.uordblks) + uint64(info.hblkhd)
}
