#include "core/handles.h"

#include <ATen/CPUGeneratorImpl.h>

#include <mutex>

using namespace opt;

namespace {

at::Generator& generator(opt_generator handle) {
  require(handle != nullptr, "a generator handle is null");
  return *static_cast<at::Generator*>(handle);
}

} // namespace

OPT_API int32_t opt_manual_seed(uint64_t seed) {
  return guarded([&] { at::manual_seed(seed); });
}

OPT_API int32_t opt_generator_new(uint64_t seed, int32_t packed, opt_generator* result) {
  return guarded([&] {
    const at::Device where = opt::device(packed);
    if (where.is_cpu()) {
      *result = new at::Generator(at::detail::createCPUGenerator(seed));
      return;
    }
    // The device's own default generator, copied: the generic way to a generator without that device's headers.
    auto copy = std::make_unique<at::Generator>(at::globalContext().defaultGenerator(where).clone());
    copy->set_current_seed(seed);
    *result = copy.release();
  });
}

OPT_API int32_t opt_generator_default(opt_generator* result) {
  return guarded([&] { *result = new at::Generator(at::detail::getDefaultCPUGenerator()); });
}

OPT_API void opt_generator_free(opt_generator handle) {
  guarded([&] { delete static_cast<at::Generator*>(handle); });
}

OPT_API int32_t opt_generator_seed(opt_generator handle, uint64_t seed) {
  return guarded([&] {
    at::Generator& g = generator(handle);
    std::lock_guard<std::mutex> lock(g.mutex());
    g.set_current_seed(seed);
  });
}

OPT_API int32_t opt_generator_get_state(opt_generator handle, opt_tensor* state) {
  return guarded([&] {
    at::Generator& g = generator(handle);
    std::lock_guard<std::mutex> lock(g.mutex());
    *state = own(g.get_state());
  });
}

OPT_API int32_t opt_generator_set_state(opt_generator handle, opt_tensor state) {
  return guarded([&] {
    at::Generator& g = generator(handle);
    std::lock_guard<std::mutex> lock(g.mutex());
    g.set_state(tensor(state));
  });
}
