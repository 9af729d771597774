/* Detached signatures of builds: Ed25519 (RFC 8032), as `openssl pkeyutl -sign -rawin` and minisign write
   them. The data parsed here is small and of fixed length; all computation is OpenSSL's. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "nsgi_tls.h"

enum { KEY_BYTES = 32, SIGNATURE_BYTES = 64, ID_BYTES = 8, HASH_BYTES = 64 };
/* minisign: two letters for the algorithm, the key's number, and the key or the signature. */
enum { MINISIGN_KEY = 2 + ID_BYTES + KEY_BYTES, MINISIGN_SIGNATURE = 2 + ID_BYTES + SIGNATURE_BYTES };

typedef struct text {
  const char *start;
  size_t count;
} text;

/* The next line of a file without its end; 0 when there is none. */
static int next_line(text *rest, text *line) {
  if (!rest->count) return 0;
  const char *end = memchr(rest->start, '\n', rest->count);
  line->start = rest->start;
  line->count = end ? (size_t)(end - rest->start) : rest->count;
  const size_t taken = line->count + (end ? 1 : 0);
  rest->start += taken;
  rest->count -= taken;
  if (line->count && line->start[line->count - 1] == '\r') line->count--;
  return 1;
}

static int begins_with(const text *line, const char *word) {
  const size_t count = strlen(word);
  return line->count >= count && !memcmp(line->start, word, count);
}

/* Base64 (RFC 4648 §4) of exactly this many bytes. */
static int decode(const text *line, unsigned char *to, size_t count) {
  unsigned char bytes[128];
  const size_t digits = (count + 2) / 3 * 4, padding = digits / 4 * 3 - count;
  if (line->count != digits || digits / 4 * 3 > sizeof bytes) return 0;
  for (size_t i = 0; i < digits; i++)
    if ((line->start[i] == '=') != (i >= digits - padding)) return 0;
  const int whole = EVP_DecodeBlock(bytes, (const unsigned char *)line->start, (int)digits);
  if (whole != (int)(digits / 4 * 3)) return 0;
  memcpy(to, bytes, count);
  return 1;
}

/* A public key and, for minisign's, its number. */
typedef struct public_key {
  EVP_PKEY *key;
  int is_minisign;
  unsigned char id[ID_BYTES];
} public_key;

static int is_pem(const ctls_file *file) {
  const text contents = {file->bytes, file->count};
  return begins_with(&contents, "-----BEGIN ");
}

static int read_pem(const ctls_file *file, public_key *key, char *reason, size_t room) {
  BIO *bio = BIO_new_mem_buf(file->bytes, (int)file->count);
  key->key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
  BIO_free(bio);
  if (!key->key) {
    snprintf(reason, room,
             "the key %s holds no public key in PEM; write it by `openssl pkey -in KEY -pubout -out FILE`",
             file->name);
    return 0;
  }
  if (EVP_PKEY_get_id(key->key) == EVP_PKEY_ED25519) return 1;
  snprintf(reason, room,
           "the key %s is no Ed25519 key; make one by `openssl genpkey -algorithm ed25519` or `minisign -G`",
           file->name);
  return 0;
}

static int read_minisign(const ctls_file *file, public_key *key, char *reason, size_t room) {
  text rest = {file->bytes, file->count}, line;
  unsigned char bytes[MINISIGN_KEY];
  const int is_whole = next_line(&rest, &line) && begins_with(&line, "untrusted comment:") &&
                       next_line(&rest, &line) && decode(&line, bytes, sizeof bytes) &&
                       !memcmp(bytes, "Ed", 2);
  if (is_whole) {
    key->is_minisign = 1;
    memcpy(key->id, bytes + 2, ID_BYTES);
    key->key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes + 2 + ID_BYTES, KEY_BYTES);
  }
  if (key->key) return 1;
  snprintf(reason, room,
           "the key %s is neither a public key in PEM (`openssl pkey -pubout`) nor one of minisign "
           "(`minisign -G`)",
           file->name);
  return 0;
}

/* The key of a file; 0 with a reason. Its contents have to be freed either way. */
static int read_key(const ctls_file *file, public_key *key, char *reason, size_t room) {
  memset(key, 0, sizeof *key);
  return is_pem(file) ? read_pem(file, key, reason, room) : read_minisign(file, key, reason, room);
}

static int is_signed(EVP_PKEY *key, const unsigned char *signature, const void *bytes, size_t count) {
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  const int is = context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
                 EVP_DigestVerify(context, signature, SIGNATURE_BYTES, bytes, count) == 1;
  EVP_MD_CTX_free(context);
  return is;
}

static int fits_not(const ctls_signature *what, char *reason, size_t room) {
  snprintf(reason, room,
           "the signature %s does not fit it and the key %s: the file was changed after it was signed, or "
           "another key has signed it",
           what->signature.name, what->key.name);
  return 0;
}

static void hexadecimal(const unsigned char *id, char *to) {
  /* As minisign shows it: the number is little-endian. */
  for (int i = 0; i < ID_BYTES; i++) snprintf(to + 2 * i, 3, "%02X", id[ID_BYTES - 1 - i]);
}

/* A trusted comment is signed together with the signature: anybody who changes it destroys the signature. */
static int minisign_fits(const ctls_signature *what, const public_key *key, char *reason, size_t room) {
  text rest = {what->signature.bytes, what->signature.count}, line, comment;
  unsigned char bytes[MINISIGN_SIGNATURE], whole[SIGNATURE_BYTES], hash[HASH_BYTES];
  static const char trusted[] = "trusted comment: ";
  const int is_whole = next_line(&rest, &line) && begins_with(&line, "untrusted comment:") &&
                       next_line(&rest, &line) && decode(&line, bytes, sizeof bytes) &&
                       next_line(&rest, &comment) && begins_with(&comment, trusted) &&
                       next_line(&rest, &line) && decode(&line, whole, sizeof whole) && bytes[0] == 'E' &&
                       (bytes[1] == 'd' || bytes[1] == 'D');
  if (!is_whole) {
    snprintf(reason, room, "the signature %s is none of minisign; sign the file by `minisign -Sm FILE`",
             what->signature.name);
    return 0;
  }
  if (memcmp(bytes + 2, key->id, ID_BYTES)) {
    char own[2 * ID_BYTES + 1], other[2 * ID_BYTES + 1];
    hexadecimal(key->id, own);
    hexadecimal(bytes + 2, other);
    snprintf(reason, room, "the signature %s was made by the key %s, and %s is the key %s",
             what->signature.name, other, what->key.name, own);
    return 0;
  }
  const unsigned char *signature = bytes + 2 + ID_BYTES;
  const void *content = what->bytes;
  size_t count = what->count;
  unsigned hashed = 0;
  if (bytes[1] == 'D') {
    const int is_hashed = EVP_Digest(what->bytes, what->count, hash, &hashed, EVP_blake2b512(), NULL);
    if (!is_hashed || hashed != HASH_BYTES) {
      snprintf(reason, room, "OpenSSL has no BLAKE2b here; sign with `minisign -S -l`");
      return 0;
    }
    content = hash;
    count = HASH_BYTES;
  }
  if (!is_signed(key->key, signature, content, count)) return fits_not(what, reason, room);
  comment.start += sizeof trusted - 1;
  comment.count -= sizeof trusted - 1;
  unsigned char *both = OPENSSL_malloc(SIGNATURE_BYTES + comment.count);
  if (both) {
    memcpy(both, signature, SIGNATURE_BYTES);
    memcpy(both + SIGNATURE_BYTES, comment.start, comment.count);
  }
  const int is = both && is_signed(key->key, whole, both, SIGNATURE_BYTES + comment.count);
  OPENSSL_free(both);
  return is ? 1 : fits_not(what, reason, room);
}

static int raw_fits(const ctls_signature *what, const public_key *key, char *reason, size_t room) {
  if (what->signature.count != SIGNATURE_BYTES) {
    snprintf(reason, room,
             "the signature %s has %zu bytes and not 64; sign the file by `openssl pkeyutl -sign -rawin "
             "-inkey KEY -in FILE -out FILE.sig`",
             what->signature.name, what->signature.count);
    return 0;
  }
  const unsigned char *signature = (const unsigned char *)what->signature.bytes;
  return is_signed(key->key, signature, what->bytes, what->count) ? 1 : fits_not(what, reason, room);
}

enum ctls_key_kind nsgi_tls_key_kind(const ctls_file *file, char *reason, size_t room) {
  public_key key;
  const int is_read = read_key(file, &key, reason, room);
  EVP_PKEY_free(key.key);
  ERR_clear_error();
  return !is_read ? CTLS_NO_KEY : key.is_minisign ? CTLS_KEY_MINISIGN : CTLS_KEY_PEM;
}

int nsgi_tls_verify(const ctls_signature *what, char *reason, size_t room) {
  public_key key;
  int is = read_key(&what->key, &key, reason, room);
  if (is) is = key.is_minisign ? minisign_fits(what, &key, reason, room) : raw_fits(what, &key, reason, room);
  EVP_PKEY_free(key.key);
  ERR_clear_error();
  return is;
}
