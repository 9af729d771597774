#!/usr/bin/env bash
# Does what a newcomer does on a machine that has nothing but Debian, git, make and the Swift toolchain:
#   fresh.sh [run|test]     `make run` and a request to it (run), and `make test` after it (test, the default)
# The machine is a root of Debian 12 below .build/roots, thrown away at the end; the clone of HEAD lies in the
# home of its root user, which nobody else may enter. SwiftPM's dependency comes from the checkout here.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-test}
[ "$(id -u)" = 0 ] || { echo "fresh: a root is made and entered: run this as root" >&2; exit 1; }
swift=$(readlink -f "$(command -v swift)")
toolchain=${swift%/usr/bin/*}
[ -d .build/checkouts/swift-log ] || swift package resolve
root=$(mktemp -d "$(mkdir -p .build/roots && cd .build/roots && pwd)/fresh-XXXXXX")
trap 'rm -rf "$root"' EXIT

base=$(/usr/bin/python3 -c "
import sys; sys.path.insert(0, 'Tests/Packages')
import roots; print(roots.tarball('bookworm', ('ca-certificates', 'curl', 'git', 'make')))" | tail -1)
tar -C "$root" -xf "$base" --exclude='./dev/*'
chmod 755 "$root"
cp /etc/resolv.conf "$root/etc/resolv.conf"
# The authorities that this machine trusts, too: a proxy of its network may stand before PyPI.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
mkdir -p "$root/opt/swift" "$root/mirror/apple"
git clone -q --bare . "$root/project"
git clone -q --bare --no-local .build/checkouts/swift-log "$root/mirror/apple/swift-log"
chmod 700 "$root/root"
cat >"$root/root/steps.sh" <<'STEPS'
set -euo pipefail
export PATH=/opt/swift/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root CI=true
export PIP_CERT=/etc/ssl/certs/ca-certificates.crt
git config --global url./mirror/.insteadOf https://github.com/
git config --global --add safe.directory '*'
git clone -q /project /root/app
cd /root/app
setsid make run >/tmp/run.log 2>&1 &
pid=$!
for i in $(seq 1800); do
  if [ "$(curl -sS http://127.0.0.1:8080/ 2>/dev/null)" = "Hello World!" ]; then answered=yes; break; fi
  kill -0 $pid 2>/dev/null || break
  sleep 1
done
[ "${answered:-}" = yes ] || { tail -50 /tmp/run.log; echo "make run has not answered"; exit 1; }
echo "make run: Hello World! after ${SECONDS} s"
kill -TERM -- -$pid
wait $pid || true
[ "$1" = test ] || exit 0
make test
STEPS

# Mounts and processes are those of namespaces that end with the script.
unshare --mount --pid --fork --kill-child /bin/bash -c '
  set -e
  root=$1
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc"
  mount -t sysfs sysfs "$root/sys"
  mount --rbind /dev "$root/dev"
  mount --bind -o ro "$2" "$root/opt/swift"
  exec chroot "$root" /bin/bash /root/steps.sh "$3"' fresh "$root" "$toolchain" "$what"
