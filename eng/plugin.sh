#!/usr/bin/env bash
# Packs kubectl-opt for every platform and writes its krew manifest.
# Usage: eng/plugin.sh URL [RID]...   URL is where the archives will be downloaded from, without the file's name
# Leaves artifacts/plugin/kubectl-opt_VERSION_OS_ARCH.tar.gz and artifacts/plugin/opt.yaml, for `kubectl krew install --manifest=opt.yaml`.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[ $# -ge 1 ] || fail "where will the archives be downloaded from? eng/plugin.sh https://example.com/releases/v0.1.0"
URL=${1%/}
shift
RIDS=("$@")
[ ${#RIDS[@]} -gt 0 ] || RIDS=(linux-x64 linux-arm64 osx-x64 osx-arm64 win-x64)
VERSION=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' Directory.Build.props)
OUT="$ROOT/artifacts/plugin"
rm -rf "$OUT"
mkdir -p "$OUT"

# krew's names of a .NET runtime identifier
os_of() { case "$1" in linux-*) echo linux ;; osx-*) echo darwin ;; win-*) echo windows ;; *) fail "\"$1\" is no platform; use linux-, osx- or win- and x64 or arm64" ;; esac; }
arch_of() { case "$1" in *-x64) echo amd64 ;; *-arm64) echo arm64 ;; *) fail "\"$1\" is no platform; use linux-, osx- or win- and x64 or arm64" ;; esac; }

cat >"$OUT/opt.yaml" <<EOF
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: opt
spec:
  version: v$VERSION
  shortDescription: Watch and steer OPT training jobs
  description: |
    Shows what jobs of opt-operator do and did (status, logbook, lineage, checkpoints, nodes, goodput, plot), explains each decision,
    and asks for a checkpoint, a rollback, a relaunch, or the release of a node.
  platforms:
EOF

for rid in "${RIDS[@]}"; do
    os=$(os_of "$rid") arch=$(arch_of "$rid")
    name="kubectl-opt_${VERSION}_${os}_${arch}.tar.gz"
    say "publish kubectl-opt for $rid"
    dotnet publish src/KubectlOpt -c Release -r "$rid" --self-contained -p:PublishSingleFile=true -p:PublishTrimmed=true -p:DebugType=none \
        -p:GenerateDocumentationFile=false -p:ArtifactsPath="$ROOT/artifacts/publish" -v q -nologo -o "$OUT/$rid"
    program=kubectl-opt
    [ "$os" != windows ] || program=kubectl-opt.exe
    # The same bytes for the same input: the manifest holds their digest.
    tar --sort=name --mtime='@0' --owner=0 --group=0 --numeric-owner -C "$OUT/$rid" -cf - "$program" | gzip -n >"$OUT/$name"
    cat >>"$OUT/opt.yaml" <<EOF
    - selector: {matchLabels: {os: $os, arch: $arch}}
      uri: $URL/$name
      sha256: $(sha256sum "$OUT/$name" | cut -d' ' -f1)
      bin: $program
EOF
    rm -rf "${OUT:?}/$rid"
done
ls -l "$OUT" | awk 'NR > 1 { printf "%10d  %s\n", $5, $9 }'
