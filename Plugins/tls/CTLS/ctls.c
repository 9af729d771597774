#include "ctls.h"

_Static_assert(CTLS_KEY_BYTES == 16 + 32 + 32, "a name, a key of AES-256 and one of HMAC-SHA-256");
