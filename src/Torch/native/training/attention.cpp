#include "core/handles.h"
#include "training/keyed.h"
#include "simd/kernels.h"

#include <ATen/Parallel.h>
#include <optional>
#include <torch/csrc/autograd/custom_function.h>

using namespace opt;

namespace {

using Context = torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// What an attention node carries besides tensors.
struct Settings : torch::CustomClassHolder {
  double scale = 1, p = 0;
  std::unique_ptr<DropoutKey> key;

  AttentionShape shape(const at::Tensor& q, int64_t head) const {
    AttentionShape s{q.size(2), q.size(3), static_cast<float>(scale), 0, 1.0f, {}};
    if (key != nullptr) {
      const Threshold threshold(p);
      s.drop = threshold.drop;
      s.keep_scale = threshold.scale;
      s.key = key->counter(head);
    }
    return s;
  }
};

// [batch, heads, length, width] in memory ordered [batch, length, heads, width], as the projections around attention want it.
at::Tensor like_projection(const at::Tensor& q) {
  return at::empty({q.size(0), q.size(2), q.size(1), q.size(3)}, q.options()).transpose(1, 2);
}

at::Tensor with_contiguous_rows(const at::Tensor& t) { return t.stride(3) == 1 ? t : t.contiguous(); }

Rows head_of(const at::Tensor& t, int64_t head) {
  const int64_t batch = head / t.size(1);
  return {static_cast<float*>(t.data_ptr()) + batch * t.stride(0) + head % t.size(1) * t.stride(1), t.stride(2)};
}

template <class Body>
void over_heads(const at::Tensor& q, Body&& body) {
  const auto floats = static_cast<size_t>(simd().attention_scratch(q.size(2), q.size(3)));
  at::parallel_for(0, q.size(0) * q.size(1), 1, [&](int64_t from, int64_t to) {
    const at::DataPtr scratch = c10::GetAllocator(c10::DeviceType::CPU)->allocate(floats * sizeof(float));
    for (int64_t head = from; head < to; head++) {
      body(head, static_cast<float*>(scratch.get()));
    }
  });
}

struct CausalAttention : torch::autograd::Function<CausalAttention> {
  static at::Tensor forward(Context* context, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                            const c10::intrusive_ptr<Settings>& settings) {
    const at::Tensor q = with_contiguous_rows(query), k = with_contiguous_rows(key), v = with_contiguous_rows(value);
    at::Tensor out = like_projection(q);
    const at::Tensor log_sums = at::empty({q.size(0), q.size(1), q.size(2)}, q.options());
    over_heads(q, [&](int64_t head, float* scratch) {
      simd().attention(settings->shape(q, head), head_of(q, head), head_of(k, head), head_of(v, head), head_of(out, head),
                       static_cast<float*>(log_sums.data_ptr()) + head * q.size(2), scratch);
    });
    context->saved_data["settings"] = c10::IValue::make_capsule(settings);
    context->save_for_backward({q, k, v, out, log_sums});
    return out;
  }

  static tensor_list backward(Context* context, tensor_list grads) {
    const auto capsule = context->saved_data["settings"].toCapsule();
    const auto& settings = *static_cast<const Settings*>(capsule.get());
    const auto saved = context->get_saved_variables();
    const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3], &log_sums = saved[4];
    const at::Tensor grad = with_contiguous_rows(grads[0]);
    at::Tensor grad_q = like_projection(q), grad_k = like_projection(q), grad_v = like_projection(q);
    over_heads(q, [&](int64_t head, float* scratch) {
      simd().attention_backward(settings.shape(q, head), head_of(q, head), head_of(k, head), head_of(v, head), head_of(out, head),
                                head_of(grad, head), static_cast<const float*>(log_sums.data_ptr()) + head * q.size(2),
                                head_of(grad_q, head), head_of(grad_k, head), head_of(grad_v, head), scratch);
    });
    return {grad_q, grad_k, grad_v, at::Tensor()};
  }
};

bool has_kernel(const at::Tensor& t) { return t.device().is_cpu() && t.scalar_type() == at::kFloat; }

at::Tensor dropped(const at::Tensor& weights, double p, const opt_dropout_key& key) {
  at::Tensor input = weights;
  opt_tensor result = nullptr;
  if (opt_keyed_dropout(&input, p, &key, &result) != OPT_OK) {
    throw invalid_argument("keyed dropout of the attention weights failed");
  }
  const std::unique_ptr<at::Tensor> owned(static_cast<at::Tensor*>(result));
  return *owned;
}

// The library's own fused attention, where it has one that takes a scale. Found by its arguments: no version is asked for.
template <class Tensor>
at::Tensor fused(const Tensor& q, const Tensor& k, const Tensor& v, double scale) {
  if constexpr (requires { scaled_dot_product_attention(q, k, v, std::nullopt, 0.0, true, scale); }) {
    return scaled_dot_product_attention(q, k, v, std::nullopt, 0.0, true, scale);
  } else {
    return {};
  }
}

// The same by libtorch's operators, for other devices and types. Its fused attention draws dropout of its own, so it serves without alone.
at::Tensor by_operators(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale, double p,
                        const opt_dropout_key* key) {
  if (p == 0) {
    const at::Tensor result = fused(q, k, v, scale);
    if (result.defined()) {
      return result;
    }
  }
  const int64_t length = q.size(2);
  const at::Tensor mask = at::full({length, length}, -std::numeric_limits<float>::infinity(), q.options()).triu_(1);
  at::Tensor weights = at::softmax(at::matmul(q * scale, k.transpose(-1, -2)) + mask, -1);
  return at::matmul(p > 0 ? dropped(weights, p, *key) : weights, v);
}

} // namespace

OPT_API int32_t opt_causal_attention(opt_tensor query, opt_tensor key, opt_tensor value, double scale, double p,
                                     const opt_dropout_key* dropout, opt_tensor* result) {
  return guarded([&] {
    const at::Tensor &q = tensor(query), &k = tensor(key), &v = tensor(value);
    require(q.dim() == 4 && q.sizes() == k.sizes() && q.sizes() == v.sizes(),
            "query, key and value must be [batch, heads, length, width], all of one shape");
    require(p == 0 || dropout != nullptr, "dropout needs a key");
    if (!has_kernel(q) || !has_kernel(k) || !has_kernel(v)) {
      *result = own(by_operators(q, k, v, scale, p, dropout));
      return;
    }
    auto settings = c10::make_intrusive<Settings>();
    settings->scale = scale;
    settings->p = p;
    if (p > 0) {
      settings->key = std::make_unique<DropoutKey>(*dropout);
      require(settings->key->rows() == q.size(0) * q.size(1), "the key's samples and heads must be those of the query");
    }
    *result = own(CausalAttention::apply(q, k, v, settings));
  });
}
