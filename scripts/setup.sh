#!/usr/bin/env bash
# Brings a Debian 12 machine to where Basalt builds and runs. Says what it will install before it does so, and
# nothing when all is there. Safe to run again.
# Usage: scripts/setup.sh [--for-tests]
set -euo pipefail
cd "$(dirname "$0")/.."

# package:what it brings
run_needs=(
  git:git crun:crun runc:runc haproxy:haproxy nftables:nft iproute2:ip util-linux:nsenter mount:mount
  erofs-utils:mkfs.erofs gpgv:gpgv xz-utils:xz dpkg:dpkg-deb tar:tar
  ca-certificates:/etc/ssl/certs/ca-certificates.crt
  debian-archive-keyring:/usr/share/keyrings/debian-archive-keyring.gpg
)
test_needs=(
  skopeo:skopeo umoci:umoci busybox-static:busybox wrk:wrk python3-minimal:python3
  redis-server:redis-server procps:ps strace:strace gpg:gpg gpg-agent:gpg-agent curl:curl zsh:zsh fish:fish
  docker-registry:docker-registry openssl:openssl docker.io:dockerd buildah:buildah
)

fail() { # message, remedy
  printf 'setup: %s\n  %s\n' "$1" "$2" >&2
  exit 1
}

quietly() { # command...
  local output
  output="$("$@" </dev/null 2>&1)" && return
  printf '%s\n' "$output" | head -n 20 >&2
  fail "failed: $*" 'Mend what it complains of, then run this again.'
}

present() { # program or absolute path
  case "$1" in
    /*) [ -s "$1" ] ;;
    *) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null ;;
  esac
}

packages_current() { # node_modules holds what package-lock.json names
  node -e '
    const { packages: wanted } = require("./package-lock.json")
    const { packages: present } = require("./node_modules/.package-lock.json")
    for (const [path, { optional, integrity }] of Object.entries(wanted))
      if (path !== "" && !optional && present[path]?.integrity !== integrity) process.exit(1)
  ' 2>/dev/null
}

# A package that brings a service must not start it: Basalt runs its own HAProxy, and nobody asked for another.
guard_services() {
  [ -e /usr/sbin/policy-rc.d ] && return
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
}

disable_service() { # name
  if command -v systemctl >/dev/null; then
    systemctl disable --now "$1" >/dev/null 2>&1 || true
  elif command -v update-rc.d >/dev/null; then
    update-rc.d "$1" disable >/dev/null 2>&1 || true
  fi
}

install_debian_packages() { # package...
  local log
  log="$(mktemp)"
  guard_services
  export DEBIAN_FRONTEND=noninteractive
  local apt=(apt-get -qq -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)
  if ! { "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "$@"; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    fail 'apt-get could not install the packages above' \
      "Mend what it complains of, then try: apt-get update && apt-get install --no-install-recommends $*"
  fi
  rm -f "$log"
  for service in haproxy redis-server docker-registry; do
    case " $* " in *" $service "*) disable_service "$service" ;; esac
  done
  case " $* " in *' docker.io '*) disable_service docker.socket && disable_service docker ;; esac
}

needs=("${run_needs[@]}")
[ "${1:-}" = --for-tests ] && needs+=("${test_needs[@]}")
missing=()
for need in "${needs[@]}"; do present "${need#*:}" || missing+=("${need%%:*}"); done

if [ "$(id -u)" -ne 0 ]; then
  fail 'this needs root: instances get namespaces, mounts and cgroups of their own' \
    'Run it again as root, for example: sudo npm run quickstart'
fi
present node || fail 'there is no node' 'Install Node.js 20 or newer (https://nodejs.org), then run this again.'
present npm || fail 'there is no npm' 'Install npm 10 or newer, then run this again.'

if [ ${#missing[@]} -gt 0 ]; then
  if ! present apt-get; then
    fail "this is not Debian, and these are missing: ${missing[*]}" \
      'Install them with the package manager of this system, then run this again.'
  fi
  echo "setup: installing Debian packages: ${missing[*]}"
  install_debian_packages "${missing[@]}"
fi
if ! packages_current; then
  echo 'setup: installing npm packages into node_modules/ (npm ci)'
  quietly npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
fi
if [ ! -x node_modules/node/bin/node ]; then
  echo 'setup: fetching Node.js 24 into node_modules/node'
  quietly npm rebuild node --ignore-scripts=false --loglevel=error
fi
