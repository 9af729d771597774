/* Certificates of clients: which authorities may have signed them, over how many steps, and which of them
 * were revoked. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "nsgi_tls.h"

static STACK_OF(X509) *authorities_of(const ctls_file *file) {
  STACK_OF(X509) *all = sk_X509_new_null();
  BIO *bio = all ? nsgi_tls_reader(file) : NULL;
  X509 *authority;
  while (bio && (authority = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)))
    if (!sk_X509_push(all, authority)) X509_free(authority);
  BIO_free(bio);
  ERR_clear_error();
  return all;
}

/* 1: an authority has signed it; 0: there is none of that name; -1: it has another signature. */
static int is_signed(X509_CRL *list, STACK_OF(X509) *authorities) {
  int result = 0;
  for (int i = 0; i < sk_X509_num(authorities); i++) {
    X509 *authority = sk_X509_value(authorities, i);
    if (X509_NAME_cmp(X509_get_subject_name(authority), X509_CRL_get_issuer(list)) != 0) continue;
    if (X509_CRL_verify(list, X509_get0_pubkey(authority)) == 1) return 1;
    result = -1;
  }
  return result;
}

/* Adds the lists of a file, at least one of which must come from an authority known here: those of
   intermediate authorities may be there too. */
static int use_lists(X509_STORE *store, STACK_OF(X509) *authorities, const ctls_plan *plan, complaint why) {
  const ctls_file *file = &plan->client_crl;
  BIO *bio = nsgi_tls_reader(file);
  X509_CRL *list;
  int count = 0, known = 0, is_good = bio != NULL;
  ERR_clear_error();
  while (is_good && (list = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL))) {
    const int is_own = is_signed(list, authorities);
    if (is_own < 0) {
      snprintf(why.text, why.room, "the revocation list %s is not signed by the authority that it names",
               file->name);
      is_good = 0;
    }
    /* An expired list says nothing about certificates that were revoked since: OpenSSL would refuse every
       client. */
    is_good = is_good &&
              (!plan->checks_time ||
               nsgi_tls_is_in_time(X509_CRL_get0_lastUpdate(list), X509_CRL_get0_nextUpdate(list),
                                   "revocation list", file->name, "get a newer one", why)) &&
              X509_STORE_add_crl(store, list);
    X509_CRL_free(list);
    known += is_own > 0;
    count++;
  }
  BIO_free(bio);
  if (!is_good) return 0;
  const int is_whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!count || !is_whole)
    snprintf(why.text, why.room, "%s holds no revocation list (CRL) in PEM that can be read (%s)", file->name,
             nsgi_tls_reason());
  else if (!known)
    snprintf(why.text, why.room, "no revocation list in %s is of an authority in %s", file->name,
             plan->client_ca.name);
  ERR_clear_error();
  return count && is_whole && known;
}

int nsgi_tls_use_clients(SSL_CTX *context, const ctls_plan *plan, complaint why) {
  if (!plan->client_ca.bytes) return 1;
  STACK_OF(X509) *authorities = authorities_of(&plan->client_ca);
  X509_STORE *store = SSL_CTX_get_cert_store(context);
  int count = 0;
  for (int i = 0; i < sk_X509_num(authorities); i++) {
    X509 *authority = sk_X509_value(authorities, i);
    count += X509_STORE_add_cert(store, authority) && SSL_CTX_add_client_CA(context, authority);
  }
  int is_good = count > 0;
  if (!is_good)
    snprintf(why.text, why.room, "the authorities of clients in %s hold no certificate in PEM",
             plan->client_ca.name);
  if (is_good && plan->client_crl.bytes) {
    is_good = use_lists(store, authorities, plan, why);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  }
  sk_X509_pop_free(authorities, X509_free);
  SSL_CTX_set_verify_depth(context, plan->client_depth);
  SSL_CTX_set_verify(context,
                     SSL_VERIFY_PEER | (plan->client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
  return is_good;
}

/* When the first of the lists expires, after which no client with a certificate is accepted; 0 for never. */
int64_t nsgi_tls_lists_end(const ctls_file *file) {
  if (!file->bytes) return 0;
  BIO *bio = nsgi_tls_reader(file);
  X509_CRL *list;
  int64_t first = 0;
  while (bio && (list = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL))) {
    const ASN1_TIME *end = X509_CRL_get0_nextUpdate(list);
    const int64_t at = end ? nsgi_tls_seconds(end) : 0;
    if (at && (!first || at < first)) first = at;
    X509_CRL_free(list);
  }
  BIO_free(bio);
  ERR_clear_error();
  return first;
}

/* A ticket carries what was found out about its client. It is valid only where the same would be checked: not
   on a socket with other authorities, and not after a newer revocation list. */
int nsgi_tls_identify(ctls_set *set, const ctls_plan *plan) {
  static const unsigned char nobody[] = "nsgi";
  if (!plan->client_ca.bytes) {
    set->context_id_count = sizeof nobody - 1;
    for (size_t i = 0; i < sizeof nobody - 1; i++) set->context_id[i] = nobody[i];
    return 1;
  }
  EVP_MD_CTX *digest = EVP_MD_CTX_new();
  const int terms[] = {plan->client_required, plan->client_depth};
  int is_good = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) &&
                EVP_DigestUpdate(digest, terms, sizeof terms) &&
                EVP_DigestUpdate(digest, plan->client_ca.bytes, plan->client_ca.count);
  if (is_good && plan->client_crl.bytes)
    is_good = EVP_DigestUpdate(digest, plan->client_crl.bytes, plan->client_crl.count);
  is_good = is_good && EVP_DigestFinal_ex(digest, set->context_id, &set->context_id_count);
  EVP_MD_CTX_free(digest);
  return is_good;
}
