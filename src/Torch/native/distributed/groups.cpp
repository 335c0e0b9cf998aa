#include "distributed/distributed.h"

#ifdef USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#endif
#ifdef USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

using namespace opt;

namespace {

void check_place(int32_t rank, int32_t size) {
  require(size >= 1, "the world size must be at least 1");
  require(rank >= 0 && rank < size, "the rank must be in [0, world size)");
}

#ifdef USE_C10D_GLOO
auto gloo_device(const std::string& address, const std::string& interface_name) {
  if (!interface_name.empty()) {
    return c10d::ProcessGroupGloo::createDeviceForInterface(interface_name);
  }
  return address.empty() ? c10d::ProcessGroupGloo::createDefaultDevice() : c10d::ProcessGroupGloo::createDeviceForHostname(address);
}
#endif

opt_group own_group(c10::intrusive_ptr<Backend> backend, bool gloo, int rank, int size, milliseconds timeout) {
  auto made = c10::make_intrusive<Group>();
  made->backend = std::move(backend);
  made->gloo = gloo;
  made->rank = rank;
  made->size = size;
  made->timeout = timeout;
  return new GroupPointer(std::move(made));
}

opt_work own_work(std::unique_ptr<Pending> pending) { return pending.release(); }

Pending& pending(opt_work handle) {
  require(handle != nullptr, "a work handle is null");
  return *static_cast<Pending*>(handle);
}

} // namespace

OPT_API int32_t opt_group_gloo(opt_store base, int32_t rank, int32_t size, const char* address, int32_t address_length,
                               const char* interface_name, int32_t interface_length, int32_t threads, int64_t timeout_ms,
                               opt_group* result) {
  return guarded([&] {
    check_place(rank, size);
#ifdef USE_C10D_GLOO
    auto options = c10d::ProcessGroupGloo::Options::create(milliseconds(timeout_ms));
    options->devices.push_back(gloo_device(text_of(address, address_length), text_of(interface_name, interface_length)));
    options->threads = threads;
    *result = own_group(c10::make_intrusive<c10d::ProcessGroupGloo>(store(base), rank, size, options), true, rank, size,
                        milliseconds(timeout_ms));
#else
    throw not_supported("this build has no Gloo: install libgloo-dev (or a PyTorch with Gloo headers) and rebuild the native library");
#endif
  });
}

OPT_API int32_t opt_group_nccl(opt_store base, int32_t rank, int32_t size, int64_t timeout_ms, opt_group* result) {
  return guarded([&] {
    check_place(rank, size);
#ifdef USE_C10D_NCCL
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = milliseconds(timeout_ms);
    *result = own_group(c10::make_intrusive<c10d::ProcessGroupNCCL>(store(base), rank, size, options), false, rank, size,
                        milliseconds(timeout_ms));
#else
    throw not_supported("this build has no NCCL: build the native library against a CUDA build of PyTorch");
#endif
  });
}

OPT_API void opt_group_free(opt_group handle) {
  guarded([&] { delete static_cast<GroupPointer*>(handle); });
}

OPT_API int32_t opt_group_bytes_sent(opt_group handle, int64_t* bytes) {
  return guarded([&] { *bytes = group(handle)->bytes_sent.load(); });
}

OPT_API int32_t opt_all_reduce(opt_group handle, opt_tensor t, int32_t reduce_op, opt_work* work) {
  return guarded([&] { *work = own_work(all_reduce(*group(handle), tensor(t), reduce_op)); });
}

OPT_API int32_t opt_broadcast(opt_group handle, opt_tensor t, int32_t root, opt_work* work) {
  return guarded([&] { *work = own_work(broadcast(*group(handle), tensor(t), root)); });
}

OPT_API int32_t opt_all_gather_into_tensor(opt_group handle, opt_tensor output, opt_tensor input, opt_work* work) {
  return guarded([&] { *work = own_work(all_gather(*group(handle), tensor(output), tensor(input))); });
}

OPT_API int32_t opt_reduce_scatter_tensor(opt_group handle, opt_tensor output, opt_tensor input, opt_work* work) {
  return guarded([&] { *work = own_work(reduce_scatter(*group(handle), tensor(output), tensor(input))); });
}

OPT_API int32_t opt_all_to_all_single(opt_group handle, opt_tensor output, opt_tensor input, const int64_t* output_splits,
                                      const int64_t* input_splits, int32_t splits, opt_work* work) {
  return guarded([&] {
    *work = own_work(all_to_all(*group(handle), tensor(output), tensor(input), {output_splits, output_splits + splits},
                                {input_splits, input_splits + splits}));
  });
}

OPT_API int32_t opt_send(opt_group handle, opt_tensor t, int32_t peer, int32_t tag, opt_work* work) {
  return guarded([&] {
    auto made = std::make_unique<Pending>();
    std::vector<at::Tensor> list{tensor(t)};
    made->keep = list;
    made->parts.push_back(group(handle)->backend->send(list, peer, tag));
    *work = own_work(std::move(made));
  });
}

OPT_API int32_t opt_recv(opt_group handle, opt_tensor t, int32_t peer, int32_t tag, opt_work* work) {
  return guarded([&] {
    auto made = std::make_unique<Pending>();
    std::vector<at::Tensor> list{tensor(t)};
    made->keep = list;
    made->parts.push_back(group(handle)->backend->recv(list, peer, tag));
    *work = own_work(std::move(made));
  });
}

OPT_API int32_t opt_barrier(opt_group handle, opt_work* work) {
  return guarded([&] { *work = own_work(barrier(*group(handle))); });
}

OPT_API int32_t opt_work_wait(opt_work handle, int64_t timeout_ms) {
  return guarded([&] { pending(handle).wait(milliseconds(timeout_ms)); });
}

OPT_API int32_t opt_work_is_completed(opt_work handle, int32_t* completed) {
  return guarded([&] { *completed = pending(handle).completed() ? 1 : 0; });
}

OPT_API void opt_work_free(opt_work handle) {
  guarded([&] { delete static_cast<Pending*>(handle); });
}
