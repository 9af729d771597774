#include "address.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

socklen_t address_read(const char *text, struct sockaddr_storage *address) {
  struct sockaddr_un *path = (void *)address;
  struct sockaddr_in *port = (void *)address;
  char host[64];
  if (!strncmp(text, "unix:", 5)) {
    path->sun_family = AF_UNIX;
    snprintf(path->sun_path, sizeof path->sun_path, "%s", text + 5);
    return sizeof *path;
  }
  snprintf(host, sizeof host, "%s", text);
  char *colon = strrchr(host, ':');
  if (!colon) return 0;
  *colon = 0;
  port->sin_family = AF_INET;
  port->sin_port = htons((uint16_t)atoi(colon + 1));
  return inet_pton(AF_INET, host, &port->sin_addr) == 1 ? sizeof *port : 0;
}
