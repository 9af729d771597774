/* Where a generator of load sends to. */
#pragma once
#include <sys/socket.h>

/* Reads HOST:PORT, an IPv4 address, or unix:PATH; the bytes of the address, 0 for what is none. */
socklen_t address_read(const char *text, struct sockaddr_storage *address);
