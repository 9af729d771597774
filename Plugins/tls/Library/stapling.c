/* OCSP responses from files (RFC 6960), which handshakes present with their certificates (RFC 6066 §8): read,
   and checked to be for a certificate of the set, good, and signed by its authority. */
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nsgi_tls.h"

/* Clocks of authorities may be ahead of ours by this many seconds. */
static const long skew = 300;

/* The certificate of the authority that has signed a leaf, among those after it; NULL: there is none. */
static X509 *issuer_of(X509 *leaf, STACK_OF(X509) *chain) {
  for (int i = 0; i < sk_X509_num(chain); i++)
    if (X509_check_issued(sk_X509_value(chain, i), leaf) == X509_V_OK) return sk_X509_value(chain, i);
  return NULL;
}

static int is_hash(const ASN1_OCTET_STRING *hash, const unsigned char *bytes, unsigned count) {
  return hash && (unsigned)ASN1_STRING_length(hash) == count &&
         memcmp(ASN1_STRING_get0_data(hash), bytes, count) == 0;
}

/* RFC 6960 §4.1.1: by number, and by the names and keys of authorities as far as they are known. */
static int speaks_of(OCSP_SINGLERESP *single, X509 *leaf, X509 *issuer) {
  ASN1_OCTET_STRING *name = NULL, *key = NULL;
  ASN1_OBJECT *kind = NULL;
  ASN1_INTEGER *number = NULL;
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned count = 0;
  OCSP_id_get0_info(&name, &kind, &key, &number, (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single));
  const EVP_MD *digest = EVP_get_digestbyobj(kind);
  if (!digest || ASN1_INTEGER_cmp(number, X509_get0_serialNumber(leaf)) != 0) return 0;
  if (!X509_NAME_digest(X509_get_issuer_name(leaf), digest, hash, &count) || !is_hash(name, hash, count))
    return 0;
  return !issuer || (X509_pubkey_digest(issuer, digest, hash, &count) && is_hash(key, hash, count));
}

/* Whether it is signed by the authority, or by somebody to whom the authority has delegated that. */
static int is_signed(OCSP_BASICRESP *basic, STACK_OF(X509) *chain, X509 *issuer) {
  X509_STORE *store = X509_STORE_new();
  // Its time is checked separately: an expired one is not presented, but is not an error.
  const int is_good = store && X509_STORE_add_cert(store, issuer) &&
                      X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME) &&
                      OCSP_basic_verify(basic, chain, store, 0) == 1;
  X509_STORE_free(store);
  return is_good;
}

/* What it says about a certificate: 1 if it may be presented. */
static int is_usable(OCSP_BASICRESP *basic, OCSP_SINGLERESP *single, STACK_OF(X509) *chain, X509 *issuer,
                     const ctls_plan *plan, const ctls_file *file, int64_t *end, complaint why) {
  ASN1_GENERALIZEDTIME *begins = NULL, *ends = NULL;
  char when[64];
  const int status = OCSP_single_get0_status(single, NULL, NULL, &begins, &ends);
  *end = nsgi_tls_seconds(ends);
  if (status != V_OCSP_CERTSTATUS_GOOD) {
    snprintf(why.text, why.room, "the OCSP response %s says that its certificate is %s", file->name,
             OCSP_cert_status_str(status));
    return 0;
  }
  if (plan->checks_time && nsgi_tls_seconds(begins) > time(NULL) + skew) {
    snprintf(why.text, why.room, "the OCSP response %s is not valid before %s; set the clock, or wait",
             file->name, nsgi_tls_date(begins, when, sizeof when));
    return 0;
  }
  if (issuer && !is_signed(basic, chain, issuer)) {
    snprintf(why.text, why.room, "the OCSP response %s is not signed by the authority of its certificate",
             file->name);
    return 0;
  }
  return 1;
}

static int keep(ctls_set *set, X509 *leaf, const ctls_file *file, int64_t end) {
  ctls_staple *staple = &set->staples[set->staple_count];
  staple->name = strdup(file->name);
  staple->bytes = malloc(file->count);
  if (!staple->name || !staple->bytes) {
    free(staple->name);
    free(staple->bytes);
    return 0;
  }
  memcpy(staple->bytes, file->bytes, file->count);
  staple->count = (long)file->count;
  staple->at = end;
  X509_up_ref(leaf);
  staple->leaf = leaf;
  set->staple_count++;
  return 1;
}

/* Searches for the certificate of a response among those of a context, which has one for each type of key. */
static int match(ctls_set *set, SSL_CTX *context, OCSP_BASICRESP *basic, const ctls_plan *plan,
                 const ctls_file *file, complaint why) {
  for (long more = SSL_CTX_set_current_cert(context, SSL_CERT_SET_FIRST); more;
       more = SSL_CTX_set_current_cert(context, SSL_CERT_SET_NEXT)) {
    STACK_OF(X509) *chain = NULL;
    X509 *leaf = SSL_CTX_get0_certificate(context);
    SSL_CTX_get0_chain_certs(context, &chain);
    X509 *issuer = issuer_of(leaf, chain);
    for (int i = 0; i < OCSP_resp_count(basic); i++) {
      OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);
      int64_t end;
      if (!speaks_of(single, leaf, issuer)) continue;
      if (!is_usable(basic, single, chain, issuer, plan, file, &end, why)) return -1;
      return keep(set, leaf, file, end) ? 1 : -1;
    }
  }
  return 0;
}

static OCSP_BASICRESP *basic_of(const ctls_file *file, complaint why) {
  const unsigned char *bytes = (const unsigned char *)file->bytes, *end = bytes + file->count;
  OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &bytes, (long)file->count);
  const int status = response ? OCSP_response_status(response) : 0;
  OCSP_BASICRESP *basic = response && bytes == end ? OCSP_response_get1_basic(response) : NULL;
  if (response && status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
    snprintf(why.text, why.room, "the OCSP response %s is an answer without content (%s); ask again",
             file->name, OCSP_response_status_str(status));
  else if (!basic)
    snprintf(why.text, why.room,
             "%s holds no OCSP response in DER; `openssl ocsp` with -respout writes one", file->name);
  OCSP_RESPONSE_free(response);
  return basic;
}

int nsgi_tls_use_responses(ctls_set *set, const ctls_plan *plan, complaint why) {
  if (!plan->response_count) return 1;
  set->staples = calloc(plan->response_count, sizeof *set->staples);
  int is_good = set->staples != NULL;
  for (size_t i = 0; is_good && i < plan->response_count; i++) {
    OCSP_BASICRESP *basic = basic_of(&plan->responses[i], why);
    int found = basic ? 0 : -1;
    for (size_t j = 0; !found && j < set->count; j++)
      found = match(set, set->contexts[j], basic, plan, &plan->responses[i], why);
    OCSP_BASICRESP_free(basic);
    is_good = found >= 0;
  }
  return is_good;
}

int64_t nsgi_tls_staples(ctls_set *set, size_t place, const char **name) {
  if (place >= set->staple_count) return 0;
  *name = set->staples[place].name;
  return set->staples[place].at;
}

void nsgi_tls_drop_staples(ctls_set *set) {
  for (size_t i = 0; i < set->staple_count; i++) {
    free(set->staples[i].name);
    free(set->staples[i].bytes);
    X509_free(set->staples[i].leaf);
  }
  free(set->staples);
}

/* A client asks for it (RFC 6066 §8). An expired one would make it end the connection. */
static int present(SSL *ssl, void *nothing) {
  (void)nothing;
  const ctls_set *set = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
  const X509 *leaf = SSL_get_certificate(ssl);
  for (size_t i = 0; i < set->staple_count; i++) {
    const ctls_staple *staple = &set->staples[i];
    if (staple->leaf != leaf || staple->at <= time(NULL)) continue;
    unsigned char *copy = OPENSSL_memdup(staple->bytes, (size_t)staple->count);
    if (!copy) return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, staple->count);
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

void nsgi_tls_staple(SSL_CTX *context) { SSL_CTX_set_tlsext_status_cb(context, present); }
