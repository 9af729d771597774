/* What the parts of the library share: certificates.c makes sets, also from what clients.c and stapling.c
   read; names.c compares them, and session.c uses them, with the keys of tickets.c. signatures.c is
   independent. */
#ifndef NSGI_TLS_LIBRARY_H
#define NSGI_TLS_LIBRARY_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "ctls.h"

/* When a certificate expires. */
typedef struct ctls_end {
  char *name;
  int64_t at;
} ctls_end;

/* An OCSP response, and the certificate that it is about. */
typedef struct ctls_staple {
  char *name;
  X509 *leaf;
  unsigned char *bytes;
  long count;
  /* Seconds of the calendar; INT64_MAX: it names no end. */
  int64_t at;
} ctls_staple;

/* A place for a sentence that tells what is wrong. */
typedef struct complaint {
  char *text;
  size_t room;
} complaint;

/* Certificates of one listening socket. */
struct ctls_set {
  /* Counts the maker of sessions, and the sessions. */
  atomic_int holders;
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
  /* Sessions are resumed only where clients are checked in the same way. */
  unsigned char context_id[32];
  unsigned context_id_count;
  /* At most one for each response of the plan. */
  ctls_staple *staples;
  size_t staple_count;
};

ctls_set *nsgi_tls_make(const ctls_plan *plan, char *reason, size_t room);
void nsgi_tls_drop(ctls_set *set);
int64_t nsgi_tls_ends(ctls_set *set, size_t place, const char **name);
enum ctls_key_kind nsgi_tls_key_kind(const ctls_file *file, char *reason, size_t room);
int nsgi_tls_verify(const ctls_signature *what, char *reason, size_t room);
int64_t nsgi_tls_staples(ctls_set *set, size_t place, const char **name);
int nsgi_tls_misses(ctls_set *set, ctls_set *before, char *reason, size_t room);
/* Keys of tickets, newest first. */
void nsgi_tls_use_keys(ctls_set *set, const unsigned char *keys, size_t count);
/* Makes a context find the ticket keys in its set. */
void nsgi_tls_use_tickets(SSL_CTX *context);
/* Makes sessions of a context stop before they use its keys (CTLS_TOILS), one of which is heavy or none. */
void nsgi_tls_pause(SSL_CTX *context, int is_heavy);
/* The BIO through which sessions read what they were lent; NULL if there is no memory. */
BIO_METHOD *nsgi_tls_blocks(void);

/* MARK: Parts of making a set */

BIO *nsgi_tls_reader(const ctls_file *file);
/* OpenSSL's last reason. */
const char *nsgi_tls_reason(void);
/* "Nov 30 04:26:05 2026 GMT"; empty if it is not a time. */
const char *nsgi_tls_date(const ASN1_TIME *time, char *to, size_t room);
/* Seconds of the calendar; INT64_MAX if it is not a time. */
int64_t nsgi_tls_seconds(const ASN1_TIME *time);
/* Whether now is between two times, where NULL for `end` means never; otherwise gives a sentence about what
   is not valid now, with the remedy if it has expired. */
int nsgi_tls_is_in_time(const ASN1_TIME *begin, const ASN1_TIME *end, const char *what, const char *name,
                        const char *mend, complaint why);
/* Sets what a context requires of clients; 0 with a sentence if that cannot be used. */
int nsgi_tls_use_clients(SSL_CTX *context, const ctls_plan *plan, complaint why);
/* When the first revocation list in a file expires; 0 for never. */
int64_t nsgi_tls_lists_end(const ctls_file *file);
/* Fills `context_id`; 0 if there is no memory. */
int nsgi_tls_identify(ctls_set *set, const ctls_plan *plan);
/* Takes those OCSP responses of the plan that belong to certificates of the set. */
int nsgi_tls_use_responses(ctls_set *set, const ctls_plan *plan, complaint why);
/* Makes a context present them. */
void nsgi_tls_staple(SSL_CTX *context);
void nsgi_tls_drop_staples(ctls_set *set);

#endif
