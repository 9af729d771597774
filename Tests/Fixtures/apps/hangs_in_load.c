/* An app whose load() waits for something that never comes. With `entered=FILE` it writes its process id into
 * the file first. */
#include <nsgi.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int call(void *state, const nsgi_request *request) {
  (void)state;
  (void)request;
  return NSGI_FAIL;
}

static int load(const nsgi_boot *boot, void **state) {
  *state = NULL;
  for (const char *const *option = boot->options; *option; option += 2) {
    FILE *file = strcmp(option[0], "entered") ? NULL : fopen(option[1], "w");
    if (!file) continue;
    fprintf(file, "%d\n", (int)getpid());
    fclose(file);
  }
  while (pause() < 0) continue;
  return NSGI_OK;
}

static const nsgi_app app = {.head = NSGI_APP_HEAD(0), .name = "hangs_in_load", .call = call, .load = load};

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  return &app;
}
