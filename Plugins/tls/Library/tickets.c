/* Session tickets: which key makes them, and which ones open them. */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "nsgi_tls.h"

/* A ticket with the newest key, or the key with which one was made:
 * SSL_CTX_set_tlsext_ticket_key_evp_cb(3). */
static int ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                      EVP_MAC_CTX *mac, int encrypts) {
  const ctls_set *set = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
  size_t place = 0;
  if (encrypts) {
    if (!set->key_count || RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) <= 0) return 0;
    memcpy(name, set->keys[0], 16);
  } else {
    while (place < set->key_count && memcmp(set->keys[place], name, 16) != 0) place++;
    if (place == set->key_count) return 0;
  }
  unsigned char *key = (unsigned char *)set->keys[place];
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key + 48, 32),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "SHA256", 0),
      OSSL_PARAM_construct_end(),
  };
  if (!EVP_MAC_CTX_set_params(mac, parameters)) return -1;
  if (!EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key + 16, iv, encrypts)) return -1;
  return place == 0 ? 1 : 2;
}

void nsgi_tls_use_tickets(SSL_CTX *context) { SSL_CTX_set_tlsext_ticket_key_evp_cb(context, ticket_key); }

void nsgi_tls_use_keys(ctls_set *set, const unsigned char *keys, size_t count) {
  set->key_count = count < CTLS_KEYS ? count : CTLS_KEYS;
  OPENSSL_cleanse(set->keys, sizeof set->keys);
  memcpy(set->keys, keys, set->key_count * CTLS_KEY_BYTES);
}
