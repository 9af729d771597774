/* An app whose table ends after call(): what lies behind it in memory must not be taken for its functions. */
#include <nsgi.h>

static int call(void *state, const nsgi_request *request) {
  (void)request;
  return state ? NSGI_FAIL : 77;
}

static void *const garbage = (void *)0xdeadbeef;
static struct {
  nsgi_head head;
  const char *name, *version;
  int (*call)(void *state, const nsgi_request *request);
  void *behind[8];
} table;

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  table.head = (nsgi_head){NSGI_MAGIC, NSGI_MAJOR, 0, offsetof(nsgi_app, call) + sizeof table.call, 0};
  table.name = "short_table";
  table.version = "0.9";
  table.call = call;
  for (int i = 0; i < 8; i++) table.behind[i] = garbage;
  return (const nsgi_app *)(const void *)&table;
}
