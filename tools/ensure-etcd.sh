#!/usr/bin/env bash
# Puts Debian's etcd into build/etcd, unpacked and not installed: Patroni keeps its leader's lease there.
set -euo pipefail
cd "$(dirname "$0")/.."
if command -v etcd >/dev/null || [ -x build/etcd/usr/bin/etcd ]; then exit 0; fi
if ! command -v apt-get >/dev/null; then
  echo "The measurement of Patroni needs etcd. Install it, for example: etcd-server" >&2
  exit 1
fi
mkdir -p build/etcd && cd build/etcd
apt-get download -qq etcd-server >/dev/null 2>&1 || { apt-get update -qq; apt-get download -qq etcd-server >/dev/null; }
dpkg -x etcd-server_*.deb . && rm etcd-server_*.deb
