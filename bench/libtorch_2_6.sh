#!/usr/bin/env bash
# Training speed on Debian 13's libtorch 2.6, in a root file system of its own: our ranks beside PyTorch's DDP and FSDP on the same library.
# Usage (as root): bench/libtorch_2_6.sh ROOT prepare            make the root (debootstrap, about 3 GB), build the shim there, publish the trainer into it
#                  bench/libtorch_2_6.sh ROOT run [OPTION]...    bench/trainer_speed.py there with its options; default: 2 and 4 workers, DDP and FSDP
#                  bench/libtorch_2_6.sh ROOT test               the tests of the library on 2.6
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../eng/common.sh"

[ $# -ge 2 ] || fail "usage: bench/libtorch_2_6.sh ROOT prepare|run|test [OPTION]..."
SYSTEM="$1"
PACKAGES=(python3-torch python3-numpy libtorch-dev libgloo-dev libopenblas0-pthread g++ make)

attach() {
    mkdir -p "$SYSTEM/src"
    mountpoint -q "$SYSTEM/proc" || mount -t proc proc "$SYSTEM/proc"
    mountpoint -q "$SYSTEM/dev" || mount --rbind /dev "$SYSTEM/dev"
    mountpoint -q "$SYSTEM/src" || mount --bind "$ROOT" "$SYSTEM/src"
}

inside() { chroot "$SYSTEM" /usr/bin/env HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

prepare() {
    command -v debootstrap >/dev/null || fail "debootstrap is not installed: apt-get install debootstrap"
    [ -d "$SYSTEM/usr/bin" ] || debootstrap --variant=minbase trixie "$SYSTEM" "${MIRROR:-http://deb.debian.org/debian}"
    cp /etc/resolv.conf "$SYSTEM/etc/resolv.conf"
    attach
    inside DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${PACKAGES[@]}"
    inside OPT_NATIVE_OUT=/native bash /src/eng/build-native.sh
    publish src/Trainer trainer
    publish tests/Torch.Tests tests
}

publish() { # project, folder; self-contained, with the shim of this root
    dotnet publish "$1" -c Release -r linux-x64 --self-contained -p:ArtifactsPath="$ROOT/artifacts/publish" -v q -nologo -o "$SYSTEM/$2"
    cp "$SYSTEM/native/libopttorch.so" "$SYSTEM/$2/"
}

run() {
    attach
    if [ $# -gt 0 ]; then inside python3 /src/bench/trainer_speed.py --trainer /trainer/opt-trainer "$@" && return; fi
    for workers in 2 4; do
        inside python3 /src/bench/trainer_speed.py --trainer /trainer/opt-trainer --model 10m --workers "$workers" --peer ddp --peer fsdp
    done
}

test() {
    attach
    inside /tests/Opt.Torch.Tests
}

"${@:2}"
