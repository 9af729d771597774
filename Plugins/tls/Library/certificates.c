/* Certificates and keys -> contexts of OpenSSL, or one sentence that tells what is wrong with which file. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nsgi_tls.h"

/* Mozilla's "intermediate", without finite-field Diffie-Hellman. */
static const char usual_ciphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char usual_curves[] = "X25519:P-256:P-384";

const char *nsgi_tls_reason(void) {
  const char *reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason ? reason : "no reason given";
}

BIO *nsgi_tls_reader(const ctls_file *file) { return BIO_new_mem_buf(file->bytes, (int)file->count); }

static X509 *leaf_of(const ctls_file *file, complaint why) {
  BIO *bio = nsgi_tls_reader(file);
  X509 *leaf = bio ? PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL) : NULL;
  if (!leaf)
    snprintf(why.text, why.room, "the certificate %s holds no certificate in PEM (%s)", file->name,
             nsgi_tls_reason());
  BIO_free(bio);
  return leaf;
}

/* A certificate that names no host is useless to clients. */
static int names_something(X509 *leaf) {
  GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
  int has_names = names != NULL && sk_GENERAL_NAME_num(names) > 0;
  GENERAL_NAMES_free(names);
  return has_names || X509_NAME_get_index_by_NID(X509_get_subject_name(leaf), NID_commonName, -1) >= 0;
}

const char *nsgi_tls_date(const ASN1_TIME *time, char *to, size_t room) {
  BIO *bio = BIO_new(BIO_s_mem());
  int count = bio && ASN1_TIME_print(bio, time) ? BIO_read(bio, to, (int)room - 1) : 0;
  to[count > 0 ? count : 0] = 0;
  BIO_free(bio);
  return to;
}

int64_t nsgi_tls_seconds(const ASN1_TIME *time) {
  struct tm parts;
  return time && ASN1_TIME_to_tm(time, &parts) ? (int64_t)timegm(&parts) : INT64_MAX;
}

int nsgi_tls_is_in_time(const ASN1_TIME *begin, const ASN1_TIME *end, const char *what, const char *name,
                        const char *mend, complaint why) {
  const int has_ended = end && X509_cmp_current_time(end) <= 0;
  if (!has_ended && X509_cmp_current_time(begin) < 0) return 1;
  char when[64];
  snprintf(why.text, why.room, "the %s %s %s %s; %s", what, name,
           has_ended ? "has expired on" : "is not valid before",
           nsgi_tls_date(has_ended ? end : begin, when, sizeof when),
           has_ended ? mend : "set the clock, or wait");
  return 0;
}

static int tell_password(char *to, int room, int writes, void *password) {
  (void)writes;
  if (!password) return 0;
  size_t count = strlen(password);
  if (count > (size_t)room) return 0;
  memcpy(to, password, count);
  return (int)count;
}

static EVP_PKEY *key_of(const ctls_file *file, const char *password, complaint why) {
  BIO *bio = nsgi_tls_reader(file);
  ERR_clear_error();
  EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, tell_password, (void *)password) : NULL;
  BIO_free(bio);
  if (key) return key;
  const int is_encrypted = strstr(file->bytes, "ENCRYPTED") != NULL;
  if (is_encrypted && !password)
    snprintf(why.text, why.room, "the key %s is encrypted; name a file with its password with "
             "--tls-key-password-file", file->name);
  else if (is_encrypted)
    snprintf(why.text, why.room, "the password does not open the key %s; correct the file of "
             "--tls-key-password-file", file->name);
  else
    snprintf(why.text, why.room, "the key %s holds no private key in PEM (%s)", file->name,
             nsgi_tls_reason());
  return NULL;
}

/* Whether both are for the same names. */
static int same_names(X509 *one, X509 *other) {
  ASN1_OCTET_STRING *names[2] = {NULL, NULL};
  X509 *both[2] = {one, other};
  for (int i = 0; i < 2; i++) {
    int place = X509_get_ext_by_NID(both[i], NID_subject_alt_name, -1);
    if (place >= 0) names[i] = X509_EXTENSION_get_data(X509_get_ext(both[i], place));
  }
  return names[0] && names[1] && ASN1_OCTET_STRING_cmp(names[0], names[1]) == 0;
}

/* The context for the same names with a key of another type; otherwise NULL. */
static SSL_CTX *companion(const ctls_set *set, X509 *leaf, EVP_PKEY *key) {
  for (size_t i = 0; i < set->count; i++) {
    X509 *other = SSL_CTX_get0_certificate(set->contexts[i]);
    if (other && same_names(other, leaf) &&
        EVP_PKEY_get_base_id(X509_get0_pubkey(other)) != EVP_PKEY_get_base_id(key))
      return set->contexts[i];
  }
  return NULL;
}

/* The certificates that follow it in its file lead to its authority. */
static int add_chain(SSL_CTX *context, const ctls_file *file, complaint why) {
  BIO *bio = nsgi_tls_reader(file);
  X509 *certificate = bio ? PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL) : NULL;
  X509_free(certificate);
  ERR_clear_error();
  int is_good = bio != NULL;
  while (is_good && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
    if (!(is_good = SSL_CTX_add0_chain_cert(context, certificate))) X509_free(certificate);
  BIO_free(bio);
  // The absence of a further one is the end of the chain.
  if (is_good && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
    ERR_clear_error();
    return 1;
  }
  snprintf(why.text, why.room, "the chain in %s, behind its first certificate, cannot be read (%s)",
           file->name, nsgi_tls_reason());
  return 0;
}

/* Suites of TLS 1.3 begin with TLS_, and are set by a function of their own. */
static int use_ciphers(SSL_CTX *context, const char *list, complaint why) {
  if (!list) return SSL_CTX_set_cipher_list(context, usual_ciphers);
  char *copy = strdup(list), *older = calloc(1, strlen(list) + 2), *newer = calloc(1, strlen(list) + 2);
  int is_good = copy && older && newer;
  char *rest = copy;
  for (char *word; is_good && (word = strsep(&rest, ":")) != NULL;) {
    char *to = strncmp(word, "TLS_", 4) == 0 ? newer : older;
    if (*to && *word) strcat(to, ":");
    strcat(to, word);
  }
  if (is_good && *newer) is_good = SSL_CTX_set_ciphersuites(context, newer);
  if (is_good && *older) is_good = SSL_CTX_set_cipher_list(context, older);
  if (is_good && !*older) is_good = SSL_CTX_set_cipher_list(context, usual_ciphers);
  if (!is_good)
    snprintf(why.text, why.room, "--tls-ciphers: OpenSSL cannot use \"%s\"; see `openssl ciphers`", list);
  free(copy);
  free(older);
  free(newer);
  return is_good;
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *count,
                           const unsigned char *offered, unsigned offered_count, void *set) {
  static const unsigned char ours[] = "\x02h2\x08http/1.1\x08http/1.0";
  const unsigned skipped = ((const ctls_set *)set)->offers_http2 ? 0 : 3;
  (void)ssl;
  const int result = SSL_select_next_proto((unsigned char **)out, count, ours + skipped,
                                           sizeof ours - 1 - skipped, offered, offered_count);
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* RFC 6066 §3: a client that names none of our hosts gets the default, and one that names none at all the
   one that its session began with. */
static int choose_name(SSL *ssl, int *alert, void *argument) {
  const ctls_set *set = argument;
  const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  (void)alert;
  if (!name) return SSL_TLSEXT_ERR_NOACK;
  SSL_CTX *chosen = set->contexts[0];
  for (size_t i = 0; i < set->count; i++) {
    X509 *leaf = SSL_CTX_get0_certificate(set->contexts[i]);
    if (X509_check_host(leaf, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) != 1) continue;
    chosen = set->contexts[i];
    break;
  }
  SSL_set_SSL_CTX(ssl, chosen);
  return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *context_of(const ctls_plan *plan, ctls_set *set, complaint why) {
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  snprintf(why.text, why.room, "OpenSSL makes no context (%s)", nsgi_tls_reason());
  if (!context) return NULL;
  SSL_CTX_set_min_proto_version(context, plan->minimum >= 3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  /* The order is ours, but whose first choice is ChaCha20 has no hardware for AES. */
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(context, set->context_id, set->context_id_count);
  SSL_CTX_set_timeout(context, plan->session_seconds);
  SSL_CTX_set_app_data(context, set);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, set);
  SSL_CTX_set_tlsext_servername_callback(context, choose_name);
  SSL_CTX_set_tlsext_servername_arg(context, set);
  nsgi_tls_use_tickets(context);
  nsgi_tls_staple(context);
  nsgi_tls_pause(context, 0);
  int is_good = use_ciphers(context, plan->ciphers, why) && nsgi_tls_use_clients(context, plan, why);
  if (is_good && !SSL_CTX_set1_groups_list(context, plan->curves ? plan->curves : usual_curves)) {
    snprintf(why.text, why.room, "--tls-curves: OpenSSL cannot use \"%s\"; write it as in %s",
             plan->curves ? plan->curves : "", usual_curves);
    is_good = 0;
  }
  if (is_good) return context;
  SSL_CTX_free(context);
  return NULL;
}

static void note_end(ctls_set *set, int64_t at, const char *name) {
  ctls_end *noted = &set->ends[set->end_count];
  noted->at = at;
  noted->name = strdup(name);
  if (noted->name) set->end_count++;
}

int64_t nsgi_tls_ends(ctls_set *set, size_t place, const char **name) {
  if (place >= set->end_count) return 0;
  *name = set->ends[place].name;
  return set->ends[place].at;
}

/* Whether one signature takes about as long as a call may hold the loop, or longer: RSA above 2048 bits takes
   2 to 5 ms, and OpenSSL 3.0 has fast code for few curves above 256 bits. */
static int is_heavy(const EVP_PKEY *key) {
  const int is_rsa = EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS");
  return EVP_PKEY_get_bits(key) > (is_rsa ? 2048 : 256);
}

static int add_identity(const ctls_plan *plan, const ctls_identity *identity, ctls_set *set, complaint why) {
  ERR_clear_error();
  const char *name = identity->certificate.name;
  X509 *leaf = leaf_of(&identity->certificate, why);
  EVP_PKEY *key = leaf ? key_of(&identity->key, plan->password, why) : NULL;
  int is_good = key != NULL;
  if (is_good && plan->checks_time)
    is_good = nsgi_tls_is_in_time(X509_get0_notBefore(leaf), X509_get0_notAfter(leaf), "certificate", name,
                                  "renew it", why);
  if (is_good && !(is_good = X509_check_private_key(leaf, key)))
    snprintf(why.text, why.room, "the key %s does not belong to the certificate %s", identity->key.name,
             name);
  if (is_good && !(is_good = names_something(leaf)))
    snprintf(why.text, why.room, "the certificate %s names no host (subjectAltName)", name);
  if (is_good) {
    SSL_CTX *context = companion(set, leaf, key);
    if (!context && (context = context_of(plan, set, why))) set->contexts[set->count++] = context;
    is_good = context != NULL;
    if (is_good &&
        !(is_good = SSL_CTX_use_certificate(context, leaf) && SSL_CTX_use_PrivateKey(context, key)))
      snprintf(why.text, why.room, "the certificate %s cannot be used (%s)", name, nsgi_tls_reason());
    is_good = is_good && add_chain(context, &identity->certificate, why);
    if (is_good && is_heavy(key)) nsgi_tls_pause(context, 1);
  }
  if (is_good) note_end(set, nsgi_tls_seconds(X509_get0_notAfter(leaf)), name);
  X509_free(leaf);
  EVP_PKEY_free(key);
  return is_good;
}

ctls_set *nsgi_tls_make(const ctls_plan *plan, char *reason, size_t room) {
  complaint why = {reason, room};
  snprintf(reason, room, "there is no memory");
  ctls_set *set = calloc(1, sizeof *set);
  if (!set) return NULL;
  set->holders = 1;
  set->contexts = calloc(plan->count, sizeof *set->contexts);
  set->ends = calloc(plan->count + 1, sizeof *set->ends);
  set->blocks = nsgi_tls_blocks();
  set->asks_client = plan->client_ca.bytes != NULL;
  set->offers_http2 = plan->offers_http2;
  int is_good = set->contexts && set->ends && set->blocks && nsgi_tls_identify(set, plan);
  for (size_t i = 0; is_good && i < plan->count; i++)
    is_good = add_identity(plan, &plan->identities[i], set, why);
  is_good = is_good && nsgi_tls_use_responses(set, plan, why);
  const int64_t lists_end = is_good ? nsgi_tls_lists_end(&plan->client_crl) : 0;
  if (lists_end) note_end(set, lists_end, plan->client_crl.name);
  ERR_clear_error();
  if (is_good) return set;
  nsgi_tls_drop(set);
  return NULL;
}

void nsgi_tls_drop(ctls_set *set) {
  if (!set || atomic_fetch_sub(&set->holders, 1) > 1) return;
  nsgi_tls_drop_staples(set);
  for (size_t i = 0; i < set->count; i++) SSL_CTX_free(set->contexts[i]);
  for (size_t i = 0; i < set->end_count; i++) free(set->ends[i].name);
  BIO_meth_free(set->blocks);
  free(set->ends);
  free(set->contexts);
  OPENSSL_cleanse(set->keys, sizeof set->keys);
  free(set);
}
