/* Compares the names that certificates are for: clients that reached a name before should still reach it
   afterwards. */
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "nsgi_tls.h"

/* The longest name that is compared (RFC 1035 §2.3.4). */
#define NAME_BYTES 256

static int is_covered(ctls_set *set, const char *name) {
  char host[NAME_BYTES + 16];
  // A host that only the wildcard, or a wider one, can match.
  snprintf(host, sizeof host, "%s%s", *name == '*' ? "nsgi-any" : "", *name == '*' ? name + 1 : name);
  for (size_t i = 0; i < set->count; i++)
    if (X509_check_host(SSL_CTX_get0_certificate(set->contexts[i]), host, 0,
                        X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1)
      return 1;
  return 0;
}

static int has_address(ctls_set *set, const ASN1_OCTET_STRING *address) {
  for (size_t i = 0; i < set->count; i++)
    if (X509_check_ip(SSL_CTX_get0_certificate(set->contexts[i]), ASN1_STRING_get0_data(address),
                      (size_t)ASN1_STRING_length(address), 0) == 1)
      return 1;
  return 0;
}

/* A name as text: characters that are not allowed in one are shown as `?`. Empty if it is too long. */
static const char *text_of(const ASN1_STRING *name, char *to) {
  const int count = ASN1_STRING_length(name);
  *to = 0;
  if (count <= 0 || count >= NAME_BYTES) return to;
  for (int i = 0; i < count; i++) {
    const unsigned char byte = ASN1_STRING_get0_data(name)[i];
    to[i] = byte > ' ' && byte < 127 ? (char)byte : '?';
  }
  to[count] = 0;
  return to;
}

static const char *text_of_address(const ASN1_OCTET_STRING *address, char *to) {
  const unsigned char *bytes = ASN1_STRING_get0_data(address);
  const int count = ASN1_STRING_length(address);
  int written = 0;
  *to = 0;
  for (int i = 0; i < count && written < NAME_BYTES - 8; i++)
    written += count == 4 ? snprintf(to + written, 8, i ? ".%u" : "%u", bytes[i])
                          : snprintf(to + written, 8, i && i % 2 == 0 ? ":%02x" : "%02x", bytes[i]);
  return to;
}

/* The first name of a certificate for which the set has no certificate; NULL: there is none. */
static const char *missed(ctls_set *set, X509 *leaf, char *name) {
  GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
  const char *found = NULL;
  for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++) {
    const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);
    if (one->type == GEN_DNS && *text_of(one->d.dNSName, name) && !is_covered(set, name)) found = name;
    if (one->type == GEN_IPADD && !has_address(set, one->d.iPAddress))
      found = text_of_address(one->d.iPAddress, name);
  }
  const int has_names = names != NULL;
  GENERAL_NAMES_free(names);
  // If there are none, the subject is the name (RFC 6125 §6.4.4).
  X509_NAME *subject = X509_get_subject_name(leaf);
  const int place = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (!found && !has_names && place >= 0 &&
      *text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, place)), name) && !is_covered(set, name))
    found = name;
  return found;
}

int nsgi_tls_misses(ctls_set *set, ctls_set *before, char *reason, size_t room) {
  char name[NAME_BYTES];
  for (size_t i = 0; i < before->count; i++) {
    const char *found = missed(set, SSL_CTX_get0_certificate(before->contexts[i]), name);
    if (!found) continue;
    snprintf(reason, room, "no certificate names %s, as those that serve do", found);
    return 1;
  }
  return 0;
}
