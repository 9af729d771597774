/* CPython's types and constants as they are in every release from 3.9 to 3.14 with its one lock. What differs
 * between them is in python_api.h. */
#ifndef NSGI_PYTHON_TYPES_H
#define NSGI_PYTHON_TYPES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

typedef long Py_ssize_t;
typedef struct PyObject PyObject;
typedef struct PyTypeObject PyTypeObject;
struct PyObject {
  int32_t count;        /* references; negative for an object that never goes (3.12 and later) */
  int32_t upper;        /* the other half of the count */
  PyTypeObject *ob_type;
};
#define PyObject_HEAD PyObject ob_base;

typedef PyObject *(*PyCFunction)(PyObject *, PyObject *);
typedef PyObject *(*vectorcallfunc)(PyObject *, PyObject *const *, size_t, PyObject *);
typedef void (*destructor)(PyObject *);
typedef PyObject *(*getiterfunc)(PyObject *);
typedef PyObject *(*iternextfunc)(PyObject *);

/* Slots that the plugin has no use for are numbers here. */
typedef struct { Py_ssize_t (*sq_length)(PyObject *); } PySequenceMethods;
typedef struct { Py_ssize_t (*mp_length)(PyObject *); } PyMappingMethods;
struct PyTypeObject {
  PyObject ob_base;
  Py_ssize_t ob_size;
  const char *tp_name;
  Py_ssize_t tp_basicsize, tp_itemsize;
  uintptr_t dealloc, vectorcall_offset, getattr, setattr, as_async, repr, as_number;
  PySequenceMethods *tp_as_sequence;
  PyMappingMethods *tp_as_mapping;
  uintptr_t hash, call, str, getattro, setattro, as_buffer;
  unsigned long tp_flags;
  uintptr_t doc, traverse, clear, richcompare, weaklistoffset, iter, iternext, methods, members, getset, base,
      dict, descr_get, descr_set, dictoffset, init;
  PyObject *(*tp_alloc)(PyTypeObject *, Py_ssize_t);
  void *tp_new;
  void (*tp_free)(void *);
};
_Static_assert(offsetof(PyTypeObject, tp_as_sequence) == 104, "layout of PyTypeObject");
_Static_assert(offsetof(PyTypeObject, tp_flags) == 168, "layout of PyTypeObject");
_Static_assert(offsetof(PyTypeObject, tp_alloc) == 304, "layout of PyTypeObject");

typedef struct { const char *ml_name; PyCFunction ml_meth; int ml_flags; const char *ml_doc; } PyMethodDef;
typedef struct { const char *name; int type; Py_ssize_t offset; int flags; const char *doc; } PyMemberDef;
typedef struct { int slot; void *pfunc; } PyType_Slot;
typedef struct {
  const char *name;
  int basicsize, itemsize;
  unsigned flags;
  PyType_Slot *slots;
} PyType_Spec;
typedef struct {
  void *buf;
  PyObject *obj;
  Py_ssize_t len, itemsize;
  int readonly, ndim;
  char *format;
  Py_ssize_t *shape, *strides, *suboffsets;
  void *internal;
} Py_buffer;
_Static_assert(sizeof(Py_buffer) == 80, "layout of Py_buffer");

typedef struct PyThreadState { void *unknown; } PyThreadState;
typedef struct PyInterpreterState { void *unknown; } PyInterpreterState;
typedef struct { int type; const char *func, *err_msg; int exitcode; } PyStatus;
typedef struct { Py_ssize_t length; wchar_t **items; } PyWideStringList;
/* Room for those of any release. */
typedef struct { uint64_t words[32]; } PyPreConfig;
typedef struct { uint64_t words[128]; } PyConfig;

#define METH_FASTCALL 0x0080
#define T_PYSSIZET 19
#define READONLY 1
#define PyBUF_SIMPLE 0
#define PyBUF_WRITABLE 1
#define Py_file_input 257
#define Py_tp_call 50
#define Py_tp_dealloc 52
#define Py_tp_iter 62
#define Py_tp_iternext 63
#define Py_tp_methods 64
#define Py_tp_members 72

#endif
