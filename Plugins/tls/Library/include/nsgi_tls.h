/* What the two halves of the library have in common: certificates.c makes sets, session.c uses them. */
#ifndef NSGI_TLS_LIBRARY_H
#define NSGI_TLS_LIBRARY_H

#include <openssl/ssl.h>

#include "ctls.h"

/* When a certificate ends. */
typedef struct ctls_end {
  char *name;
  int64_t at;
} ctls_end;

/* Certificates of one listening socket. */
struct ctls_set {
  /* One for each name, with keys of every type; the first is the default. */
  SSL_CTX **contexts;
  size_t count;
  BIO_METHOD *blocks;
  unsigned char keys[CTLS_KEYS][CTLS_KEY_BYTES];
  size_t key_count;
  int asks_client;
  /* One for each identity of the plan. */
  ctls_end *ends;
  size_t end_count;
  int offers_http2;
};

ctls_set *nsgi_tls_make(const ctls_plan *plan, char *reason, size_t room);
void nsgi_tls_drop(ctls_set *set);
int64_t nsgi_tls_ends(ctls_set *set, size_t place, const char **name);
/* Has a context find the keys of tickets in its set. */
void nsgi_tls_use_tickets(SSL_CTX *context);
/* The BIO through which sessions read what they were lent; NULL without memory. */
BIO_METHOD *nsgi_tls_blocks(void);

#endif
