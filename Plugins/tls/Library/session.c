/* A connection's session: ciphertext comes through `lend`, and bytes to be sent are in the session's own
   buffer. OpenSSL sees both through a BIO of ours: there is no descriptor, and no copy but its own. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "nsgi_tls.h"

typedef struct session {
  ctls_session face;
  SSL *ssl;
  ctls_set *set;
  /* The lent bytes. */
  const unsigned char *in;
  size_t in_count;
  /* A copy of those that came after a hello, while its key is used; NULL for none. */
  unsigned char *rest;
  /* The key may be used for the hello that was read last. */
  int may_toil;
  /* OpenSSL's state: one thread may read while another seals. */
  pthread_mutex_t lock;
  /* A record that OpenSSL wrote while it read: it goes last, after what another thread is sealing. */
  unsigned char alert[128];
  size_t alert_count;
  int is_reading;
  int has_begun;
  int has_ended;
  const char *reason;
  char *facts[CTLS_FACTS];
  int asks_client;
} session;

/* MARK: The BIO */

/* Makes room for this many bytes after those that wait. */
static int make_room(ctls_session *face, size_t count) {
  if (face->room - face->end >= count) return 1;
  const size_t used = face->end - face->start;
  size_t room = used + count > face->room * 2 ? used + count : face->room * 2;
  if (room < 1024) room = 1024;
  unsigned char *larger = malloc(room);
  if (!larger) return 0;
  if (used) memcpy(larger, face->out + face->start, used);
  free(face->out);
  face->out = larger;
  face->start = 0;
  face->end = used;
  face->room = room;
  return 1;
}

static int put(session *s, const void *bytes, size_t count) {
  ctls_session *face = &s->face;
  if (s->is_reading && face->is_secure) {
    if (s->alert_count + count > sizeof s->alert) return 0;
    memcpy(s->alert + s->alert_count, bytes, count);
    s->alert_count += count;
    return 1;
  }
  if (!make_room(face, count)) return 0;
  memcpy(face->out + face->end, bytes, count);
  face->end += count;
  return 1;
}

static int block_write(BIO *bio, const char *bytes, int count) {
  BIO_clear_retry_flags(bio);
  return count > 0 && put(BIO_get_data(bio), bytes, (size_t)count) ? count : -1;
}

static int block_read(BIO *bio, char *to, int room) {
  session *s = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  if (!s->in_count) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const size_t count = s->in_count < (size_t)room ? s->in_count : (size_t)room;
  memcpy(to, s->in, count);
  s->in += count;
  s->in_count -= count;
  return (int)count;
}

static long block_control(BIO *bio, int command, long number, void *pointer) {
  (void)bio;
  (void)number;
  (void)pointer;
  return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *nsgi_tls_blocks(void) {
  BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "nsgi blocks");
  if (!method) return NULL;
  BIO_meth_set_write(method, block_write);
  BIO_meth_set_read(method, block_read);
  BIO_meth_set_ctrl(method, block_control);
  return method;
}

/* MARK: The key */

/* OpenSSL has read a hello that resumes no session, and is about to use the key: SSL_CTX_set_cert_cb(3).
   After -1 it returns SSL_ERROR_WANT_X509_LOOKUP, and asks again when it goes on. */
static int before_key(SSL *ssl, void *heavy) {
  session *s = SSL_get_app_data(ssl);
  if (s->may_toil) {
    s->may_toil = 0;
    return 1;
  }
  s->face.is_heavy = heavy != NULL;
  return -1;
}

void nsgi_tls_pause(SSL_CTX *context, int is_heavy) {
  static char heavy;
  SSL_CTX_set_cert_cb(context, before_key, is_heavy ? &heavy : NULL);
}

/* Copies the lent bytes that were not read. A client that keeps to the protocol sends none before it has the
   answer to its hello. */
static int keep_rest(session *s) {
  unsigned char *copy = s->in_count ? malloc(s->in_count) : NULL;
  if (s->in_count && !copy) return 0;
  if (copy) memcpy(copy, s->in, s->in_count);
  free(s->rest);
  s->rest = copy;
  s->in = copy;
  return 1;
}

/* MARK: Life */

/* The context for an address, in case that the client names no host (RFC 6066 §3: an address is no name). */
static SSL_CTX *context_of(const ctls_set *set, const char *reached) {
  for (size_t i = 0; reached && i < set->count; i++)
    if (X509_check_ip_asc(SSL_CTX_get0_certificate(set->contexts[i]), reached, 0) == 1)
      return set->contexts[i];
  return set->contexts[0];
}

static ctls_session *open_session(ctls_set *set, const char *reached) {
  session *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  s->ssl = SSL_new(context_of(set, reached));
  BIO *bio = s->ssl && SSL_set_app_data(s->ssl, s) ? BIO_new(set->blocks) : NULL;
  if (!bio) {
    SSL_free(s->ssl);
    free(s);
    return NULL;
  }
  BIO_set_data(bio, s);
  BIO_set_init(bio, 1);
  SSL_set_bio(s->ssl, bio, bio);
  SSL_set_accept_state(s->ssl);
  pthread_mutex_init(&s->lock, NULL);
  s->asks_client = set->asks_client;
  s->set = set;
  atomic_fetch_add(&set->holders, 1);
  return &s->face;
}

static void close_session(ctls_session *face) {
  session *s = (session *)face;
  SSL_free(s->ssl);
  free(s->rest);
  free(face->out);
  for (int i = 0; i < CTLS_FACTS; i++) free(s->facts[i]);
  pthread_mutex_destroy(&s->lock);
  nsgi_tls_drop(s->set);
  free(s);
}

/* MARK: Reading */

static void lend(ctls_session *face, const void *bytes, size_t count) {
  session *s = (session *)face;
  if (s->rest) {
    free(s->rest);
    s->rest = NULL;
  }
  s->in = bytes;
  s->in_count = count;
}

/* Why the last call has failed, in OpenSSL's own words. */
static const char *why_failed(session *s) {
  const long verified = SSL_get_verify_result(s->ssl);
  if (verified != X509_V_OK) return X509_verify_cert_error_string(verified);
  const char *reason = ERR_reason_error_string(ERR_peek_error());
  return reason ? reason : "the client has broken it off";
}

static long stopped(session *s, int result) {
  switch (SSL_get_error(s->ssl, result)) {
    case SSL_ERROR_WANT_READ: return CTLS_WANTS;
    case SSL_ERROR_ZERO_RETURN: return CTLS_ENDED;
    case SSL_ERROR_WANT_X509_LOOKUP:
      if (keep_rest(s)) return CTLS_TOILS;
      s->reason = "there is no memory";
      return CTLS_FAILED;
    default:
      s->reason = why_failed(s);
      ERR_clear_error();
      return CTLS_FAILED;
  }
}

static long read_under_lock(session *s, void *to, size_t room) {
  ERR_clear_error();
  if (!s->face.is_secure) {
    // A method in place of a record: 20 to 23 begin one (RFC 8446 §5.1).
    if (!s->has_begun && s->in_count && s->in[0] >= 'A' && s->in[0] <= 'Z') return CTLS_PLAIN;
    s->has_begun |= s->in_count > 0;
    const int result = SSL_do_handshake(s->ssl);
    if (result <= 0) return stopped(s, result);
    s->face.is_secure = 1;
  }
  size_t count = 0;
  const int result = SSL_read_ex(s->ssl, to, room, &count);
  return result > 0 ? (long)count : stopped(s, result);
}

static long read_plain(ctls_session *face, void *to, size_t room) {
  session *s = (session *)face;
  if (face->reading == CTLS_ENDED || face->reading == CTLS_FAILED) return face->reading;
  pthread_mutex_lock(&s->lock);
  s->is_reading = 1;
  const long result = read_under_lock(s, to, room);
  s->is_reading = 0;
  pthread_mutex_unlock(&s->lock);
  if (result <= 0) {
    if (result != CTLS_TOILS) s->in_count = 0;
    face->reading = (int)result;
  }
  return result;
}

static void toil(ctls_session *face) {
  session *s = (session *)face;
  pthread_mutex_lock(&s->lock);
  // It ends before anything is read: later messages may contain tickets, whose keys belong to the reader.
  const size_t rest = s->in_count;
  s->in_count = 0;
  s->may_toil = 1;
  ERR_clear_error();
  const int result = SSL_do_handshake(s->ssl);
  if (result <= 0 && SSL_get_error(s->ssl, result) != SSL_ERROR_WANT_READ) {
    s->reason = why_failed(s);
    face->reading = CTLS_FAILED;
  }
  ERR_clear_error();
  s->in_count = rest;
  pthread_mutex_unlock(&s->lock);
}

static const char *reason_of(ctls_session *face) {
  session *s = (session *)face;
  return s->reason ? s->reason : "";
}

/* MARK: Sealing */

static int seal(ctls_session *face, const void *bytes, size_t count) {
  session *s = (session *)face;
  size_t done = 0;
  if (!count) return 0;
  pthread_mutex_lock(&s->lock);
  ERR_clear_error();
  // Once for all records: a head of 5, a type and a tag of 17, and a nonce of 8 in TLS 1.2.
  make_room(face, count + (count / SSL3_RT_MAX_PLAIN_LENGTH + 1) * 64 + s->alert_count);
  // The reader's output has a number in the order of records: it goes before the next one.
  put(s, s->alert, s->alert_count);
  s->alert_count = 0;
  const int result = face->is_secure && !s->has_ended ? SSL_write_ex(s->ssl, bytes, count, &done) : 0;
  ERR_clear_error();
  pthread_mutex_unlock(&s->lock);
  return result > 0 && done == count ? 0 : -1;
}

static void end(ctls_session *face) {
  session *s = (session *)face;
  if (s->has_ended) return;
  s->has_ended = 1;
  pthread_mutex_lock(&s->lock);
  ERR_clear_error();
  if (face->is_secure && face->reading != CTLS_FAILED) SSL_shutdown(s->ssl);
  ERR_clear_error();
  put(s, s->alert, s->alert_count);
  s->alert_count = 0;
  pthread_mutex_unlock(&s->lock);
}

static void sent(ctls_session *face, size_t count) {
  face->start += count;
  if (face->start < face->end) return;
  free(face->out);
  face->out = NULL;
  face->start = face->end = face->room = 0;
}

/* MARK: Facts */

static char *text_of(BIO *bio) {
  char *bytes = NULL;
  const long count = BIO_get_mem_data(bio, &bytes);
  char *text = count >= 0 ? malloc((size_t)count + 1) : NULL;
  if (!text) return NULL;
  memcpy(text, bytes, (size_t)count);
  text[count] = 0;
  return text;
}

static char *fact_of_client(X509 *client, enum ctls_fact which) {
  BIO *bio = BIO_new(BIO_s_mem());
  if (!bio) return NULL;
  switch (which) {
    case CTLS_CLIENT_SUBJECT:
      X509_NAME_print_ex(bio, X509_get_subject_name(client), 0, XN_FLAG_RFC2253);
      break;
    case CTLS_CLIENT_ISSUER:
      X509_NAME_print_ex(bio, X509_get_issuer_name(client), 0, XN_FLAG_RFC2253);
      break;
    case CTLS_CLIENT_SERIAL: i2a_ASN1_INTEGER(bio, X509_get_serialNumber(client)); break;
    case CTLS_CLIENT_BEGINS: ASN1_TIME_print(bio, X509_get0_notBefore(client)); break;
    case CTLS_CLIENT_ENDS: ASN1_TIME_print(bio, X509_get0_notAfter(client)); break;
    default: PEM_write_bio_X509(bio, client); break;
  }
  char *text = text_of(bio);
  BIO_free(bio);
  return text;
}

static const char *fact_under_lock(session *s, enum ctls_fact which) {
  X509 *client = s->asks_client ? SSL_get0_peer_certificate(s->ssl) : NULL;
  switch (which) {
    case CTLS_PROTOCOL: {
      const int version = SSL_version(s->ssl);
      return version == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2";
    }
    case CTLS_CIPHER: return SSL_get_cipher_name(s->ssl);
    case CTLS_SERVER_NAME: return SSL_get_servername(s->ssl, TLSEXT_NAMETYPE_host_name);
    case CTLS_RESUMED: return SSL_session_reused(s->ssl) ? "Resumed" : "Initial";
    case CTLS_CLIENT_VERIFY: return !s->asks_client ? NULL : client ? "SUCCESS" : "NONE";
    default: break;
  }
  if (!client) return NULL;
  if (!s->facts[which]) s->facts[which] = fact_of_client(client, which);
  return s->facts[which];
}

static const char *fact(ctls_session *face, enum ctls_fact which) {
  session *s = (session *)face;
  if (!face->is_secure) return NULL;
  pthread_mutex_lock(&s->lock);
  const char *text = fact_under_lock(s, which);
  ERR_clear_error();
  pthread_mutex_unlock(&s->lock);
  return text;
}

static int speaks_http2(ctls_session *face) {
  const unsigned char *name = NULL;
  unsigned count = 0;
  SSL_get0_alpn_selected(((session *)face)->ssl, &name, &count);
  return count == 2 && name[0] == 'h' && name[1] == '2';
}

__attribute__((visibility("default"))) const ctls_table *nsgi_tls_table(void) {
  static const ctls_table table = {
      CTLS_VERSION, nsgi_tls_make, nsgi_tls_drop, nsgi_tls_use_keys, open_session, close_session, lend,
      read_plain,   seal,          end,           sent,     reason_of,    fact,
      nsgi_tls_ends, speaks_http2,  nsgi_tls_key_kind, nsgi_tls_verify,
      nsgi_tls_staples, nsgi_tls_misses, toil,
  };
  return &table;
}
