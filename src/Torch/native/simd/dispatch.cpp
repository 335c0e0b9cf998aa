#include "kernels.h"

#include <cstdlib>
#include <cstring>

namespace opt {

namespace baseline {
extern const Kernels table;
}
#ifdef __x86_64__
namespace haswell {
extern const Kernels table;
}
namespace skylake {
extern const Kernels table;
}
#endif

namespace {

bool named(const char* isa) {
  const char* wanted = std::getenv("OPT_TORCH_ISA");
  return wanted != nullptr && std::strcmp(wanted, isa) == 0;
}

const Kernels& choose() noexcept {
#ifdef __x86_64__
  const bool haswell_runs = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool skylake_runs = haswell_runs && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                            __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  if (skylake_runs && !named("haswell") && !named("baseline")) {
    return skylake::table;
  }
  if (haswell_runs && !named("baseline")) {
    return haswell::table;
  }
#endif
  return baseline::table;
}

} // namespace

const Kernels& simd() noexcept {
  static const Kernels& best = choose();
  return best;
}

} // namespace opt
