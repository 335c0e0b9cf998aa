// Compound operations of a training loop: what would be ten operator calls over the same memory in one pass.
#include "core/handles.h"
#include "training/keyed.h"
#include "simd/kernels.h"

#include <ATen/Parallel.h>

#include <cmath>

using namespace opt;

namespace {

constexpr int64_t grain = 1 << 15;

float* flat_f32(at::Tensor& t, const char* what) {
  if (!t.device().is_cpu() || t.scalar_type() != at::kFloat || !t.is_contiguous()) {
    throw invalid_argument(std::string(what) + " must be a contiguous float32 tensor on the CPU");
  }
  return static_cast<float*>(t.data_ptr());
}

AdamW constants(const opt_adamw_options& o) {
  const double step = static_cast<double>(o.step);
  const double correction1 = 1 - std::pow(o.beta1, step);
  const double root2 = std::sqrt(1 - std::pow(o.beta2, step));
  AdamW k{};
  k.grad_scale = static_cast<float>(o.grad_scale);
  k.beta1 = static_cast<float>(o.beta1);
  k.one_minus_beta1 = static_cast<float>(1 - o.beta1);
  k.beta2 = static_cast<float>(o.beta2);
  k.one_minus_beta2 = static_cast<float>(1 - o.beta2);
  k.eps = static_cast<float>(o.eps);
  const double corrected = o.lr * root2 / correction1;
  k.step_size = static_cast<float>(o.rule == 2 ? o.lr / correction1 : corrected);
  k.denominator_scale = static_cast<float>(o.rule == 2 ? 1 / root2 : 1.0);
  k.decay = static_cast<float>(o.rule == 1 ? 1.0 : 1 - o.lr * o.weight_decay);
  k.step_decay = static_cast<float>(o.rule == 1 ? corrected * o.weight_decay : 0.0);
  return k;
}

void check_adamw(const opt_adamw_options& o) {
  require(o.step >= 1, "step must be at least 1");
  require(o.rule >= 0 && o.rule <= 2, "rule must be 0, 1 or 2");
  require(o.beta1 >= 0 && o.beta1 < 1 && o.beta2 >= 0 && o.beta2 < 1, "beta1 and beta2 must be in [0, 1)");
}

// The same update by libtorch's operators, for devices that this library has no kernel for.
void adamw_by_operators(at::Tensor p, const at::Tensor& grad, at::Tensor m, at::Tensor v, const AdamW& k) {
  const at::Tensor g = grad.mul(k.grad_scale);
  m.mul_(k.beta1).add_(g, k.one_minus_beta1);
  v.mul_(k.beta2).addcmul_(g, g, k.one_minus_beta2);
  p.mul_(k.decay - k.step_decay);
  p.addcdiv_(m, v.sqrt().mul_(k.denominator_scale).add_(k.eps), -k.step_size);
}

void adamw_by_kernel(at::Tensor p, at::Tensor g, at::Tensor m, at::Tensor v, const AdamW& k) {
  float *pp = flat_f32(p, "param"), *mm = flat_f32(m, "exp_avg"), *vv = flat_f32(v, "exp_avg_sq");
  const float* gg = flat_f32(g, "grad");
  at::parallel_for(0, p.numel(), grain, [&](int64_t from, int64_t to) {
    simd().adamw(pp + from, gg + from, mm + from, vv + from, to - from, k);
  });
}

// Parameters without an fp32 master, as OPT was trained: computed in fp32, rounded to 16 bits. In pieces, since an fp32 copy of
// the whole is what this mode saves.
void adamw_of_halves(const at::Tensor& p, const at::Tensor& g, const at::Tensor& m, const at::Tensor& v, const AdamW& k) {
  constexpr int64_t piece = 1 << 20;
  for (int64_t first = 0; first < p.numel(); first += piece) {
    const int64_t n = std::min(piece, p.numel() - first);
    const auto cut = [&](const at::Tensor& t) { return t.view({-1}).narrow(0, first, n); };
    const at::Tensor wide = cut(p).to(at::kFloat);
    adamw_by_kernel(wide, cut(g), cut(m), cut(v), k);
    cut(p).copy_(wide);
  }
}

} // namespace

OPT_API int32_t opt_adamw_step(opt_tensor param, opt_tensor grad, opt_tensor exp_avg, opt_tensor exp_avg_sq,
                               const opt_adamw_options* options) {
  return guarded([&] {
    check_adamw(*options);
    const AdamW k = constants(*options);
    const at::NoGradGuard no_grad;
    at::Tensor &p = tensor(param), &g = tensor(grad), &m = tensor(exp_avg), &v = tensor(exp_avg_sq);
    require(p.numel() == g.numel() && p.numel() == m.numel() && p.numel() == v.numel(),
            "param, grad, exp_avg and exp_avg_sq must have the same number of elements");
    if (!p.device().is_cpu()) {
      adamw_by_operators(p, g, m, v, k);
    } else if (p.scalar_type() == at::kHalf || p.scalar_type() == at::kBFloat16) {
      adamw_of_halves(p, g, m, v, k);
    } else {
      adamw_by_kernel(p, g, m, v, k);
    }
  });
}

OPT_API int32_t opt_sum_of_squares(opt_tensor flat, double* sum) {
  return guarded([&] {
    at::Tensor& t = tensor(flat);
    if (!t.device().is_cpu() || t.scalar_type() != at::kFloat) {
      *sum = t.to(at::kDouble).square().sum().item<double>();
      return;
    }
    const float* x = flat_f32(t, "the tensor");
    // Partial sums over fixed ranges, added in order: the same bits with any number of threads.
    const int64_t ranges = (t.numel() + grain - 1) / grain;
    std::vector<double> partial(static_cast<size_t>(ranges));
    at::parallel_for(0, ranges, 1, [&](int64_t from, int64_t to) {
      for (int64_t r = from; r < to; r++) {
        partial[static_cast<size_t>(r)] = simd().sum_of_squares(x + r * grain, std::min(grain, t.numel() - r * grain));
      }
    });
    *sum = 0;
    for (double part : partial) {
      *sum += part;
    }
  });
}

OPT_API int32_t opt_keyed_normal(opt_tensor out, uint64_t seed, uint64_t stream, uint64_t offset, double mean, double std) {
  return guarded([&] {
    at::Tensor& t = tensor(out);
    float* x = flat_f32(t, "the tensor");
    const auto key = normal_counter(seed, stream);
    at::parallel_for(0, t.numel(), 4096, [&](int64_t from, int64_t to) {
      normal(x + from, static_cast<int64_t>(offset) + from, to - from, static_cast<float>(mean), static_cast<float>(std), key);
    });
  });
}
