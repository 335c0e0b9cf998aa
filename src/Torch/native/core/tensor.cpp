#include "core/handles.h"

#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/api/include/torch/version.h>

using namespace opt;

namespace {

enum flag : int32_t { contiguous = 1, requires_grad = 2, leaf = 4, complex_or_other = 8 };

bool has_op(const std::string& qualified) {
  const auto dot = qualified.find('.');
  const c10::OperatorName name(qualified.substr(0, dot), dot == std::string::npos ? "" : qualified.substr(dot + 1));
  return c10::Dispatcher::singleton().findSchema(name).has_value();
}

bool has_feature(const std::string& name) {
  if (name == "gloo") {
#ifdef USE_C10D_GLOO
    return true;
#else
    return false;
#endif
  }
  if (name == "nccl") {
#ifdef USE_C10D_NCCL
    return true;
#else
    return false;
#endif
  }
  if (name == "cuda") {
    return at::hasCUDA();
  }
  return name.rfind("op:", 0) == 0 && has_op(name.substr(3));
}

} // namespace

OPT_API int32_t opt_abi_version(void) { return OPT_ABI_VERSION; }

OPT_API int32_t opt_version(char* utf8, int32_t capacity) { return copy_text(TORCH_VERSION, utf8, capacity); }

OPT_API int32_t opt_has_feature(const char* name, int32_t length) {
  bool has = false;
  const int32_t status = guarded([&] { has = has_feature(text_of(name, length)); });
  return status == OPT_OK && has ? 1 : 0;
}

OPT_API int32_t opt_set_num_threads(int32_t threads) {
  return guarded([&] {
    require(threads >= 1, "the number of threads must be at least 1");
    at::set_num_threads(threads);
  });
}

OPT_API int32_t opt_get_num_threads(int32_t* threads) {
  return guarded([&] { *threads = at::get_num_threads(); });
}

OPT_API void opt_tensor_free(opt_tensor handle) {
  // A destructor of libtorch that throws would be a bug there; it must not unwind into the garbage collector's thread.
  guarded([&] { delete static_cast<at::Tensor*>(handle); });
}

OPT_API int32_t opt_tensor_alias(opt_tensor handle, opt_tensor* result) {
  return guarded([&] { *result = own(tensor(handle)); });
}

OPT_API int32_t opt_tensor_info(opt_tensor handle, int64_t* shape, int64_t* stride, int32_t capacity, int32_t* dim,
                                int32_t* dtype, int32_t* packed_device, int32_t* flags) {
  return guarded([&] {
    const at::Tensor& t = tensor(handle);
    *dim = static_cast<int32_t>(t.dim());
    *dtype = static_cast<int32_t>(t.scalar_type());
    *packed_device = pack(t.device());
    *flags = (t.is_contiguous() ? contiguous : 0) | (t.requires_grad() ? requires_grad : 0) | (t.is_leaf() ? leaf : 0);
    for (int32_t i = 0; i < *dim && i < capacity; i++) {
      shape[i] = t.size(i);
      stride[i] = t.stride(i);
    }
  });
}

OPT_API int32_t opt_tensor_numel(opt_tensor handle, int64_t* numel) {
  return guarded([&] { *numel = tensor(handle).numel(); });
}

OPT_API int32_t opt_tensor_data(opt_tensor handle, void** data) {
  return guarded([&] {
    at::Tensor& t = tensor(handle);
    require(t.device().is_cpu(), "the tensor's memory is not on the CPU");
    require(t.is_contiguous(), "the tensor is not contiguous");
    *data = t.data_ptr();
  });
}

OPT_API int32_t opt_tensor_from_blob(void* data, const int64_t* shape, int32_t dim, int32_t dtype, void (*release)(void*),
                                     void* context, opt_tensor* result) {
  return guarded([&] {
    const auto options = at::TensorOptions(static_cast<at::ScalarType>(dtype));
    const at::IntArrayRef sizes(shape, static_cast<size_t>(dim));
    *result = own(release == nullptr ? at::from_blob(data, sizes, options)
                                     : at::from_blob(data, sizes, [release, context](void*) { release(context); }, options));
  });
}

OPT_API int32_t opt_tensor_item(opt_tensor handle, double* real, int64_t* integer) {
  return guarded([&] {
    const at::Scalar value = tensor(handle).item();
    *real = value.isBoolean() ? (value.toBool() ? 1.0 : 0.0) : value.toDouble();
    *integer = value.isBoolean() ? (value.toBool() ? 1 : 0) : value.isIntegral(false) ? value.toLong() : 0;
  });
}

OPT_API int32_t opt_tensor_grad(opt_tensor handle, opt_tensor* grad) {
  return guarded([&] { *grad = own(tensor(handle).grad()); });
}

OPT_API int32_t opt_tensor_set_grad(opt_tensor handle, opt_tensor grad) {
  return guarded([&] { tensor(handle).mutable_grad() = optional_tensor(grad); });
}

OPT_API int32_t opt_tensor_set_requires_grad(opt_tensor handle, int32_t value) {
  return guarded([&] { tensor(handle).set_requires_grad(value != 0); });
}
