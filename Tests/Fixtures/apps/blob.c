/* Sends as many bytes as QUERY_STRING says, those of Tests/Support/TestBody.swift: at /sized with a
 * Content-Length, elsewhere without. */
#include <inttypes.h>
#include <nsgi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_body.h"

enum { PIECE = 100000 };

static const nsgi_host *host;

static int send_blocks(nsgi_id id, uint64_t left) {
  static unsigned char numbered[BLOCK];
  int result = NSGI_OK;
  memcpy(numbered, block, BLOCK);
  for (uint64_t number = 0; left > 0 && result == NSGI_OK; number++) {
    number_block(numbered, BLOCK, number);
    size_t size = left < BLOCK ? (size_t)left : BLOCK;
    for (size_t at = 0; at < size && result == NSGI_OK; at += PIECE)
      result = host->write(id, numbered + at, size - at < PIECE ? size - at : PIECE);
    left -= size;
  }
  return result;
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  char length[24];
  uint64_t count = strtoull(request->query.p, NULL, 10);
  snprintf(length, sizeof length, "%" PRIu64, count);
  nsgi_pair field = {NSGI_STR("Content-Length"), {length, strlen(length)}};
  int sized = !strcmp(request->path_info.p, "/sized");
  int result = host->start(request->id, 200, sized ? &field : NULL, sized ? 1 : 0);
  return result == NSGI_OK ? send_blocks(request->id, count) : result;
}

static int load(const nsgi_boot *boot, void **state) {
  *state = NULL;
  host = boot->host;
  fill_block();
  return NSGI_OK;
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(0), .name = "blob", .version = "1", .call = call, .load = load
};

const nsgi_app *nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &app;
}
