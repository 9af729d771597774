/* The functions of the C API that the plugin uses, in the library of whichever CPython was loaded: one table
 * of addresses, filled by py_resolve, and a function of the usual name for each. A call costs what one
 * through the linker's table does. */
#ifndef NSGI_PYTHON_API_H
#define NSGI_PYTHON_API_H
#include "python_types.h"

typedef PyObject *object;
typedef const char *chars;

/* Of every release: X(result, name, parameters, arguments). */
#define PY_FUNCTIONS(X) \
  X(void, _Py_Dealloc, (object o), (o)) \
  X(void, PyBuffer_Release, (Py_buffer *view), (view)) \
  X(object, PyBytes_FromStringAndSize, (chars bytes, Py_ssize_t count), (bytes, count)) \
  X(object, PyCFunction_NewEx, (PyMethodDef *method, object self, object module), (method, self, module)) \
  X(void, PyConfig_Clear, (PyConfig *config), (config)) \
  X(void, PyConfig_InitPythonConfig, (PyConfig *config), (config)) \
  X(PyStatus, PyConfig_SetBytesString, (PyConfig *config, wchar_t **place, chars text), \
    (config, place, text)) \
  X(object, PyDict_Copy, (object dict), (dict)) \
  X(object, PyDict_New, (void), ()) \
  X(int, PyDict_SetItem, (object dict, object key, object value), (dict, key, value)) \
  X(int, PyDict_SetItemString, (object dict, chars key, object value), (dict, key, value)) \
  X(void, PyErr_Clear, (void), ()) \
  X(int, PyErr_ExceptionMatches, (object type), (type)) \
  X(void, PyErr_Fetch, (object *type, object *value, object *trace), (type, value, trace)) \
  X(object, PyErr_NoMemory, (void), ()) \
  X(void, PyErr_NormalizeException, (object *type, object *value, object *trace), (type, value, trace)) \
  X(object, PyErr_Occurred, (void), ()) \
  X(void, PyErr_Print, (void), ()) \
  X(void, PyErr_Restore, (object type, object value, object trace), (type, value, trace)) \
  X(void, PyErr_SetString, (object type, chars message), (type, message)) \
  X(object, PyEval_EvalCode, (object code, object globals, object locals), (code, globals, locals)) \
  X(object, PyEval_GetBuiltins, (void), ()) \
  X(void, PyEval_RestoreThread, (PyThreadState *thread), (thread)) \
  X(PyThreadState *, PyEval_SaveThread, (void), ()) \
  X(int, PyException_SetTraceback, (object error, object trace), (error, trace)) \
  X(object, PyImport_AddModule, (chars name), (name)) \
  X(PyInterpreterState *, PyInterpreterState_Main, (void), ()) \
  X(object, PyIter_Next, (object iterator), (iterator)) \
  X(int, PyList_Append, (object list, object item), (list, item)) \
  X(int, PyList_SetItem, (object list, Py_ssize_t index, object item), (list, index, item)) \
  X(object, PyList_New, (Py_ssize_t count), (count)) \
  X(long, PyLong_AsLong, (object number), (number)) \
  X(long long, PyLong_AsLongLong, (object number), (number)) \
  X(unsigned long, PyLong_AsUnsignedLongMask, (object number), (number)) \
  X(object, PyLong_FromLong, (long value), (value)) \
  X(object, PyLong_FromSsize_t, (Py_ssize_t value), (value)) \
  X(object, PyLong_FromUnsignedLong, (unsigned long value), (value)) \
  X(void, PyMem_RawFree, (void *memory), (memory)) \
  X(object, PyModule_GetDict, (object module), (module)) \
  X(Py_ssize_t, PyNumber_AsSsize_t, (object number, object error), (number, error)) \
  X(object, PyObject_CallNoArgs, (object callable), (callable)) \
  X(object, PyObject_CallObject, (object callable, object tuple), (callable, tuple)) \
  X(object, PyObject_GetAttr, (object o, object name), (o, name)) \
  X(object, PyObject_GetAttrString, (object o, chars name), (o, name)) \
  X(int, PyObject_GetBuffer, (object o, Py_buffer *view, int flags), (o, view, flags)) \
  X(object, PyObject_GetIter, (object o), (o)) \
  X(object, PyObject_Repr, (object o), (o)) \
  X(object, PyObject_Type, (object o), (o)) \
  X(Py_ssize_t, PyObject_Size, (object o), (o)) \
  X(object, PyObject_VectorcallDict, (object callable, const object *arguments, size_t flags, object names), \
    (callable, arguments, flags, names)) \
  X(object, PyObject_VectorcallMethod, (object name, const object *arguments, size_t flags, object names), \
    (name, arguments, flags, names)) \
  X(void, PyPreConfig_InitPythonConfig, (PyPreConfig *config), (config)) \
  X(int, PyStatus_Exception, (PyStatus status), (status)) \
  X(void, PyThreadState_Clear, (PyThreadState *thread), (thread)) \
  X(void, PyThreadState_DeleteCurrent, (void), ()) \
  X(PyThreadState *, PyThreadState_Get, (void), ()) \
  X(PyThreadState *, PyThreadState_New, (PyInterpreterState *interpreter), (interpreter)) \
  X(object, PyTuple_New, (Py_ssize_t count), (count)) \
  X(int, PyTuple_SetItem, (object tuple, Py_ssize_t index, object item), (tuple, index, item)) \
  X(object, PyType_FromSpec, (PyType_Spec *spec), (spec)) \
  X(object, PyUnicode_AsEncodedString, (object text, chars encoding, chars errors), \
    (text, encoding, errors)) \
  X(chars, PyUnicode_AsUTF8AndSize, (object text, Py_ssize_t *count), (text, count)) \
  X(int, PyUnicode_CompareWithASCIIString, (object text, chars other), (text, other)) \
  X(object, PyUnicode_DecodeFSDefault, (chars text), (text)) \
  X(object, PyUnicode_DecodeLatin1, (chars bytes, Py_ssize_t count, chars errors), (bytes, count, errors)) \
  X(object, PyUnicode_DecodeUTF8, (chars bytes, Py_ssize_t count, chars errors), (bytes, count, errors)) \
  X(object, PyUnicode_FromString, (chars text), (text)) \
  X(object, PyUnicode_InternFromString, (chars text), (text)) \
  X(void, PyUnicode_InternInPlace, (object *text), (text)) \
  X(object, PyVectorcall_Call, (object callable, object tuple, object names), (callable, tuple, names)) \
  X(PyStatus, PyWideStringList_Append, (PyWideStringList *list, const wchar_t *text), (list, text)) \
  X(object, Py_CompileString, (chars source, chars file, int start), (source, file, start)) \
  X(wchar_t *, Py_DecodeLocale, (chars text, size_t *count), (text, count)) \
  X(chars, Py_GetVersion, (void), ()) \
  X(PyStatus, Py_InitializeFromConfig, (const PyConfig *config), (config)) \
  X(PyStatus, Py_PreInitialize, (const PyPreConfig *config), (config))

/* Objects of every release, and variables that hold one. */
#define PY_OBJECTS(X) X(_Py_NoneStruct) X(_Py_TrueStruct) X(_Py_FalseStruct) X(PyList_Type) X(PyTuple_Type)
#define PY_VARIABLES(X) \
  X(PyExc_TypeError) X(PyExc_ValueError) X(PyExc_AssertionError) X(PyExc_OSError) \
  X(PyExc_ConnectionAbortedError) X(PyExc_SystemExit) X(PyExc_AttributeError) X(PyExc_OverflowError)

#define PY_FUNCTION_MEMBER(result, name, parameters, arguments) result(*name) parameters;
#define PY_OBJECT_MEMBER(name) object name;
#define PY_VARIABLE_MEMBER(name) object *name;
typedef struct {
  PY_FUNCTIONS(PY_FUNCTION_MEMBER)
  PY_OBJECTS(PY_OBJECT_MEMBER)
  PY_VARIABLES(PY_VARIABLE_MEMBER)
  /* PyObject_GetOptionalAttr, which was _PyObject_LookupAttr before 3.13. */
  int (*lookup)(object o, object name, object *value);
  /* _Py_DumpTraceback; NULL where the library keeps it to itself. */
  void (*dumpTraceback)(int fd, PyThreadState *thread);
  int minor;               /* of 3.minor */
  Py_ssize_t asciiOffset;  /* the characters of a str that is ASCII, from its beginning */
  Py_ssize_t tupleOffset;  /* the first item of a tuple */
  Py_ssize_t wideOffset;   /* those of any other; with a subclass, a pointer to them */
} py_table;

/* Filled by py_resolve, and the same from then on. */
extern __attribute__((visibility("hidden"))) py_table py_api;

#define PY_FUNCTION_CALL(result, name, parameters, arguments) \
  static inline result name parameters { return py_api.name arguments; }
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpedantic"
PY_FUNCTIONS(PY_FUNCTION_CALL)
#pragma clang diagnostic pop

/* Takes everything from a library that dlopen has given; the name that is missing there, or NULL. */
const char *py_resolve(void *library, int minor);

/* The 11 when CPython 3.11 runs in this process already, in a program of its own; 0 otherwise. */
int py_running(void);
/* Locks that interpreter on this thread, which it knows from then on. */
void py_enter_running(void);

/* Looks at a few objects: whether they are laid out as this release is known to do it. NULL, or what is not.
 * The interpreter is locked. */
const char *py_check_layouts(void);

/* Members of PyConfig, whose places differ from release to release. */
enum py_setting {
  py_install_signal_handlers, py_parse_argv, py_argv, py_program_name, py_home, py_executable
};
void *py_setting_place(PyConfig *config, enum py_setting setting);

#endif
