/* What the server and its TLS library (libnsgi_tls.so) say to each other. Both are of one build: nothing else
   loads that library, and `version` is only there for a file that was left over from another one.

   A session never touches a descriptor. It is lent ciphertext, gives plaintext, and keeps the ciphertext that
   is to be sent until it was. One thread at a time may seal and take what was sealed; another may read at the
   same time. */
#ifndef CTLS_H
#define CTLS_H

#include <stddef.h>
#include <stdint.h>

#define CTLS_VERSION 2

/* The name of the function that gives the table: const ctls_table *nsgi_tls_table(void). */
#define CTLS_ENTRY "nsgi_tls_table"

/* The contents of a file, and what to call it. Absent: bytes are NULL. */
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

/* What a listening socket presents and wants. */
typedef struct ctls_plan {
  /* At least one; the first is for clients that name no host, or one that none of them names. */
  const ctls_identity *identities;
  size_t count;
  /* Authorities of client certificates; absent: clients are not asked for one. */
  ctls_file client_ca;
  /* A client without one is refused. */
  int client_required;
  /* For encrypted keys; NULL for none. */
  const char *password;
  /* 2 for TLS 1.2, 3 for TLS 1.3. */
  int minimum;
  /* In OpenSSL's words; NULL for the usual. */
  const char *ciphers;
  const char *curves;
  /* Clients may choose HTTP/2 (ALPN, RFC 7301). */
  int offers_http2;
  /* Certificates that have ended, or not begun, are refused. */
  int checks_time;
  /* How long a session may be taken up again, in seconds. */
  long session_seconds;
} ctls_plan;

/* A key of session tickets: name, cipher, authentication. */
#define CTLS_KEY_BYTES 80
#define CTLS_KEYS 3

/* What a read gives besides a number of bytes. */
enum ctls_reading {
  /* More ciphertext is needed. */
  CTLS_WANTS = 0,
  /* The peer has said that no more comes. */
  CTLS_ENDED = -1,
  /* Nothing can be read any more; `reason` says why. */
  CTLS_FAILED = -2,
  /* The first bytes are those of an HTTP request without TLS. Nothing was taken. */
  CTLS_PLAIN = -3
};

/* A connection's. What stands here is for whoever seals. */
typedef struct ctls_session {
  /* Ciphertext to be sent: from `start` to `end` of `out`. */
  unsigned char *out;
  size_t start, end, room;
  /* The handshake is complete. */
  int is_secure;
  /* The last thing that a reader was told of, when it is no number of bytes. */
  int reading;
} ctls_session;

typedef struct ctls_set ctls_set;

/* What is known of a secure session; NULL: nothing, or the client has no certificate. */
enum ctls_fact {
  CTLS_PROTOCOL,
  CTLS_CIPHER,
  CTLS_SERVER_NAME,
  /* "Initial" or "Resumed". */
  CTLS_RESUMED,
  /* "NONE" or "SUCCESS"; NULL where clients are not asked. */
  CTLS_CLIENT_VERIFY,
  CTLS_CLIENT_SUBJECT,
  CTLS_CLIENT_ISSUER,
  CTLS_CLIENT_SERIAL,
  CTLS_CLIENT_CERTIFICATE,
  CTLS_FACTS
};

typedef struct ctls_table {
  uint32_t version;
  /* NULL, and a sentence without a full stop in `reason`, for what cannot be used. */
  ctls_set *(*make)(const ctls_plan *plan, char *reason, size_t room);
  void (*drop)(ctls_set *set);
  /* Keys of tickets, newest first, CTLS_KEY_BYTES each. By the thread that reads. */
  void (*tickets)(ctls_set *set, const unsigned char *keys, size_t count);
  /* NULL without memory. A session ends before its set. */
  ctls_session *(*open)(ctls_set *set);
  void (*close)(ctls_session *session);
  /* Ciphertext for the reads that follow, until one of them gives no bytes. */
  void (*lend)(ctls_session *session, const void *bytes, size_t count);
  /* Plaintext: how many bytes, or one of `ctls_reading`. Goes on with the handshake first, whose own bytes
     are then to be sent. */
  long (*read)(ctls_session *session, void *to, size_t room);
  /* Adds all of the bytes to what is to be sent; -1 when that cannot be. */
  int (*seal)(ctls_session *session, const void *bytes, size_t count);
  /* Says to the peer that no more comes, once. */
  void (*end)(ctls_session *session);
  /* So many bytes have been sent. */
  void (*sent)(ctls_session *session, size_t count);
  /* Why reading has failed: words of the library, nothing of the peer's. */
  const char *(*reason)(ctls_session *session);
  /* A text that lives as long as the session. */
  const char *(*fact)(ctls_session *session, enum ctls_fact which);
  /* When a certificate of a set ends, in seconds of the calendar, and the name of its file, which lives as
     long as the set. 0 from the place on at which there are no more. */
  int64_t (*ends)(ctls_set *set, size_t place, const char **name);
  /* Whether HTTP/2 was agreed upon. By the thread that reads. */
  int (*speaks_http2)(ctls_session *session);
} ctls_table;

#endif
