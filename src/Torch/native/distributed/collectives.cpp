// Collectives as the trainer wants them, from those that each backend has.
//
// Data is moved as bytes, so every dtype travels even where Gloo has no code for it (bfloat16 and bool in 1.13). Sums are made
// here where Gloo would round: a reduce-scatter is an exchange and a local sum in fp32 in rank order, which rounds 16-bit inputs
// no more than fp32 does, repeats bit for bit, and moves the bytes of a true reduce-scatter.
#include "distributed/distributed.h"
#include "simd/kernels.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace opt {
namespace {

using Clock = std::chrono::steady_clock;

// From 2.8 on, an operation that is not marked asynchronous runs on the current stream and keeps nothing alive.
template <class Options>
Options asynchronous(Options options = {}) {
  if constexpr (requires { options.asyncOp; }) {
    options.asyncOp = true;
  }
  return options;
}

at::Tensor flat_bytes(const at::Tensor& t, const char* what) {
  if (!t.is_contiguous()) {
    throw invalid_argument(std::string(what) + " must be contiguous");
  }
  return t.detach().view({-1}).view(at::kByte);
}

c10d::ReduceOp reduce_op_of(int32_t op) {
  switch (op) {
    case 0: return c10d::ReduceOp::SUM;
    case 3: return c10d::ReduceOp::MIN;
    case 4: return c10d::ReduceOp::MAX;
    default: throw invalid_argument("the reduction must be sum (0), min (3) or max (4)");
  }
}

std::unique_ptr<Pending> done() { return std::make_unique<Pending>(); }

c10::intrusive_ptr<c10d::Work> all_to_all_bytes(Group& group, at::Tensor output, at::Tensor input, std::vector<int64_t> output_splits = {},
                                                std::vector<int64_t> input_splits = {}) {
  return group.backend->alltoall_base(output, input, output_splits, input_splits, asynchronous<c10d::AllToAllOptions>());
}

void add_rows(const at::Tensor& out, const at::Tensor& rows) {
  const int64_t world = rows.size(0), n = rows.size(1);
  auto* to = static_cast<float*>(out.data_ptr());
  const auto type = rows.scalar_type();
  at::parallel_for(0, n, 1 << 15, [&](int64_t from, int64_t end) {
    if (type == at::kFloat) {
      simd().sum_rows_f32(to + from, static_cast<const float*>(rows.data_ptr()) + from, world, n, end - from);
    } else {
      const auto* in = static_cast<const uint16_t*>(rows.data_ptr()) + from;
      (type == at::kHalf ? simd().sum_rows_f16 : simd().sum_rows_bf16)(to + from, in, world, n, end - from);
    }
  });
}

bool has_row_kernel(const at::Tensor& t) {
  return t.device().is_cpu() && (t.scalar_type() == at::kFloat || t.scalar_type() == at::kHalf || t.scalar_type() == at::kBFloat16);
}

void sum_rows(at::Tensor output, const at::Tensor& rows) {
  const at::NoGradGuard no_grad;
  const at::Tensor flat = output.view({-1});
  if (has_row_kernel(rows) && output.scalar_type() == at::kFloat) {
    add_rows(flat, rows);
  } else {
    flat.copy_(rows.sum(0, false, at::isFloatingType(rows.scalar_type()) ? at::kFloat : rows.scalar_type()));
  }
}

// Every pair of ranks exchanges directly, from and into place: no copies, no pool thread, and in Gloo 1.13 one and a half
// times the rate of its ring and of its all-to-all. `outgoing(peer)` and `incoming(peer)` name the memory for each pair.
template <class Outgoing, class Incoming>
void exchange(Group& group, Pending& pending, Outgoing&& outgoing, Incoming&& incoming) {
  const int tag = group.next_tag++;
  for (int distance = 1; distance < group.size; distance++) {
    const int peer = (group.rank - distance + group.size) % group.size;
    std::vector<at::Tensor> list{incoming(peer)};
    pending.parts.push_back(group.backend->recv(list, peer, tag));
  }
  for (int distance = 1; distance < group.size; distance++) {
    const int peer = (group.rank + distance) % group.size;
    std::vector<at::Tensor> list{outgoing(peer)};
    group.bytes_sent += static_cast<int64_t>(list[0].nbytes());
    pending.parts.push_back(group.backend->send(list, peer, tag));
  }
}

at::Tensor part(const at::Tensor& flat, int64_t index, int64_t parts) {
  const int64_t length = flat.numel() / parts;
  return flat.narrow(0, index * length, length);
}

// What a ring or a direct exchange sends: this part to, or past, every other rank once.
void count_to_each_peer(Group& group, const at::Tensor& part) { group.bytes_sent += (group.size - 1) * static_cast<int64_t>(part.nbytes()); }

// Gloo's send and recv know host memory only; its other collectives stage device memory through the host.
bool direct(const Group& group, const at::Tensor& t) { return group.gloo && t.device().is_cpu(); }

void gather(Group& group, Pending& pending, at::Tensor output, at::Tensor input) {
  if (direct(group, input)) {
    part(output, group.rank, group.size).copy_(input);
    exchange(group, pending, [&](int) { return input; }, [&](int peer) { return part(output, peer, group.size); });
    return;
  }
  count_to_each_peer(group, input);
  if (group.gloo) {
    std::vector<std::vector<at::Tensor>> outputs{output.chunk(group.size)};
    std::vector<at::Tensor> inputs{input};
    pending.parts.push_back(group.backend->allgather(outputs, inputs, asynchronous<c10d::AllgatherOptions>()));
  } else {
    pending.parts.push_back(group.backend->_allgather_base(output, input, asynchronous<c10d::AllgatherOptions>()));
  }
}

// Part r of every rank's input, received by rank r as row `sender` of `rows`.
void transpose_parts(Group& group, Pending& pending, at::Tensor rows, at::Tensor input) {
  if (direct(group, input)) {
    part(rows, group.rank, group.size).copy_(part(input, group.rank, group.size));
    exchange(group, pending, [&](int peer) { return part(input, peer, group.size); },
             [&](int peer) { return part(rows, peer, group.size); });
  } else {
    count_to_each_peer(group, part(input, 0, group.size));
    pending.parts.push_back(all_to_all_bytes(group, rows, input));
  }
}

} // namespace

// The outcome of a wait that runs on a thread of its own, because Gloo cannot be asked whether a transfer is over.
struct Pending::Watch {
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  std::exception_ptr failure;

  void finish(std::exception_ptr error) {
    const std::lock_guard<std::mutex> lock(mutex);
    failure = std::move(error);
    over = true;
    changed.notify_all();
  }

  bool is_over() {
    const std::lock_guard<std::mutex> lock(mutex);
    return over;
  }

  void wait(milliseconds timeout) {
    std::unique_lock<std::mutex> lock(mutex);
    if (timeout.count() == 0) {
      changed.wait(lock, [this] { return over; });
    } else if (!changed.wait_for(lock, timeout, [this] { return over; })) {
      throw classified(OPT_TIMEOUT, "Timed out waiting " + std::to_string(timeout.count()) + "ms for a collective to complete");
    }
    if (failure) {
      std::rethrow_exception(failure);
    }
  }
};

void Pending::wait_for_parts(milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  for (auto& part : parts) {
    // Zero means the backend's own time-out; a deadline that has passed must still not mean "for ever".
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
    if (!part->wait(timeout.count() == 0 ? milliseconds(0) : std::max(left, milliseconds(1)))) {
      throw classified(OPT_ERROR, "the operation was aborted");
    }
  }
}

void Pending::wait(milliseconds timeout) {
  if (finished_) {
    return;
  }
  if (watch_) {
    watch_->wait(timeout);
  } else {
    wait_for_parts(timeout);
  }
  if (finish) {
    finish();
  }
  finished_ = true;
  parts.clear();
  keep.clear();
  finish = nullptr;
}

bool Pending::completed() {
  if (finished_ || std::all_of(parts.begin(), parts.end(), [](auto& part) { return part->isCompleted(); })) {
    return true;
  }
  if (!watch_) {
    watch_ = std::make_shared<Watch>();
    std::thread([watch = watch_, parts = parts, keep = keep] {
      Pending alone;
      alone.parts = parts;
      alone.keep = keep;
      try {
        alone.wait_for_parts(milliseconds(0));
        watch->finish(nullptr);
      } catch (...) {
        watch->finish(std::current_exception());
      }
    }).detach();
  }
  return watch_->is_over();
}

std::unique_ptr<Pending> all_reduce(Group& group, at::Tensor tensor, int32_t reduce_op) {
  const auto op = reduce_op_of(reduce_op);
  auto pending = done();
  if (group.gloo && group.size == 1) {
    return pending;
  }
  require(tensor.is_contiguous(), "the tensor must be contiguous");
  const at::NoGradGuard no_grad;
  at::Tensor target = tensor.detach();
  const bool upcast = group.gloo && tensor.scalar_type() == at::kBFloat16; // refused by Gloo in 1.13
  at::Tensor wire = upcast ? target.to(at::kFloat) : target;
  auto options = asynchronous<c10d::AllreduceOptions>();
  options.reduceOp = op;
  std::vector<at::Tensor> list{wire};
  pending->keep = {tensor, wire};
  group.bytes_sent += 2 * (group.size - 1) * static_cast<int64_t>(wire.nbytes()) / group.size; // a ring's
  pending->parts.push_back(group.backend->allreduce(list, options));
  if (upcast) {
    pending->finish = [target, wire]() mutable { target.copy_(wire); };
  }
  return pending;
}

std::unique_ptr<Pending> broadcast(Group& group, at::Tensor tensor, int32_t root) {
  require(root >= 0 && root < group.size, "the root must be a rank of the group");
  auto pending = done();
  if (group.size == 1) {
    return pending;
  }
  auto options = asynchronous<c10d::BroadcastOptions>();
  options.rootRank = root;
  std::vector<at::Tensor> list{flat_bytes(tensor, "the tensor")};
  pending->keep = {tensor};
  pending->parts.push_back(group.backend->broadcast(list, options));
  return pending;
}

std::unique_ptr<Pending> all_gather(Group& group, at::Tensor output, at::Tensor input) {
  require(output.scalar_type() == input.scalar_type(), "output and input must have the same dtype");
  require(output.numel() == input.numel() * group.size, "output must have world size times the elements of input");
  const at::NoGradGuard no_grad;
  const at::Tensor out = flat_bytes(output, "output"), in = flat_bytes(input, "input");
  auto pending = done();
  if (group.size == 1) {
    out.copy_(in);
    return pending;
  }
  pending->keep = {output, input};
  gather(group, *pending, out, in);
  return pending;
}

std::unique_ptr<Pending> reduce_scatter(Group& group, at::Tensor output, at::Tensor input) {
  require(output.is_contiguous() && input.is_contiguous(), "output and input must be contiguous");
  require(input.numel() == output.numel() * group.size, "input must have world size times the elements of output");
  const at::NoGradGuard no_grad;
  auto pending = done();
  at::Tensor out = output.detach();
  if (group.size == 1) {
    out.view({-1}).copy_(input.detach().view({-1}));
    return pending;
  }
  if (group.gloo) {
    const at::Tensor received = at::empty({group.size, output.numel()}, input.options());
    pending->keep = {output, input, received};
    transpose_parts(group, *pending, flat_bytes(received, "received"), flat_bytes(input, "input"));
    pending->finish = [out, received] { sum_rows(out, received); };
    return pending;
  }
  at::Tensor wire = out.scalar_type() == input.scalar_type() ? out.view({-1}) : at::empty({output.numel()}, input.options());
  at::Tensor flat = input.detach().view({-1});
  count_to_each_peer(group, part(flat, 0, group.size));
  pending->keep = {output, input, wire};
  pending->parts.push_back(group.backend->_reduce_scatter_base(wire, flat, asynchronous<c10d::ReduceScatterOptions>()));
  if (!wire.is_alias_of(out)) {
    pending->finish = [out, wire]() mutable { out.view({-1}).copy_(wire); };
  }
  return pending;
}

std::unique_ptr<Pending> all_to_all(Group& group, at::Tensor output, at::Tensor input, std::vector<int64_t> output_splits,
                                    std::vector<int64_t> input_splits) {
  require(output.scalar_type() == input.scalar_type(), "output and input must have the same dtype");
  const auto width = static_cast<int64_t>(input.element_size());
  for (auto* splits : {&output_splits, &input_splits}) {
    for (int64_t& split : *splits) {
      split *= width; // callers count elements
    }
  }
  auto pending = done();
  pending->keep = {output, input};
  pending->parts.push_back(all_to_all_bytes(group, flat_bytes(output, "output"), flat_bytes(input, "input"), std::move(output_splits),
                                            std::move(input_splits)));
  return pending;
}

std::unique_ptr<Pending> barrier(Group& group) {
  auto pending = done();
  pending->parts.push_back(group.backend->barrier(asynchronous<c10d::BarrierOptions>()));
  return pending;
}

} // namespace opt
