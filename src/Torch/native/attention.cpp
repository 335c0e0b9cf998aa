#include "handles.h"
#include "keyed.h"

using namespace opt;

OPT_API int32_t opt_causal_attention(opt_tensor query, opt_tensor key, opt_tensor value, double scale, double p,
                                     const opt_dropout_key* dropout, opt_tensor* result) {
  return guarded([&] {
    const at::Tensor &q = tensor(query), &k = tensor(key), &v = tensor(value);
    const int64_t length = q.size(-2), past = k.size(-2);
    const at::Tensor mask = at::full({length, past}, -std::numeric_limits<float>::infinity(), q.options()).triu_(past - length + 1);
    at::Tensor weights = at::softmax(at::matmul(q * scale, k.transpose(-1, -2)) + mask, -1);
    if (p > 0) {
      require(dropout != nullptr, "dropout needs a key");
      opt_tensor dropped = nullptr;
      if (opt_keyed_dropout(&weights, p, dropout, &dropped) != OPT_OK) {
        throw invalid_argument("keyed dropout of the attention weights failed");
      }
      weights = *static_cast<at::Tensor*>(dropped);
      opt_tensor_free(dropped);
    }
    *result = own(at::matmul(weights, v));
  });
}
