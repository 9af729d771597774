/* Loads only where no program that it starts can get more rights than it has. */
#include <nsgi.h>
#include <stdio.h>
#include <sys/prctl.h>

static int at_construction;

__attribute__((constructor)) static void construct(void) {
  at_construction = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

static int load(const nsgi_boot *boot, void **state) {
  (void)state;
  if (at_construction == 1) return NSGI_OK;
  snprintf(boot->error, boot->error_cap, "new privileges are to be had: %d", at_construction);
  return NSGI_FAIL;
}

static int call(void *state, const nsgi_request *request) {
  (void)state, (void)request;
  return NSGI_FAIL;
}

static const nsgi_app app = {
  .head = {NSGI_MAGIC, NSGI_MAJOR, 0, sizeof(nsgi_app), 0}, .load = load, .call = call};
NSGI_EXPORT const nsgi_app *nsgi_entry(const nsgi_host *own) { return (void)own, &app; }
