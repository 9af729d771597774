#include "nsgi.h"
