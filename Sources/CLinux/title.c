/* The words that process lists show. They are where the kernel has put the command line, after which the
 * environment begins: that is moved out of the way, to make room for longer ones. */
#define _GNU_SOURCE
#include "clinux.h"
#include <stdio.h>
#include <string.h>

extern char **environ;
static char *title_start;
static size_t title_room;

/* Fields 48 to 51 of /proc/self/stat: where command line and environment begin and end. */
static int find_words(unsigned long place[4]) {
  char text[2048];
  FILE *file = fopen("/proc/self/stat", "re");
  if (!file) return -1;
  size_t count = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[count] = 0;
  /* The name of the program may contain anything, even brackets. */
  const char *rest = strrchr(text, ')');
  for (int field = 2; rest && field < 48; field++) rest = strchr(rest + 1, ' ');
  if (!rest || sscanf(rest, " %lu %lu %lu %lu", place, place + 1, place + 2, place + 3) != 4)
    return errno = ENOTSUP, -1;
  return place[0] && place[0] < place[1] ? 0 : (errno = ENOTSUP, -1);
}

/* Copies the variables that follow the command line; those that cannot be copied keep their place. */
static int move_environment(const char *start, const char *end) {
  for (char **entry = environ; entry && *entry; entry++) {
    if (*entry < start || *entry >= end) continue;
    char *copy = strdup(*entry);
    if (!copy) return -1;
    *entry = copy;
  }
  return 0;
}

int clinux_set_title(const char *title) {
  if (!title_start) {
    unsigned long place[4];
    if (find_words(place)) return -1;
    char *environment = (char *)place[2], *end = (char *)place[3];
    title_start = (char *)place[0];
    title_room = place[1] - place[0];
    if (place[2] == place[1] && end > environment && !move_environment(environment, end))
      title_room = place[3] - place[0];
  }
  size_t count = strnlen(title, title_room - 1);
  memset(title_start, 0, title_room);
  memcpy(title_start, title, count);
  return 0;
}
