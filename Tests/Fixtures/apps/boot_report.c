/* An app whose load() fails with a report of what it was given. */
#include <nsgi.h>
#include <stdio.h>

static int call(void *state, const nsgi_request *request) {
  (void)state;
  (void)request;
  return NSGI_FAIL;
}

static int load(const nsgi_boot *boot, void **state);
static const nsgi_app app = {.head = NSGI_APP_HEAD(0), .name = "boot_report", .call = call, .load = load};

static int load(const nsgi_boot *boot, void **state) {
  (void)state;
  int n = snprintf(
    boot->error, boot->error_cap, "worker %u of %u, generation %u, own table %d, host %u.%u, cold %d",
    boot->worker, boot->workers, boot->generation, boot->app == &app, boot->host->head.major,
    boot->host->head.minor, boot->from_version.n == 0 && boot->from_version.p[0] == 0);
  for (const char *const *option = boot->options; *option && n < (int)boot->error_cap; option += 2)
    n += snprintf(boot->error + n, boot->error_cap - (size_t)n, ", %s=%s", option[0], option[1]);
  return NSGI_FAIL;
}

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  return &app;
}
