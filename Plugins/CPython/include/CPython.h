/* CPython's C API for Swift: the table of functions, and inline functions for what is a macro in Python.h.
 * That header is not used: it belongs to one release, and the plugin serves several. The records below are
 * the instance layouts of the plugin's own Python types. */
#ifndef NSGI_CPYTHON_H
#define NSGI_CPYTHON_H
#include "python_api.h"
#include <sys/inotify.h>

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
  uint8_t isReplaced;      /* a WebSocket, or its refusal, is the answer: blocks of a body go nowhere */
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

static inline PyTypeObject *py_type(PyObject *o) { return o->ob_type; }

static inline void *py_member(PyObject *o, Py_ssize_t offset) { return (char *)o + offset; }
static inline Py_ssize_t py_size(PyObject *o) { return *(Py_ssize_t *)py_member(o, 16); }
static inline PyObject *py_tuple_item(PyObject *tuple, Py_ssize_t i) {
  return ((PyObject **)py_member(tuple, py_api.tupleOffset))[i];
}
static inline PyObject *py_list_item(PyObject *list, Py_ssize_t i) {
  return (*(PyObject ***)py_member(list, 24))[i];
}
static inline Py_ssize_t py_list_size(PyObject *list) { return py_size(list); }
static inline Py_ssize_t py_tuple_size(PyObject *tuple) { return py_size(tuple); }
static inline bool py_is_exactly(PyObject *o, PyTypeObject *type) { return o->ob_type == type; }
static inline bool py_is_list(PyObject *o) { return (PyObject *)o->ob_type == py_api.PyList_Type; }
static inline bool py_is_tuple(PyObject *o) { return (PyObject *)o->ob_type == py_api.PyTuple_Type; }
static inline bool py_is_str(PyObject *o) { return o->ob_type->tp_flags >> 28 & 1; }
static inline bool py_is_bytes(PyObject *o) { return o->ob_type->tp_flags >> 27 & 1; }
/* What the interpreter can raise; isinstance() asks the object itself, which may claim to be anything. */
static inline bool py_is_exception(PyObject *o) { return o->ob_type->tp_flags >> 30 & 1; }
static inline const char *py_bytes_start(PyObject *o) { return py_member(o, 32); }
static inline Py_ssize_t py_bytes_size(PyObject *o) { return py_size(o); }

/* One way for every release: half the count is used, and no object has two billion references; from 3.12 on,
 * a negative half marks an object that is never counted. */
static inline Py_ssize_t py_refcount(PyObject *o) { return o->count; }
static inline void py_retain(PyObject *o) {
  if (o->count >= 0) o->count += 1;
}
static inline void py_release(PyObject *o) {
  if (o->count < 0) return;
  o->count -= 1;
  if (o->count == 0) _Py_Dealloc(o);
}
static inline void py_release_if(PyObject *o) {
  if (o) py_release(o);
}
static inline PyObject *py_none(void) { return py_api._Py_NoneStruct; }
static inline PyObject *py_true(void) { return py_api._Py_TrueStruct; }
static inline PyObject *py_false(void) { return py_api._Py_FalseStruct; }

/* The bytes of a str whose characters are all below 256; NULL for any other. */
static inline const char *py_latin1(PyObject *text, Py_ssize_t *count) {
  /* Two bits "interned", three of the width of a character, "compact", "ascii". */
  const uint32_t state = *(uint32_t *)py_member(text, 32);
  if ((state >> 2 & 7) != 1) return NULL;
  *count = py_size(text);
  const bool isCompact = state >> 5 & 1, isASCII = state >> 6 & 1;
  if (!isCompact) return *(const char **)py_member(text, py_api.wideOffset);
  return py_member(text, isASCII ? py_api.asciiOffset : py_api.wideOffset);
}

static inline PyObject *py_text(const char *bytes, Py_ssize_t count) {
  return PyUnicode_DecodeLatin1(bytes, count, NULL);
}

/* Whether len() may be asked: a type without it answers with an exception, which is slow. */
static inline bool py_has_length(PyObject *o) {
  PyTypeObject *type = o->ob_type;
  return (type->tp_as_sequence && type->tp_as_sequence->sq_length)
      || (type->tp_as_mapping && type->tp_as_mapping->mp_length);
}

/* A number that differs after every change of a dict; 0 from 3.14 on, whose dicts have none. */
static inline uint64_t py_dict_version(PyObject *dict) {
  return py_api.minor >= 14 ? 0 : *(uint64_t *)py_member(dict, 24);
}

/* Beside the number of arguments of a vectorcall: the word before them may be overwritten. */
#define PY_OFFSET ((size_t)1 << 63)

static inline Py_ssize_t py_argument_count(size_t flags) { return (Py_ssize_t)(flags & ~PY_OFFSET); }

static inline PyObject *PyObject_CallOneArg(PyObject *callable, PyObject *argument) {
  PyObject *arguments[2] = {NULL, argument};
  return PyObject_VectorcallDict(callable, arguments + 1, 1 | PY_OFFSET, NULL);
}

static inline PyObject *py_call2(PyObject *callable, PyObject *first, PyObject *second) {
  PyObject *arguments[3] = {NULL, first, second};
  return PyObject_VectorcallDict(callable, arguments + 1, 2 | PY_OFFSET, NULL);
}

static inline PyObject *py_call4(
    PyObject *callable, PyObject *first, PyObject *second, PyObject *third, PyObject *fourth) {
  PyObject *arguments[5] = {NULL, first, second, third, fourth};
  return PyObject_VectorcallDict(callable, arguments + 1, 4 | PY_OFFSET, NULL);
}

static inline PyObject *PyObject_CallMethodNoArgs(PyObject *o, PyObject *name) {
  PyObject *arguments[2] = {NULL, o};
  return PyObject_VectorcallMethod(name, arguments + 1, 1 | PY_OFFSET, NULL);
}

static inline PyObject *PyObject_CallMethodOneArg(PyObject *o, PyObject *name, PyObject *argument) {
  PyObject *arguments[3] = {NULL, o, argument};
  return PyObject_VectorcallMethod(name, arguments + 1, 2 | PY_OFFSET, NULL);
}

/* 1 and the attribute, 0 when there is none, -1 with an exception set. */
static inline int py_lookup(PyObject *o, PyObject *name, PyObject **value) {
  return py_api.lookup(o, name, value);
}

/* Uninitialised, to be filled before anybody sees it. */
static inline PyObject *py_new_bytes(Py_ssize_t count) { return PyBytes_FromStringAndSize(NULL, count); }

/* The file that holds the interpreter; NULL if the linker does not say. */
typedef struct { const char *file; void *base; const char *symbol; void *address; } py_place;
extern int dladdr(const void *address, py_place *place);
static inline const char *py_library(void) {
  py_place place;
  return dladdr((const void *)py_api.Py_GetVersion, &place) ? place.file : NULL;
}

/* What faulthandler writes, for one thread; needs no lock. False where the library does not offer it. */
static inline bool py_dumps_traceback(void) { return py_api.dumpTraceback != NULL; }
static inline bool py_dump_traceback(int fd, PyThreadState *thread) {
  if (py_api.dumpTraceback) py_api.dumpTraceback(fd, thread);
  return py_api.dumpTraceback != NULL;
}

/* The same for a thread that may run: a copy of the process writes it, for frames that change while they are
   read lead anywhere. What is in the file then may be nothing. False where no copy is to be had either. */
bool py_dump_traceback_in_copy(int fd, PyThreadState *thread);

/* In <sys/mman.h> for _GNU_SOURCE only. */
extern int memfd_create(const char *name, unsigned flags);

/* Of <sys/eventfd.h>, which Swift's module of the C library does not have. */
extern int eventfd(unsigned count, int flags);

/* ---- Types ---- */

/* A type without a constructor: before 3.10 the flag for that is not known, and the slot is taken out. */
static inline PyTypeObject *py_make_type(
    const char *name, int size, unsigned flags, PyType_Slot *slots) {
  PyType_Spec spec = {name, size, 0, flags, slots};
  PyTypeObject *type = (PyTypeObject *)PyType_FromSpec(&spec);
  if (type && py_api.minor < 10) type->tp_new = NULL;
  return type;
}

/* Py_TPFLAGS_DEFAULT (which is HAVE_VERSION_TAG) and DISALLOW_INSTANTIATION. */
static inline unsigned py_default_flags(void) { return 1u << 18 | 1u << 7; }
/* Py_TPFLAGS_HAVE_VECTORCALL too. */
static inline unsigned py_callable_flags(void) { return py_default_flags() | 1u << 11; }
static inline void py_free(PyObject *o) {
  PyTypeObject *type = o->ob_type;
  type->tp_free(o);
  py_release((PyObject *)type);
}
static inline PyObject *py_alloc(PyTypeObject *type) { return type->tp_alloc(type, 0); }

/* What is interned lives for ever (python/cpython#113993). */
static inline bool py_keeps_interned(void) { return py_api.minor == 12; }

/* ---- Exceptions ---- */

static inline PyObject *py_type_error(void) { return *py_api.PyExc_TypeError; }
static inline PyObject *py_value_error(void) { return *py_api.PyExc_ValueError; }
static inline PyObject *py_overflow_error(void) { return *py_api.PyExc_OverflowError; }
static inline PyObject *py_assertion_error(void) { return *py_api.PyExc_AssertionError; }
static inline PyObject *py_os_error(void) { return *py_api.PyExc_OSError; }
static inline PyObject *py_gone_error(void) { return *py_api.PyExc_ConnectionAbortedError; }
static inline PyObject *py_system_exit(void) { return *py_api.PyExc_SystemExit; }
static inline PyObject *py_attribute_error(void) { return *py_api.PyExc_AttributeError; }

#endif
