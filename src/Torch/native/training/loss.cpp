// The loss of a language model's head with its gradient, a chunk of tokens at a time: the logits dominate the memory of small
// models, and autograd would keep them and their probabilities.
#include "core/handles.h"
#include "simd/kernels.h"

#include <ATen/Parallel.h>

using namespace opt;

namespace {

void check(const at::Tensor& logits, const at::Tensor& targets, const at::Tensor& losses) {
  require(logits.dim() == 2 && logits.is_contiguous(), "logits must be contiguous [tokens, vocabulary]");
  require(targets.scalar_type() == at::kLong && targets.is_contiguous() && targets.numel() == logits.size(0),
          "targets must be contiguous int64, one a token");
  require(losses.scalar_type() == at::kFloat && losses.is_contiguous() && losses.numel() == logits.size(0),
          "losses must be contiguous float32, one a token");
}

void by_kernel(const at::Tensor& logits, const at::Tensor& targets, const at::Tensor& losses, float scale) {
  const int64_t vocabulary = logits.size(1);
  auto* rows = static_cast<float*>(logits.data_ptr());
  const auto* wanted = static_cast<const int64_t*>(targets.data_ptr());
  auto* out = static_cast<float*>(losses.data_ptr());
  for (int64_t i = 0; i < logits.size(0); i++) {
    require(wanted[i] < vocabulary, "a target is outside the vocabulary");
  }
  at::parallel_for(0, logits.size(0), 1, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; i++) {
      float* row = rows + i * vocabulary;
      if (wanted[i] < 0) { // padding weighs nothing
        std::fill(row, row + vocabulary, 0.0f);
        out[i] = 0;
      } else {
        out[i] = simd().cross_entropy(row, vocabulary, wanted[i], scale);
      }
    }
  });
}

void by_operators(at::Tensor logits, const at::Tensor& targets, at::Tensor losses, double scale) {
  const at::Tensor real = targets.ge(0), index = targets.clamp_min(0).unsqueeze(1);
  const at::Tensor log_probabilities = at::log_softmax(logits, -1, at::kFloat);
  losses.copy_(log_probabilities.gather(1, index).squeeze(1).neg().mul(real));
  const at::Tensor ones = at::ones(index.sizes(), log_probabilities.options());
  logits.copy_(log_probabilities.exp().scatter_add(1, index, ones.neg()).mul_(scale).mul_(real.unsqueeze(1)));
}

void cross_entropy(const at::Tensor& logits, const at::Tensor& targets, const at::Tensor& losses, double scale) {
  check(logits, targets, losses);
  if (logits.device().is_cpu() && logits.scalar_type() == at::kFloat) {
    by_kernel(logits, targets, losses, static_cast<float>(scale));
  } else {
    by_operators(logits, targets, losses, scale);
  }
}

} // namespace

OPT_API int32_t opt_cross_entropy(opt_tensor logits, opt_tensor targets, opt_tensor losses, double grad_scale) {
  return guarded([&] {
    const at::NoGradGuard no_grad;
    cross_entropy(tensor(logits).detach(), tensor(targets), tensor(losses), grad_scale);
  });
}

OPT_API int32_t opt_linear_cross_entropy(opt_tensor hidden, opt_tensor weight, opt_tensor targets, opt_tensor losses,
                                         double grad_scale, int64_t chunk, opt_tensor grad_hidden, opt_tensor grad_weight) {
  return guarded([&] {
    const at::NoGradGuard no_grad;
    const at::Tensor x = tensor(hidden).detach(), w = tensor(weight).detach(), y = tensor(targets), out = tensor(losses);
    at::Tensor grad_x = optional_tensor(grad_hidden), grad_w = optional_tensor(grad_weight);
    require(chunk >= 1, "the chunk must hold at least one token");
    require(x.dim() == 2 && w.dim() == 2 && x.size(1) == w.size(1), "hidden must be [tokens, width] and weight [vocabulary, width]");
    const at::Tensor buffer = at::empty({std::min(chunk, x.size(0)), w.size(0)}, x.options());
    for (int64_t first = 0; first < x.size(0); first += chunk) {
      const int64_t n = std::min(chunk, x.size(0) - first);
      const at::Tensor part = x.narrow(0, first, n);
      at::Tensor logits = buffer.narrow(0, 0, n);
      at::mm_out(logits, part, w.t());
      cross_entropy(logits, y.narrow(0, first, n), out.narrow(0, first, n), grad_scale);
      if (grad_x.defined()) {
        at::Tensor target = grad_x.narrow(0, first, n);
        at::mm_out(target, logits, w);
      }
      if (grad_w.defined() && grad_w.scalar_type() == logits.scalar_type()) {
        grad_w.addmm_(logits.t(), part);
      } else if (grad_w.defined()) {
        grad_w.add_(at::mm(logits.t(), part)); // computed in 16 bit, added up in fp32
      }
    }
  });
}
