/* An app that turns against the master of its worker: the path says how. What it can reach is the packet
 * socket to the master (descriptor 3) and the page that the worker shares with it. */
#include <fcntl.h>
#include <nsgi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINK = 3, CRASHED_SLOT = 3, ENTRIES = 8192, ENTRY_BYTES = 128 };

static const nsgi_host *host;

/* The page, and its size; found by its name in /proc/self/maps. */
static unsigned char *page(size_t *size, char *where, size_t cap) {
  static char line[512];
  FILE *maps = fopen("/proc/self/maps", "re");
  unsigned char *found = NULL;
  while (maps && fgets(line, sizeof line, maps)) {
    unsigned long from, to;
    if (!strstr(line, "memfd:scoreboard") || sscanf(line, "%lx-%lx", &from, &to) != 2) continue;
    found = (unsigned char *)from;
    *size = to - from;
    snprintf(where, cap, "/proc/self/map_files/%lx-%lx", from, to);
  }
  if (maps) fclose(maps);
  return found;
}

/* A packet whose parts are ended by | in `text`. */
static void say(const char *text) {
  char packet[512];
  size_t n = strlen(text);
  memcpy(packet, text, n);
  for (size_t i = 0; i < n; i++)
    if (packet[i] == '|') packet[i] = 0;
  if (send(LINK, packet, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return;
}

/* A packet with two descriptors. */
static void give(void) {
  struct iovec part = {"traced", 7};
  union { char room[CMSG_SPACE(2 * sizeof(int))]; struct cmsghdr align; } control = {{0}};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room,
                           .msg_controllen = sizeof control.room};
  int both[2] = {STDERR_FILENO, LINK};
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof both);
  memcpy(CMSG_DATA(head), both, sizeof both);
  if (sendmsg(LINK, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return;
}

static void noise(void) {
  unsigned char bytes[256];
  for (int i = 0; i < 1000; i++) {
    size_t n = (size_t)rand() % sizeof bytes;
    for (size_t k = 0; k < n; k++) bytes[k] = (unsigned char)rand();
    if (send(LINK, bytes, n + 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) usleep(200);
  }
}

/* Numbers of no range, in every verb. */
static void numbers(void) {
  static const char *const values[] = {"99999999999", "-1", "9223372036854775807", "-9223372036854775808",
                                       "99999999999999999999", "", "x", "1"};
  static const char *const verbs[] = {"ready", "failed", "saved", "swapped", "refused", "copied", "passed",
                                      "swap", "orders"};
  char text[300];
  for (size_t v = 0; v < sizeof verbs / sizeof *verbs; v++)
    for (size_t n = 0; n < sizeof values / sizeof *values; n++) {
      snprintf(text, sizeof text, "%s|app=%s|name=x|version=|unloadable=1|bytes=%s|generation=%s|code=%s|",
               verbs[v], values[n], values[n], values[n], values[n]);
      say(text);
    }
}

/* The options lie=FILE and boast=FILE: where that file is, a worker says what is not so before it has loaded:
 * that it runs another build; that it runs its own, and makes more calls at once than can be added up. */
static int load(const nsgi_boot *boot, void **state) {
  (void)state;
  char text[200];
  for (const char *const *option = boot->options; option && *option; option += 2) {
    if (!strcmp(option[0], "lie") && !access(option[1], F_OK))
      say("ready|app=0|name=x|version=1|unloadable=0|generation=999|calls=1|");
    if (!strcmp(option[0], "boast") && !access(option[1], F_OK)) {
      snprintf(text, sizeof text,
               "ready|app=0|name=x|version=1|unloadable=0|generation=%u|calls=9223372036854775807|",
               boot->generation);
      say(text);
    }
  }
  return NSGI_OK;
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  char where[128] = "", answer[128] = "done";
  size_t size = 0;
  unsigned char *board = page(&size, where, sizeof where);
  const char *path = request->path_info.p;
  if (!board) return host->respond(request->id, 500, NULL, 0, "no page", 7);
  uint64_t *totals = (uint64_t *)board;
  if (!strcmp(path, "/numbers")) numbers();
  if (!strcmp(path, "/noise")) noise();
  if (!strcmp(path, "/swapped")) say("swapped|app=0|generation=999|");
  if (!strcmp(path, "/descriptors"))
    for (int i = 0; i < 500; i++) give();
  if (!strcmp(path, "/flood"))
    for (int i = 0; i < 200000; i++) {
      if (send(LINK, "traced", 7, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) usleep(50);
    }
  if (!strcmp(path, "/long")) {
    static char big[150 * 1024] = "failed";
    memset(big + 7, 'x', sizeof big - 7);
    if (send(LINK, big, sizeof big, MSG_NOSIGNAL) < 0) snprintf(answer, sizeof answer, "not sent");
  }
  if (!strcmp(path, "/page")) memset(board, 0xff, size);
  if (!strcmp(path, "/cut")) {
    int fd = open(where, O_RDWR | O_CLOEXEC);
    snprintf(answer, sizeof answer, "open %d cut %d", fd >= 0, ftruncate(fd, 0));
  }
  if (!strcmp(path, "/crash-nowhere") || !strcmp(path, "/crash-beyond") || !strcmp(path, "/crash-text")) {
    unsigned char *entry = board + ENTRIES;
    static const char text[] = "GET /x\nforged: \033[2J\302\233";
    totals[CRASHED_SLOT] = strcmp(path, "/crash-nowhere") == 0 ? ~0ull : 1ull << 40;
    if (!strcmp(path, "/crash-text")) {
      totals[CRASHED_SLOT] = 1;
      entry[16] = 3, entry[17] = sizeof text - 4;
      memcpy(entry + 24, text, sizeof text - 1);
    }
    /* Not a signal that the worker writes its own last words for. */
    kill(getpid(), SIGKILL);
  }
  return host->respond(request->id, 200, NULL, 0, answer, strlen(answer));
}

NSGI_EXPORT const nsgi_app *nsgi_entry(const nsgi_host *own) {
  static const nsgi_app app = {.head = NSGI_APP_HEAD(NSGI_THREADSAFE), .name = "hostile", .call = call,
                               .load = load};
  host = own;
  return &app;
}
