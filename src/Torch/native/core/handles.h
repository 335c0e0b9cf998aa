// How C++ objects cross the ABI: a handle is a pointer to a heap object that owns one reference.
#pragma once

#include "core/guard.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace opt {

inline at::Tensor& tensor(opt_tensor handle) {
  require(handle != nullptr, "a tensor handle is null");
  return *static_cast<at::Tensor*>(handle);
}

inline at::Tensor optional_tensor(opt_tensor handle) {
  return handle == nullptr ? at::Tensor() : *static_cast<at::Tensor*>(handle);
}

inline opt_tensor own(at::Tensor value) { return value.defined() ? new at::Tensor(std::move(value)) : nullptr; }

inline std::vector<at::Tensor> tensors(const opt_tensor* handles, int32_t count) {
  std::vector<at::Tensor> list;
  list.reserve(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; i++) {
    list.push_back(optional_tensor(handles[i]));
  }
  return list;
}

inline at::Device device(int64_t packed) {
  const auto index = static_cast<int16_t>(packed & 0xffff);
  return at::Device(static_cast<at::DeviceType>(packed >> 16), static_cast<c10::DeviceIndex>(index));
}

inline int32_t pack(at::Device d) { return static_cast<int32_t>(d.type()) << 16 | (static_cast<int32_t>(d.index()) & 0xffff); }

} // namespace opt
