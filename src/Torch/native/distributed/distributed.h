// c10d's objects as this library holds them.
#pragma once

#include "core/handles.h"

#include <torch/csrc/api/include/torch/version.h>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <torch/csrc/distributed/c10d/Types.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>
#if TORCH_VERSION_MAJOR >= 2
#include <torch/csrc/distributed/c10d/Backend.hpp>
#else
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#endif

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>

namespace opt {

using std::chrono::milliseconds;

// What libtorch 2.0 split off as Backend was ProcessGroup before; the methods used here have the same names in both.
#if TORCH_VERSION_MAJOR >= 2
using Backend = c10d::Backend;
#else
using Backend = c10d::ProcessGroup;
#endif

using StorePointer = c10::intrusive_ptr<c10d::Store>;

inline StorePointer& store(opt_store handle) {
  require(handle != nullptr, "a store handle is null");
  return *static_cast<StorePointer*>(handle);
}

// A holder, so that an autograd node can keep its group alive.
struct Group : torch::CustomClassHolder {
  c10::intrusive_ptr<Backend> backend;
  bool gloo = false;
  int rank = 0, size = 1;
  milliseconds timeout{0};
  std::atomic<int64_t> bytes_sent{0}; // by this rank, payload only
  int next_tag = 1 << 20; // above what callers of send and recv use; every rank counts alike
};

using GroupPointer = c10::intrusive_ptr<Group>;

inline GroupPointer& group(opt_group handle) {
  require(handle != nullptr, "a process group handle is null");
  return *static_cast<GroupPointer*>(handle);
}

// One collective under way: what c10d runs, what must stay alive until then, and what is left to do after.
class Pending {
 public:
  std::vector<c10::intrusive_ptr<c10d::Work>> parts;
  std::vector<at::Tensor> keep;
  std::function<void()> finish;

  // Zero waits for as long as the group's own time-out allows.
  void wait(milliseconds timeout);
  bool completed();

 private:
  struct Watch;

  void wait_for_parts(milliseconds timeout);

  std::shared_ptr<Watch> watch_; // set once somebody has polled
  bool finished_ = false;
};

std::unique_ptr<Pending> all_reduce(Group& group, at::Tensor tensor, int32_t reduce_op);
std::unique_ptr<Pending> broadcast(Group& group, at::Tensor tensor, int32_t root);
std::unique_ptr<Pending> all_gather(Group& group, at::Tensor output, at::Tensor input);
std::unique_ptr<Pending> reduce_scatter(Group& group, at::Tensor output, at::Tensor input);
std::unique_ptr<Pending> all_to_all(Group& group, at::Tensor output, at::Tensor input, std::vector<int64_t> output_splits,
                                    std::vector<int64_t> input_splits);
std::unique_ptr<Pending> barrier(Group& group);

} // namespace opt
