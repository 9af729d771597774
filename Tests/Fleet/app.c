/* An app that says which build answers and on which host: "B two". What is defined at its build makes another
 * build of it: BUILD='B' its letter, FAILS answers 500. What the environment says is of the host:
 *   FLEET_HOST     the host's name
 *   FLEET_REFUSES  the letter of a build that cannot be loaded there
 *   FLEET_BROKEN   while this file is there, no build can be loaded
 *   FLEET_SLOW     while this file is there, each answer takes five seconds
 *   FLEET_HELD     while this file is there, there is no answer */
#include <nsgi.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef BUILD
#define BUILD 'A'
#endif
#ifdef FAILS
#define STATUS 500
#else
#define STATUS 200
#endif

static const nsgi_host *host;

static const char *said(const char *name) {
  const char *value = getenv(name);
  return value ? value : "";
}

static int load(const nsgi_boot *boot, void **state) {
  host = boot->host;
  *state = NULL;
  if (said("FLEET_REFUSES")[0] != BUILD && access(said("FLEET_BROKEN"), F_OK)) return NSGI_OK;
  snprintf(boot->error, boot->error_cap, "what build %c needs is not on this host", BUILD);
  return NSGI_FAIL;
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  static const nsgi_pair fields[] = {{NSGI_STR("Content-Type"), NSGI_STR("text/plain")}};
  char text[128];
  if (!access(said("FLEET_SLOW"), F_OK)) sleep(5);
  while (!access(said("FLEET_HELD"), F_OK)) usleep(10000);
  int n = snprintf(text, sizeof text, "%c %s\n", BUILD, said("FLEET_HOST"));
  return host->respond(request->id, STATUS, fields, 1, text, (size_t)n);
}

NSGI_EXPORT const nsgi_app *nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  static const nsgi_app app = {
    .head = NSGI_APP_HEAD(NSGI_THREADSAFE), .name = "fleet", .version = "1", .call = call, .load = load};
  return &app;
}
