/* CPython's C API for Swift: what the importer sees by itself, and inline functions for what is a macro
 * there. The records below are the instance layouts of the plugin's own Python types: their first member is
 * a macro too. */
#ifndef NSGI_CPYTHON_SHIMS_H
#define NSGI_CPYTHON_SHIMS_H
/* Before Python.h, which asks for more of the C library than Swift's own view of it has: the two would
 * differ. */
#include <features.h>
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- Instances ---- */

/* start_response of one request. */
typedef struct {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  uint64_t id;             /* the request; 0 when it is over */
  void *app;               /* the application's record */
  PyObject *write;         /* what it returned; it points back without a reference */
  PyObject *statusText;    /* the status as it was given, with a reference */
  const char *reason;      /* its phrase, if the server has to be told */
  Py_ssize_t reasonCount;  /* bytes of that; 0: the standard one will do */
  void *head;              /* its fields: a KeptHead */
  int64_t declared;        /* Content-Length of the head, or -1 */
  int64_t sent;            /* body bytes handed to the host */
  int32_t status;          /* 0: none yet */
  int32_t keptStatus;      /* what statusText says */
  uint8_t wasCalled, isSent, isGone, isHead;
  uint8_t isTaking;        /* it looks at a head just now */
  uint8_t isBusy;          /* a thread is in the server on its behalf, without the interpreter's lock */
  uint8_t isWanted;        /* the thread of the call waits for that one */
} nsgi_py_start;

/* The write callable. */
typedef struct {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  nsgi_py_start *start;    /* NULL when the request is over */
} nsgi_py_write;

/* wsgi.input: a window on the body, which the host lends until the request is over. */
typedef struct {
  PyObject_HEAD
  uint64_t id;
  const char *bytes;
  Py_ssize_t length, position;
  uint8_t isLoaded;        /* bytes and length are known */
  uint8_t isOver;          /* so is the request */
  Py_ssize_t copies;       /* under way without the interpreter's lock: the request waits for them */
} nsgi_py_input;

/* ---- Macros ---- */

static inline PyObject *py_tuple_item(PyObject *tuple, Py_ssize_t i) { return PyTuple_GET_ITEM(tuple, i); }
static inline PyObject *py_list_item(PyObject *list, Py_ssize_t i) { return PyList_GET_ITEM(list, i); }
static inline Py_ssize_t py_list_size(PyObject *list) { return PyList_GET_SIZE(list); }
static inline Py_ssize_t py_tuple_size(PyObject *tuple) { return PyTuple_GET_SIZE(tuple); }
static inline bool py_is_list(PyObject *o) { return PyList_CheckExact(o); }
static inline bool py_is_tuple(PyObject *o) { return PyTuple_CheckExact(o); }
static inline bool py_is_str(PyObject *o) { return PyUnicode_Check(o); }
static inline bool py_is_bytes(PyObject *o) { return PyBytes_Check(o); }
static inline bool py_is_exactly(PyObject *o, PyTypeObject *type) { return Py_IS_TYPE(o, type); }
static inline const char *py_bytes_start(PyObject *o) { return PyBytes_AS_STRING(o); }
static inline Py_ssize_t py_bytes_size(PyObject *o) { return PyBytes_GET_SIZE(o); }
static inline Py_ssize_t py_refcount(PyObject *o) { return Py_REFCNT(o); }
static inline void py_retain(PyObject *o) { Py_INCREF(o); }
static inline void py_release(PyObject *o) { Py_DECREF(o); }
static inline void py_release_if(PyObject *o) { Py_XDECREF(o); }
static inline PyObject *py_none(void) { return Py_None; }
static inline PyObject *py_true(void) { return Py_True; }
static inline PyObject *py_false(void) { return Py_False; }

/* The bytes of a str whose characters are all below 256; NULL for any other. */
static inline const char *py_latin1(PyObject *text, Py_ssize_t *count) {
  if (PyUnicode_KIND(text) != PyUnicode_1BYTE_KIND) return NULL;
  *count = PyUnicode_GET_LENGTH(text);
  return (const char *)PyUnicode_1BYTE_DATA(text);
}

static inline PyObject *py_text(const char *bytes, Py_ssize_t count) {
  return PyUnicode_DecodeLatin1(bytes, count, NULL);
}

/* Whether len() may be asked: a type without it answers with an exception, which is slow. */
static inline bool py_has_length(PyObject *o) {
  PyTypeObject *type = Py_TYPE(o);
  return (type->tp_as_sequence && type->tp_as_sequence->sq_length)
      || (type->tp_as_mapping && type->tp_as_mapping->mp_length);
}

/* A number that differs after every change of a dict; the same twice says nothing where it is always 0. */
static inline uint64_t py_dict_version(PyObject *dict) {
#if PY_VERSION_HEX < 0x030C0000
  return ((PyDictObject *)dict)->ma_version_tag;
#else
  (void)dict;
  return 0;
#endif
}

static inline Py_ssize_t py_argument_count(size_t flags) { return PyVectorcall_NARGS(flags); }

static inline PyObject *py_call2(PyObject *callable, PyObject *first, PyObject *second) {
  PyObject *arguments[3] = {NULL, first, second};
  return PyObject_Vectorcall(callable, arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
}

/* Uninitialised, to be filled before anybody sees it. */
static inline PyObject *py_new_bytes(Py_ssize_t count) { return PyBytes_FromStringAndSize(NULL, count); }

/* The file that holds the interpreter; NULL if the linker does not say. */
typedef struct { const char *file; void *base; const char *symbol; void *address; } py_place;
extern int dladdr(const void *address, py_place *place);
static inline const char *py_library(void) {
  py_place place;
  return dladdr((const void *)(uintptr_t)&Py_IsInitialized, &place) ? place.file : NULL;
}

/* What faulthandler writes, for one thread; needs no lock. Exported, but declared in internal headers. */
extern void _Py_DumpTraceback(int fd, PyThreadState *state);
/* In <sys/mman.h> for _GNU_SOURCE only. */
extern int memfd_create(const char *name, unsigned flags);

/* ---- Types ---- */

static inline PyTypeObject *py_make_type(
    const char *name, int size, unsigned flags, PyType_Slot *slots) {
  PyType_Spec spec = {name, size, 0, flags, slots};
  return (PyTypeObject *)PyType_FromSpec(&spec);
}

static inline PyTypeObject *py_type(PyObject *o) { return Py_TYPE(o); }
static inline unsigned py_default_flags(void) {
  return Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION;
}
static inline unsigned py_callable_flags(void) { return py_default_flags() | Py_TPFLAGS_HAVE_VECTORCALL; }
static inline void py_free(PyObject *o) {
  PyTypeObject *type = Py_TYPE(o);
  type->tp_free(o);
  Py_DECREF(type);
}
static inline PyObject *py_alloc(PyTypeObject *type) { return type->tp_alloc(type, 0); }

/* ---- Exceptions ---- */

static inline PyObject *py_type_error(void) { return PyExc_TypeError; }
static inline PyObject *py_value_error(void) { return PyExc_ValueError; }
static inline PyObject *py_assertion_error(void) { return PyExc_AssertionError; }
static inline PyObject *py_os_error(void) { return PyExc_OSError; }
static inline PyObject *py_gone_error(void) { return PyExc_ConnectionAbortedError; }
static inline PyObject *py_system_exit(void) { return PyExc_SystemExit; }
static inline PyObject *py_attribute_error(void) { return PyExc_AttributeError; }

#endif
