/* libffi for Swift. The functions below stand for what the importer cannot see or may not touch: variables of
 * libffi (Swift takes them for shared mutable state) and GNU extensions of the dynamic linker. */
#ifndef CFFI_H
#define CFFI_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <ffi.h>
#include <link.h>
#include <string.h>

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

/* The file of an open library; NULL if the linker does not say. */
static inline const char *cffi_file_of(void *library) {
  struct link_map *map = 0;
  return dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 && map ? map->l_name : 0;
}

/* The file that a function stands in; NULL if none is known. */
static inline const char *cffi_file_with(const void *address) {
  Dl_info info = {0, 0, 0, 0};
  return dladdr(address, &info) ? info.dli_fname : 0;
}

/* "ENOENT", and what it means; NULL for numbers that are no errors. */
static inline const char *cffi_error_name(int number) { return strerrorname_np(number); }
static inline const char *cffi_error_words(int number) { return strerrordesc_np(number); }
#endif
