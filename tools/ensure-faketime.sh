#!/usr/bin/env bash
# Installs Debian's libfaketime where it is missing: a row of `make faults` turns the clocks of running processes.
set -euo pipefail
if compgen -G "/usr/lib/*/faketime/libfaketimeMT.so.1" >/dev/null; then exit 0; fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "The faults need libfaketime. Install it, for example: sudo apt-get install libfaketime" >&2
  exit 1
fi
apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libfaketime >/dev/null
