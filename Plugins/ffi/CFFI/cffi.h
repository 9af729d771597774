/* libffi for Swift. The functions below stand for what the importer cannot see or may not touch: variables of
 * libffi (Swift takes them for shared mutable state) and GNU extensions of the dynamic linker. */
#ifndef CFFI_H
#define CFFI_H
#include <ffi.h>

static inline ffi_type *cffi_void(void) { return &ffi_type_void; }
static inline ffi_type *cffi_pointer(void) { return &ffi_type_pointer; }
static inline ffi_type *cffi_i8(void) { return &ffi_type_sint8; }
static inline ffi_type *cffi_i16(void) { return &ffi_type_sint16; }
static inline ffi_type *cffi_i32(void) { return &ffi_type_sint32; }
static inline ffi_type *cffi_i64(void) { return &ffi_type_sint64; }
static inline ffi_type *cffi_u8(void) { return &ffi_type_uint8; }
static inline ffi_type *cffi_u16(void) { return &ffi_type_uint16; }
static inline ffi_type *cffi_u32(void) { return &ffi_type_uint32; }
static inline ffi_type *cffi_u64(void) { return &ffi_type_uint64; }
static inline ffi_type *cffi_f32(void) { return &ffi_type_float; }
static inline ffi_type *cffi_f64(void) { return &ffi_type_double; }

/* GNU extensions, under names of our own: their headers declare them only with _GNU_SOURCE, which would make
 * other declarations differ from those that Swift's Glibc has. */
int cffi_dlinfo(void *library, int request, void *result) __asm__("dlinfo");
int cffi_dladdr(const void *address, void *result) __asm__("dladdr");
/* "ENOENT", and what it means; NULL for numbers that are no errors. */
const char *cffi_error_name(int number) __asm__("strerrorname_np");
const char *cffi_error_words(int number) __asm__("strerrordesc_np");

/* The file of an open library; NULL if the linker does not say. */
static inline const char *cffi_file_of(void *library) {
  struct { unsigned long base; const char *name; } *map = 0; /* the beginning of struct link_map */
  return cffi_dlinfo(library, 2 /* RTLD_DI_LINKMAP */, &map) == 0 && map ? map->name : 0;
}

/* The file that a function stands in; NULL if none is known. */
static inline const char *cffi_file_with(const void *address) {
  struct { const char *file; void *base; const char *name; void *symbol; } info = {0, 0, 0, 0}; /* Dl_info */
  return cffi_dladdr(address, &info) ? info.file : 0;
}
#endif
