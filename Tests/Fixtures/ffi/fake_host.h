/* A host in the small, for programs that drive ffi_plugin.so without a server: one request at a time. */
#ifndef FAKE_HOST_H
#define FAKE_HOST_H
#include <dlfcn.h>
#include <nsgi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
  nsgi_str body;
  int status;
  char answer[1 << 16];
  size_t length;
} fake;

static void fake_log(nsgi_id id, int level, nsgi_str text) {
  if (id || level > NSGI_INFO) fprintf(stderr, "log: %.*s\n", (int)text.n, text.p);
}
static const void *fake_extension(const char *id) { return (void)id, NULL; }
static nsgi_str fake_env(nsgi_id id, nsgi_str name) {
  (void)id, (void)name;
  return (nsgi_str){NULL, 0};
}
static int fake_body(nsgi_id id, nsgi_str *whole) { return (void)id, *whole = fake.body, NSGI_OK; }
static int fake_respond(nsgi_id id, int status, const nsgi_pair *fields, size_t n, const void *body,
                        size_t length) {
  (void)id, (void)fields, (void)n;
  fake.status = status;
  fake.length = length < sizeof fake.answer ? length : sizeof fake.answer - 1;
  memcpy(fake.answer, body, fake.length);
  fake.answer[fake.length] = 0;
  return NSGI_OK;
}

static const nsgi_host fake_host = {
    .head = {NSGI_MAGIC, NSGI_MAJOR, NSGI_MINOR, sizeof(nsgi_host), 0},
    .server = "fake", .version = "1", .log = fake_log, .extension = fake_extension, .env = fake_env,
    .body = fake_body, .respond = fake_respond};

/* The plugin, loaded with options "key","value",...,NULL; ends the program when it refuses. */
static const nsgi_app *fake_load(const char *plugin, const char *const *options, void **state) {
  void *library = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
  if (!library) fprintf(stderr, "%s\n", dlerror()), exit(2);
  typedef const nsgi_app *(*entry)(const nsgi_host *);
  const nsgi_app *app = ((entry)dlsym(library, "nsgi_entry"))(&fake_host);
  char error[1024] = "";
  nsgi_boot boot = {.size = sizeof boot, .workers = 1, .generation = 1, .host = &fake_host, .app = app,
                    .options = options, .error = error, .error_cap = sizeof error};
  if (app->load(&boot, state) != NSGI_OK) fprintf(stderr, "%s\n", error), exit(2);
  return app;
}

/* One POST of JSON; the answer is in `fake`. */
static int fake_post(const nsgi_app *app, void *state, const char *path, const char *json) {
  fake.body = (nsgi_str){json, strlen(json)};
  nsgi_request request = {
      .size = sizeof request, .flags = NSGI_HAS_BODY, .id = 1, .method = NSGI_STR("POST"),
      .script_name = NSGI_STR(""), .path_info = {path, strlen(path)}, .query = NSGI_STR(""),
      .protocol = NSGI_STR("HTTP/1.1"), .scheme = NSGI_STR("http"), .remote_addr = NSGI_STR(""),
      .content_type = NSGI_STR("application/json"), .content_length = (int64_t)strlen(json)};
  return app->call(state, &request);
}
#endif
