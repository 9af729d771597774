# What the scripts that install for measurements share; they source it.

say() { echo "bench: $*" >&2; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Debian starts a service as soon as its package is installed; here nothing is to be started.
apt_install() {
  command -v apt-get >/dev/null || return 1
  local policy=/usr/sbin/policy-rc.d placed= status=0
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root install -m 755 /dev/stdin "$policy"
    placed=yes
  fi
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq -y --no-install-recommends "$@" >/dev/null 2>&1 || status=$?
  [ -z "$placed" ] || as_root rm -f "$policy"
  return "$status"
}
