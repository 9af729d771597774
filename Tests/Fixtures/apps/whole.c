/* As many bytes as QUERY_STRING says, those of Tests/Support/TestBody.swift, in one piece:
 *   /whole?N  as a whole response     /write?N  in one write     /sent?N  in a file, by sendfile
 * Two apps: nsgi_entry may wait, never_waits_nsgi_entry does not. */
#include <nsgi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_body.h"

static const nsgi_host *host;
static const nsgi_pair text[] = {{NSGI_STR("Content-Type"), NSGI_STR("application/octet-stream")}};

static char *make(size_t count) {
  char *bytes = malloc(count + 1);
  for (size_t at = 0; at < count; at += BLOCK) {
    size_t size = count - at < BLOCK ? count - at : BLOCK;
    memcpy(bytes + at, block, size);
    number_block((unsigned char *)bytes + at, size, at / BLOCK);
  }
  return bytes;
}

static int send_file(nsgi_id id, const char *bytes, size_t count) {
  FILE *file = tmpfile();
  if (!file) return NSGI_FAIL;
  int result = fwrite(bytes, 1, count, file) == count && !fflush(file) ? NSGI_OK : NSGI_IO;
  if (result == NSGI_OK) result = host->start(id, 200, text, 1);
  if (result == NSGI_OK) result = host->sendfile(id, fileno(file), 0, (int64_t)count);
  fclose(file);
  return result;
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  nsgi_id id = request->id;
  const char *path = request->path_info.p;
  size_t count = strtoull(request->query.p, NULL, 10);
  char *bytes = make(count);
  int result;
  if (!strcmp(path, "/write")) {
    result = host->start(id, 200, text, 1);
    if (result == NSGI_OK) result = host->write(id, bytes, count);
  } else if (!strcmp(path, "/sent")) {
    result = send_file(id, bytes, count);
  } else {
    result = host->respond(id, 200, text, 1, bytes, count);
  }
  free(bytes);
  return result;
}

static int load(const nsgi_boot *boot, void **state) {
  *state = NULL;
  host = boot->host;
  fill_block();
  return NSGI_OK;
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE), .name = "whole", .call = call, .load = load
};

static const nsgi_app never_waits = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_NONBLOCKING), .name = "never_waits", .call = call,
  .load = load
};

const nsgi_app *nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &app;
}

NSGI_EXPORT const nsgi_app *never_waits_nsgi_entry(const nsgi_host *unused);
const nsgi_app *never_waits_nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &never_waits;
}
