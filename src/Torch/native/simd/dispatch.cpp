#include "kernels.h"

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

const Kernels& simd() noexcept {
#ifdef __x86_64__
  static const Kernels& best = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                                       __builtin_cpu_supports("avx512vl")
                                   ? skylake::table
                               : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? haswell::table
                                                                                                 : baseline::table;
  return best;
#else
  return baseline::table;
#endif
}

} // namespace opt
