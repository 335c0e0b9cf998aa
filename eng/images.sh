#!/usr/bin/env bash
# Builds the container images of operator and CPU trainer with buildah, without a container engine or daemon.
# Usage: eng/images.sh [operator|trainer]...             build (default: both), then try the programs inside the built root file systems
#        eng/images.sh publish [operator|trainer]...     only publish the programs into artifacts/images/<name>, for another builder
# BASE=IMAGE names the Debian base; by default debian:bookworm-slim, or a minimal system made by debootstrap where no registry answers.
# Leaves artifacts/images/opt-<name>.tar (OCI archive) and prints the sizes.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

VERSION=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' Directory.Build.props)
REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)
EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 0)
OUT="$ROOT/artifacts/images"
STORE="$CACHE/containers"
PUBLISH=(-c Release -r linux-x64 --self-contained -p:PublishSingleFile=true -p:PublishReadyToRun=true -p:DebugType=none -p:GenerateDocumentationFile=false
    -p:ArtifactsPath="$ROOT/artifacts/publish" -v q -nologo)

buildah() { command buildah --root "$STORE/storage" --runroot "$STORE/run" --storage-driver vfs "$@"; }

need() { command -v "$1" >/dev/null || fail "$1 is not installed: apt-get install $1"; }

publish() { # operator|trainer
    say "publish opt-$1"
    mkdir -p "$OUT/$1"
    case "$1" in
    operator) dotnet publish src/Operator "${PUBLISH[@]}" -p:PublishTrimmed=true -o "$OUT/operator" ;;
    trainer)
        eng/build-native.sh
        dotnet publish src/Trainer "${PUBLISH[@]}" -o "$OUT/trainer"
        cp artifacts/native/libopttorch.so "$OUT/trainer/"
        ;;
    *) fail "\"$1\" is no image; use operator or trainer" ;;
    esac
}

mirror() { apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -1; }

base() { # prints the base image's name
    if [ -n "${BASE:-}" ]; then echo "$BASE" && return; fi
    if buildah inspect --type image localhost/opt-base:bookworm >/dev/null 2>&1; then echo localhost/opt-base:bookworm && return; fi
    if timeout 60 buildah --root "$STORE/storage" --runroot "$STORE/run" --storage-driver vfs pull -q docker.io/library/debian:bookworm-slim >/dev/null 2>&1; then
        echo docker.io/library/debian:bookworm-slim && return
    fi
    need debootstrap
    say "no registry answers: make a Debian base with debootstrap" >&2
    local root="$STORE/base"
    rm -rf "$root"
    debootstrap --variant=minbase bookworm "$root" "$(mirror)" >"$OUT/debootstrap.log" 2>&1 || fail "debootstrap failed, see $OUT/debootstrap.log"
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{man,locale}
    local work
    work=$(buildah from scratch)
    buildah add -q "$work" "$root" / >/dev/null
    buildah commit -q --rm "$work" localhost/opt-base:bookworm >/dev/null
    rm -rf "$root"
    echo localhost/opt-base:bookworm
}

root_of() { # IMAGE: the folder of its root file system
    local name="try-${1##*/}"
    name="${name%%:*}"
    buildah rm "$name" >/dev/null 2>&1 || true # of the image before
    buildah mount "$(buildah from --pull=never --name "$name" "$1")"
}

build() { # operator|trainer BASE
    say "build opt-$1:$VERSION on $2"
    buildah bud -q --isolation=chroot --network=host --pull=never --timestamp "$EPOCH" \
        --build-arg BASE="$2" --build-arg VERSION="$VERSION" --build-arg REVISION="$REVISION" \
        -t "localhost/opt-$1:$VERSION" -f "images/$1/Dockerfile" "$OUT/$1" >"$OUT/$1.log" 2>&1 || { tail -20 "$OUT/$1.log" >&2; fail "buildah failed, see $OUT/$1.log"; }
    rm -f "$OUT/opt-$1.tar"
    buildah push -q "localhost/opt-$1:$VERSION" "oci-archive:$OUT/opt-$1.tar:opt-$1:$VERSION" >/dev/null
    root_of "localhost/opt-$1:$VERSION" >"$OUT/opt-$1.rootfs"
}

if [ "${1:-}" = publish ]; then
    shift
    for name in "${@:-operator}"; do publish "$name"; done
    exit
fi

need buildah
[ "$(id -u)" -eq 0 ] || fail "run as root: buildah's vfs storage and chroot need it"
mkdir -p "$OUT" "$STORE"
NAMES=("$@")
[ $# -gt 0 ] || NAMES=(operator trainer)
IMAGE_BASE=$(base)
root_of "$IMAGE_BASE" >"$OUT/base.rootfs"
for name in "${NAMES[@]}"; do
    publish "$name"
    build "$name" "$IMAGE_BASE"
done
say "sizes (MB, unpacked)"
for name in base "${NAMES[@]/#/opt-}"; do printf '%-14s %5d\n' "$name" "$(du -smx "$(cat "$OUT/$name.rootfs")" | cut -f1)"; done
