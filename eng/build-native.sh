#!/usr/bin/env bash
# Builds artifacts/native/libopttorch.so, the C++ shim between Opt.Torch and libtorch. Does nothing when it is up to date.
#
#   OPT_TORCH_DIR   a PyTorch to build against, such as .../site-packages/torch (default: the system's libtorch-dev)
#   OPT_NATIVE_OUT  where to put the result (default: artifacts/native)
#   CXX, OPT_CXXFLAGS, OPT_NATIVE_JOBS
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
source_dir="$root/src/Torch/native"
out="${OPT_NATIVE_OUT:-$root/artifacts/native}"
cxx="${CXX:-g++}"

fail() {
    echo "build-native: $*" >&2
    exit 1
}

command -v "$cxx" >/dev/null || fail "no C++ compiler. Install one: apt-get install g++"
command -v make >/dev/null || fail "no make. Install it: apt-get install make"

if [[ -n "${OPT_TORCH_DIR:-}" ]]; then
    torch_include="$OPT_TORCH_DIR/include"
    torch_lib="$OPT_TORCH_DIR/lib"
    [[ -e "$torch_include/ATen/ATen.h" ]] || fail "OPT_TORCH_DIR=$OPT_TORCH_DIR has no include/ATen/ATen.h; give the folder of the Python package 'torch'"
else
    torch_include="/usr/include"
    torch_lib="/usr/lib/$("$cxx" -dumpmachine 2>/dev/null || echo x86_64-linux-gnu)"
    [[ -e "$torch_include/ATen/ATen.h" ]] || fail "libtorch's headers are missing. Install them: apt-get install libtorch-dev libgloo-dev libopenblas0-pthread
(or set OPT_TORCH_DIR to the folder of a Python package 'torch')"
fi

# What this PyTorch can do is asked of its files, never of its version.
flags=(-I"$torch_include" -I"$torch_include/torch/csrc/api/include")
libs=(-ltorch -ltorch_cpu -lc10)
has_header() { echo "#include <$1>" | "$cxx" "${flags[@]}" -x c++ -std=c++20 -M - >/dev/null 2>&1; }

# A PyTorch wheel is built with or without the C++11 ABI of std::string; mixing them fails at link time.
if [[ -n "${OPT_TORCH_DIR:-}" ]] && command -v nm >/dev/null && ! nm -DC "$torch_lib/libc10.so" 2>/dev/null | grep -q '__cxx11::basic_string'; then
    flags+=(-D_GLIBCXX_USE_CXX11_ABI=0)
fi
if has_header gloo/transport/device.h; then
    flags+=(-DUSE_C10D_GLOO)
    if [[ -e "$torch_lib/libgloo.so" ]]; then libs+=(-lgloo); fi
else
    echo "build-native: no Gloo headers (apt-get install libgloo-dev): building without CPU collectives" >&2
fi
if [[ -e "$torch_lib/libtorch_cuda.so" ]]; then
    cuda_include="${CUDA_HOME:-/usr/local/cuda}/include"
    if [[ -d "$cuda_include" ]]; then flags+=(-I"$cuda_include"); fi
    nccl_include="$(dirname "$torch_lib")/../nvidia/nccl/include"
    if [[ -d "$nccl_include" ]]; then flags+=(-I"$nccl_include"); fi
    libs+=(-Wl,--no-as-needed -ltorch_cuda -lc10_cuda)
    if has_header torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp && has_header cuda_runtime.h && has_header nccl.h; then
        flags+=(-DUSE_C10D_NCCL)
    else
        echo "build-native: no cuda_runtime.h or nccl.h: building without NCCL" >&2
    fi
fi

case "$("$cxx" -dumpmachine)" in
    x86_64*) isas="baseline haswell skylake" ;;
    *) isas="baseline" ;;
esac

mkdir -p "$out/obj"
# A change of compiler, flags or PyTorch rebuilds everything: the Makefile's objects depend on this file.
stamp="$cxx ${flags[*]} ${OPT_CXXFLAGS:-} $torch_lib $(readlink -f "$torch_lib/libtorch_cpu.so") ${libs[*]}"
[[ -f "$out/obj/flags" && "$(cat "$out/obj/flags")" == "$stamp" ]] || echo "$stamp" >"$out/obj/flags"

# Each compiler takes about 1.2 GB.
make --no-print-directory -s -f "$source_dir/Makefile" -j "${OPT_NATIVE_JOBS:-2}" \
    SOURCE="$source_dir" OUT="$out" CXX="$cxx" ISAS="$isas" TORCH_FLAGS="${flags[*]} ${OPT_CXXFLAGS:-}" \
    LINK_FLAGS="-L$torch_lib -Wl,-rpath,$torch_lib ${libs[*]}"
