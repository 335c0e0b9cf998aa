// Accelerators by libtorch's generic device interface, so that no CUDA header is needed.
#include "core/handles.h"

#include <c10/core/impl/VirtualGuardImpl.h>

using namespace opt;

namespace {

bool present(at::DeviceType type) { return type != at::kCUDA || at::hasCUDA(); }

c10::impl::VirtualGuardImpl guard_of(int32_t type) {
  const auto kind = static_cast<at::DeviceType>(type);
  if (!present(kind)) {
    throw not_supported("this libtorch was built without " + c10::DeviceTypeName(kind));
  }
  return c10::impl::VirtualGuardImpl(kind);
}

} // namespace

OPT_API int32_t opt_device_count(int32_t type, int32_t* count) {
  return guarded([&] { *count = present(static_cast<at::DeviceType>(type)) ? static_cast<int32_t>(guard_of(type).deviceCount()) : 0; });
}

OPT_API int32_t opt_device_set(int32_t packed) {
  return guarded([&] {
    const at::Device where = opt::device(packed);
    guard_of(static_cast<int32_t>(where.type())).setDevice(where);
  });
}

OPT_API int32_t opt_device_own_stream(int32_t packed) {
  return guarded([&] {
    const at::Device where = opt::device(packed);
    const auto guard = guard_of(static_cast<int32_t>(where.type()));
    const at::Device exact = where.has_index() ? where : guard.getDevice();
    guard.setDevice(exact);
    guard.exchangeStream(guard.getStreamFromGlobalPool(exact));
  });
}

OPT_API int32_t opt_device_synchronize(int32_t packed) {
  return guarded([&] {
    const at::Device where = opt::device(packed);
    const auto guard = guard_of(static_cast<int32_t>(where.type()));
    const at::Device exact = where.has_index() ? where : guard.getDevice();
    guard.synchronizeStream(guard.getStream(exact));
  });
}
