#include "core/handles.h"
#include "training/keyed.h"
#include "simd/kernels.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

using namespace opt;

namespace {

// Calls body(row, first, n) over all elements, in pieces that several threads can share.
template <class Body>
void over_rows(int64_t rows, int64_t inner, Body&& body) {
  constexpr int64_t piece = 1 << 14;
  const int64_t pieces = (inner + piece - 1) / piece;
  at::parallel_for(0, rows * pieces, 1, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; i++) {
      const int64_t first = i % pieces * piece;
      body(i / pieces, first, std::min(piece, inner - first));
    }
  });
}

at::Tensor mask_of(const DropoutKey& key, int64_t inner, const Threshold& threshold) {
  at::Tensor mask = at::empty({key.rows(), inner}, at::kBool);
  auto* keep = static_cast<uint8_t*>(mask.data_ptr());
  over_rows(key.rows(), inner, [&](int64_t row, int64_t first, int64_t n) {
    simd().dropout_mask(keep + row * inner + first, first, n, threshold.drop, key.counter(row));
  });
  return mask;
}

at::Tensor dropped(const at::Tensor& input, const DropoutKey& key, double p) {
  const Threshold threshold(p);
  const int64_t rows = key.rows(), inner = input.numel() / rows;
  if (!input.device().is_cpu() || input.scalar_type() != at::kFloat) {
    const at::Tensor mask = mask_of(key, inner, threshold).to(input.device());
    return input.mul(mask.view(input.sizes())).mul_(threshold.scale);
  }
  const at::Tensor in = input.contiguous();
  at::Tensor out = at::empty_like(in);
  const auto* from = static_cast<const float*>(in.data_ptr());
  auto* to = static_cast<float*>(out.data_ptr());
  over_rows(rows, inner, [&](int64_t row, int64_t first, int64_t n) {
    const int64_t at = row * inner + first;
    simd().dropout(to + at, from + at, first, n, threshold.drop, threshold.scale, key.counter(row));
  });
  return out;
}

struct KeyHolder : torch::CustomClassHolder {
  explicit KeyHolder(const opt_dropout_key& key) : key(key) {}
  const DropoutKey key;
};

// Backward draws the mask again: it costs less than keeping it, and recomputation gets the same one by construction.
struct KeyedDropout : torch::autograd::Function<KeyedDropout> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& input, double p,
                            const c10::intrusive_ptr<KeyHolder>& holder) {
    context->saved_data["p"] = p;
    context->saved_data["key"] = c10::IValue::make_capsule(holder);
    return dropped(input, holder->key, p);
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context, torch::autograd::tensor_list grads) {
    const auto capsule = context->saved_data["key"].toCapsule();
    const auto& key = static_cast<const KeyHolder*>(capsule.get())->key;
    return {dropped(grads[0], key, context->saved_data["p"].toDouble()), at::Tensor(), at::Tensor()};
  }
};

} // namespace

OPT_API int32_t opt_keyed_dropout(opt_tensor input, double p, const opt_dropout_key* key, opt_tensor* result) {
  return guarded([&] {
    const auto holder = c10::make_intrusive<KeyHolder>(*key);
    const at::Tensor& x = tensor(input);
    require(x.numel() % holder->key.rows() == 0, "the leading dimensions must be the samples and the heads of the key");
    *result = own(KeyedDropout::apply(x, p, holder));
  });
}

OPT_API int32_t opt_keyed_dropout_mask(double p, const opt_dropout_key* key, int64_t inner, opt_tensor* mask) {
  return guarded([&] { *mask = own(mask_of(DropoutKey(*key), inner, Threshold(p))); });
}
