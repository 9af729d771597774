/* The interface between the server and its TLS library (libnsgi_tls.so). Both come from one build: nothing
   else loads that library, and `version` only detects a file left over from another build.

   A session never touches a descriptor. It is lent ciphertext, gives plaintext, and keeps ciphertext until it
   has been sent. One thread at a time may seal and take sealed bytes; another may read at the same time.
   While a thread is in `toil`, no other may touch the session. */
#ifndef CTLS_H
#define CTLS_H

#include <stddef.h>
#include <stdint.h>

#define CTLS_VERSION 5

/* The name of the function that gives the table: const ctls_table *nsgi_tls_table(void). */
#define CTLS_ENTRY "nsgi_tls_table"

/* The contents of a file, and its name. Absent: bytes are NULL. */
typedef struct ctls_file {
  const char *name;
  const char *bytes;
  size_t count;
} ctls_file;

/* A certificate with its chain, and its key, both PEM. */
typedef struct ctls_identity {
  ctls_file certificate;
  ctls_file key;
} ctls_identity;

/* What a listening socket presents and requires. */
typedef struct ctls_plan {
  /* At least one; the first is for clients that name a host that is in none of them, or none. */
  const ctls_identity *identities;
  size_t count;
  /* Authorities of client certificates; absent: clients are not asked for one. */
  ctls_file client_ca;
  /* A client without one is refused. */
  int client_required;
  /* The most authorities between a client's certificate and one of `client_ca`. */
  int client_depth;
  /* Lists of revoked certificates (CRL, RFC 5280 §5) of those authorities, PEM; absent: none is used. */
  ctls_file client_crl;
  /* For encrypted keys; NULL for none. */
  const char *password;
  /* 2 for TLS 1.2, 3 for TLS 1.3. */
  int minimum;
  /* In OpenSSL's notation; NULL for the defaults. */
  const char *ciphers;
  const char *curves;
  /* Clients may choose HTTP/2 (ALPN, RFC 7301). */
  int offers_http2;
  /* Certificates that have expired, or are not valid yet, are refused. */
  int checks_time;
  /* How long a session may be resumed, in seconds. */
  long session_seconds;
  /* OCSP responses of authorities (RFC 6960), DER. Those for no identity of this plan are ignored. */
  const ctls_file *responses;
  size_t response_count;
} ctls_plan;

/* A key of session tickets: name, cipher, authentication. */
#define CTLS_KEY_BYTES 80
#define CTLS_KEYS 3

/* Results of a read other than a number of bytes. */
enum ctls_reading {
  /* More ciphertext is needed. */
  CTLS_WANTS = 0,
  /* The peer has announced the end. */
  CTLS_ENDED = -1,
  /* Nothing can be read any more; `reason` tells why. */
  CTLS_FAILED = -2,
  /* The first bytes belong to an HTTP request without TLS. Nothing was consumed. */
  CTLS_PLAIN = -3,
  /* The handshake's next step uses the key, which takes long: `toil` takes it, and reading goes on after
     that. What was lent and not read is kept. */
  CTLS_TOILS = -4
};

/* A connection's session. These fields belong to the thread that seals. */
typedef struct ctls_session {
  /* Ciphertext to be sent: `out` from `start` to `end`. */
  unsigned char *out;
  size_t start, end, room;
  /* The handshake is complete. */
  int is_secure;
  /* The last result of a read that was not a number of bytes. */
  int reading;
  /* After CTLS_TOILS: that step may take longer than a millisecond. */
  int is_heavy;
} ctls_session;

typedef struct ctls_set ctls_set;

/* Facts about a secure session; NULL: nothing, or the client has no certificate. */
enum ctls_fact {
  CTLS_PROTOCOL,
  CTLS_CIPHER,
  CTLS_SERVER_NAME,
  /* "Initial" or "Resumed". */
  CTLS_RESUMED,
  /* "NONE" or "SUCCESS"; NULL if clients are not asked. */
  CTLS_CLIENT_VERIFY,
  CTLS_CLIENT_SUBJECT,
  CTLS_CLIENT_ISSUER,
  CTLS_CLIENT_SERIAL,
  CTLS_CLIENT_CERTIFICATE,
  /* When the client's certificate begins and ends to be valid, as "Jan  1 00:00:00 2026 GMT". */
  CTLS_CLIENT_BEGINS,
  CTLS_CLIENT_ENDS,
  CTLS_FACTS
};

/* The kind of a public key for signatures. */
enum ctls_key_kind {
  CTLS_NO_KEY = 0,
  /* PEM; signatures are 64 raw bytes. */
  CTLS_KEY_PEM = 1,
  /* minisign's, as are its signatures. */
  CTLS_KEY_MINISIGN = 2
};

/* A detached signature to be verified: the bytes, the signature and the key. None of them is absent. */
typedef struct ctls_signature {
  ctls_file key;
  ctls_file signature;
  const void *bytes;
  size_t count;
} ctls_signature;

typedef struct ctls_table {
  uint32_t version;
  /* NULL, and a sentence without a full stop in `reason`, if the plan cannot be used. */
  ctls_set *(*make)(const ctls_plan *plan, char *reason, size_t room);
  /* The set gets no further sessions; it is freed with the last one. Any thread. */
  void (*drop)(ctls_set *set);
  /* Keys of tickets, newest first, CTLS_KEY_BYTES each. Called by the thread that reads. */
  void (*tickets)(ctls_set *set, const unsigned char *keys, size_t count);
  /* NULL if there is no memory. Holds its set. `reached` is the address at which the client has reached the
     server, as text, for a client that names no host; NULL: it gets the first certificate. */
  ctls_session *(*open)(ctls_set *set, const char *reached);
  void (*close)(ctls_session *session);
  /* Lends ciphertext to the reads that follow, until one of them gives no bytes. */
  void (*lend)(ctls_session *session, const void *bytes, size_t count);
  /* Reads plaintext: how many bytes, or one of `ctls_reading`. Goes on with the handshake first, whose own
     bytes then have to be sent. */
  long (*read)(ctls_session *session, void *to, size_t room);
  /* Adds all of the bytes, sealed, to those to be sent; -1 if that fails. */
  int (*seal)(ctls_session *session, const void *bytes, size_t count);
  /* Announces the end to the peer, once. */
  void (*end)(ctls_session *session);
  /* Notes that this many bytes have been sent. */
  void (*sent)(ctls_session *session, size_t count);
  /* Why reading has failed: the library's words, nothing from the peer. */
  const char *(*reason)(ctls_session *session);
  /* A text that lives as long as the session. */
  const char *(*fact)(ctls_session *session, enum ctls_fact which);
  /* When a certificate of a set expires, or the first of its revocation lists, in seconds of the calendar,
     and the name of its file, which lives as long as the set. 0 from the place on after which there are no
     more. */
  int64_t (*ends)(ctls_set *set, size_t place, const char **name);
  /* Whether HTTP/2 was agreed upon. Called by the thread that reads. */
  int (*speaks_http2)(ctls_session *session);
  /* CTLS_NO_KEY, and a sentence without a full stop in `reason`, if it is not an Ed25519 key. */
  enum ctls_key_kind (*key_kind)(const ctls_file *key, char *reason, size_t room);
  /* 1 if the signature is valid; otherwise 0, and a sentence in `reason` as above. */
  int (*verify)(const ctls_signature *what, char *reason, size_t room);
  /* Like `ends`, for the OCSP responses of a set: when one is no longer presented, INT64_MAX for never. */
  int64_t (*staples)(ctls_set *set, size_t place, const char **name);
  /* Whether a name of the certificates of `before` is in none of those of `set`; if so, with a sentence. */
  int (*misses)(ctls_set *set, ctls_set *before, char *reason, size_t room);
  /* Takes the step for which a read has given CTLS_TOILS, once. Any thread. The next read, before which
     nothing is lent, tells how it went. */
  void (*toil)(ctls_session *session);
} ctls_table;

#endif
