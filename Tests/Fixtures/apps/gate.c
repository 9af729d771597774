/* Says that it was entered by making QUERY_STRING.entered, waits for QUERY_STRING.open, then answers. */
#include <fcntl.h>
#include <nsgi.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int application(const nsgi_environ *environ, nsgi_start_response start_response) {
  char entered[200], open_[200];
  snprintf(entered, sizeof entered, "%s.entered", environ->get("QUERY_STRING"));
  snprintf(open_, sizeof open_, "%s.open", environ->get("QUERY_STRING"));
  close(open(entered, O_CREAT | O_WRONLY, 0644));
  struct timespec pause = {0, 2000000};
  for (int i = 0; i < 15000 && access(open_, F_OK) != 0; i++) nanosleep(&pause, NULL);
  return start_response("200 OK", NULL)("through\n", 8);
}
