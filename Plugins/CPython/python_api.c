/* What differs between the releases of CPython: where its functions are, and where a few members stand. */
#include "CPython.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

py_table py_api;

/* The places of members of PyConfig, in the order of py_setting; each release is closed. */
static const uint16_t settings[][6] = {
    [9] = {16, 88, 96, 112, 240, 272},
    [10] = {16, 80, 104, 240, 256, 296},
    [11] = {16, 96, 120, 264, 280, 328},
    [12] = {16, 104, 128, 272, 288, 336},
    [13] = {16, 104, 128, 280, 296, 344},
    [14] = {16, 104, 128, 288, 304, 352},
};

void *py_setting_place(PyConfig *config, enum py_setting setting) {
  return (char *)config + settings[py_api.minor][setting];
}

const char *py_resolve(void *library, int minor) {
#define PY_FUNCTION_FIND(result, name, parameters, arguments) \
  if (!(py_api.name = (result(*) parameters)dlsym(library, #name))) return #name;
#define PY_ADDRESS_FIND(name) \
  if (!(py_api.name = dlsym(library, #name))) return #name;
  PY_FUNCTIONS(PY_FUNCTION_FIND)
  PY_OBJECTS(PY_ADDRESS_FIND)
  PY_VARIABLES(PY_ADDRESS_FIND)
  const char *lookup = minor >= 13 ? "PyObject_GetOptionalAttr" : "_PyObject_LookupAttr";
  py_api.lookup = (int (*)(object, object, object *))dlsym(library, lookup);
  if (!py_api.lookup) return lookup;
  py_api.dumpTraceback = (void (*)(int, PyThreadState *))dlsym(library, "_Py_DumpTraceback");
  py_api.minor = minor;
  py_api.tupleOffset = minor >= 14 ? 32 : 24;
  py_api.asciiOffset = minor >= 12 ? 40 : 48;
  py_api.wideOffset = minor >= 12 ? 56 : 72;
  return NULL;
}

/* RTLD_DEFAULT, which dlfcn.h keeps for those who ask for GNU's extensions: every library of the program. */
static void *const everywhere = NULL;

int py_running(void) {
  int (*const isRunning)(void) = (int (*)(void))dlsym(everywhere, "Py_IsInitialized");
  chars (*const version)(void) = (chars (*)(void))dlsym(everywhere, "Py_GetVersion");
  if (!isRunning || !version || !isRunning() || strncmp(version(), "3.", 2)) return 0;
  return atoi(version() + 2);
}

void py_enter_running(void) {
  int (*const enter)(void) = (int (*)(void))dlsym(everywhere, "PyGILState_Ensure");
  enter();
}

/* A str of Latin-1 characters has them where py_latin1 looks. */
static bool finds_text(const char *bytes, bool isASCII) {
  const Py_ssize_t wanted = (Py_ssize_t)strlen(bytes);
  PyObject *text = PyUnicode_DecodeLatin1(bytes, wanted, NULL);
  if (!text) return false;
  Py_ssize_t count = 0, utf8 = 0;
  const char *found = py_latin1(text, &count);
  bool isGood = found && count == wanted && memcmp(found, bytes, (size_t)count + 1) == 0;
  /* The text of an ASCII str is its own UTF-8. */
  if (isASCII) isGood = isGood && PyUnicode_AsUTF8AndSize(text, &utf8) == found;
  py_release(text);
  return isGood;
}

static bool finds_wide_text(void) {
  PyObject *text = PyUnicode_FromString("\xe2\x82\xac");
  Py_ssize_t count = 0;
  const bool isGood = text && !py_latin1(text, &count);
  py_release_if(text);
  return isGood;
}

static bool finds_items(void) {
  PyObject *tuple = PyTuple_New(2), *list = PyList_New(0), *bytes = PyBytes_FromStringAndSize("abc", 3);
  if (!tuple || !list || !bytes) return false;
  py_retain(tuple);
  const bool counts = py_refcount(tuple) == 2;
  py_release(tuple);
  py_retain(list);
  PyTuple_SetItem(tuple, 0, list);
  py_retain(bytes);
  PyTuple_SetItem(tuple, 1, bytes);
  PyList_Append(list, bytes);
  const bool isGood = counts && py_is_tuple(tuple) && py_is_list(list) && py_is_bytes(bytes)
      && py_tuple_size(tuple) == 2 && py_tuple_item(tuple, 0) == list && py_tuple_item(tuple, 1) == bytes
      && py_list_size(list) == 1 && py_list_item(list, 0) == bytes && py_bytes_size(bytes) == 3
      && memcmp(py_bytes_start(bytes), "abc", 4) == 0;
  py_release(tuple);
  py_release(list);
  py_release(bytes);
  return isGood;
}

/* The number of a dict is another one after a change, and after one back; always 0 where it has none. */
static bool tells_changes(void) {
  if (py_api.minor >= 14) return true;
  PyObject *dict = PyDict_New(), *key = PyUnicode_FromString("key");
  if (!dict || !key) return false;
  const uint64_t empty = py_dict_version(dict);
  PyDict_SetItem(dict, key, py_none());
  const uint64_t first = py_dict_version(dict);
  PyDict_SetItem(dict, key, py_true());
  const uint64_t second = py_dict_version(dict);
  PyDict_SetItem(dict, key, py_none());
  const uint64_t third = py_dict_version(dict);
  py_release(key);
  py_release(dict);
  return empty != first && first != second && second != third && third != first;
}

const char *py_check_layouts(void) {
  if (!finds_text("plain", true) || !finds_text("", true) || !finds_text("caf\xe9", false)) return "str";
  if (!finds_wide_text()) return "str";
  if (!finds_items()) return "tuple, list and bytes";
  return tells_changes() ? NULL : "dict";
}
