/* A build whose constructor says to the master what only others of its children say, or a lot. HEAVY: packets
 * of 100 kB that claim to be a configuration; else small ones without an end. */
#include <nsgi.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINK = 3 };

static int is_trial(void) {
  char line[200] = "";
  FILE *file = fopen("/proc/self/cmdline", "re");
  size_t count = file ? fread(line, 1, sizeof line - 1, file) : 0;
  if (file) fclose(file);
  for (size_t i = 0; i + 5 < count; i++)
    if (memcmp(line + i, "stage", 6) == 0) return 1;
  return 0;
}

static void say(const void *bytes, size_t count) {
  for (int i = 0; i < 2000 && send(LINK, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT) < 0; i++) usleep(500);
}

__attribute__((constructor)) static void begin(void) {
  static char packet[100000] = "configured\0option=";
  if (!is_trial()) return;
#ifdef HEAVY
  memset(packet + 18, 'A', sizeof packet - 19);
  for (int i = 0; i < 3000; i++) say(packet, sizeof packet);
#else
  memcpy(packet, "step\0step=copy", 15);
  for (int i = 0; i < 100000; i++) say(packet, 15);
#endif
}

NSGI_EXPORT int application(const nsgi_environ *environ, nsgi_start_response start_response) {
  (void)environ;
  return start_response("200 OK", NULL)("flood\n", 6);
}
