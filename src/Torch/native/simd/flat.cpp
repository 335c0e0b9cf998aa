// Loops over flat memory. Compiled without contraction of products and sums, so that every instruction set rounds alike and
// results do not depend on the processor.
#include "internal.h"

#include <math.h>

namespace opt::OPT_ISA {
namespace {

// Half to float without a branch: subnormals by exact arithmetic, infinities and NaN by the exponent rule.
OPT_INLINE float half_to_float(uint16_t h) {
  const uint32_t w = static_cast<uint32_t>(h) << 16;
  const uint32_t two_w = w + w;
  const float normal = from_bits((two_w >> 4) + (0xE0u << 23)) * 0x1.0p-112f;
  const float subnormal = from_bits((two_w >> 17) | (126u << 23)) - 0.5f;
  return from_bits((w & 0x80000000u) | to_bits(two_w < (1u << 27) ? subnormal : normal));
}

OPT_INLINE float bfloat_to_float(uint16_t b) { return from_bits(static_cast<uint32_t>(b) << 16); }

OPT_INLINE float float_to_float(float f) { return f; }

void adamw(float* __restrict param, const float* __restrict grad, float* __restrict exp_avg, float* __restrict exp_avg_sq,
           int64_t n, const AdamW& options) {
  const AdamW o = options;
  for (int64_t i = 0; i < n; i++) {
    const float g = grad[i] * o.grad_scale;
    const float m = o.beta1 * exp_avg[i] + o.one_minus_beta1 * g;
    const float v = o.beta2 * exp_avg_sq[i] + o.one_minus_beta2 * g * g;
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    const float before = param[i];
    const float decayed = before * o.decay - o.step_decay * before;
    param[i] = decayed - o.step_size * (m / (sqrtf(v) * o.denominator_scale + o.eps));
  }
}

double sum_of_squares(const float* x, int64_t n) {
  constexpr int lanes = 16;
  double sums[lanes] = {};
  const int64_t whole = n / lanes * lanes;
  for (int64_t i = 0; i < whole; i += lanes) {
    for (int l = 0; l < lanes; l++) {
      const double value = x[i + l];
      sums[l] += value * value;
    }
  }
  double total = 0;
  for (double sum : sums) {
    total += sum;
  }
  for (int64_t i = whole; i < n; i++) {
    const double value = x[i];
    total += value * value;
  }
  return total;
}

template <class Element, float (*convert)(Element)>
OPT_INLINE void sum_rows(float* __restrict out, const Element* __restrict in, int64_t rows, int64_t stride, int64_t n) {
  constexpr int64_t tile = 1024; // stays in the first-level cache while the rows are added
  for (int64_t start = 0; start < n; start += tile) {
    const int64_t length = least(tile, n - start);
    for (int64_t i = 0; i < length; i++) {
      out[start + i] = convert(in[start + i]);
    }
    for (int64_t row = 1; row < rows; row++) {
      const Element* from = in + row * stride + start;
      for (int64_t i = 0; i < length; i++) {
        out[start + i] += convert(from[i]);
      }
    }
  }
}

void sum_rows_f32(float* out, const float* in, int64_t rows, int64_t stride, int64_t n) {
  sum_rows<float, float_to_float>(out, in, rows, stride, n);
}

void sum_rows_f16(float* out, const uint16_t* in, int64_t rows, int64_t stride, int64_t n) {
  sum_rows<uint16_t, half_to_float>(out, in, rows, stride, n);
}

void sum_rows_bf16(float* out, const uint16_t* in, int64_t rows, int64_t stride, int64_t n) {
  sum_rows<uint16_t, bfloat_to_float>(out, in, rows, stride, n);
}

constexpr int blocks_at_once = 32;
constexpr int64_t words_at_once = 4 * blocks_at_once;

// 32 consecutive blocks, so that each round is a loop over lanes that the compiler turns into vector instructions.
OPT_INLINE void philox_group(uint32_t* words, uint32_t block, const Counter& key) {
  uint32_t x0[blocks_at_once], x1[blocks_at_once], x2[blocks_at_once], x3[blocks_at_once];
  for (int l = 0; l < blocks_at_once; l++) {
    x0[l] = block + static_cast<uint32_t>(l);
    x1[l] = key.c1;
    x2[l] = key.c2;
    x3[l] = key.c3;
  }
  uint32_t k0 = key.k0, k1 = key.k1;
  for (int round = 0; round < 10; round++) {
    for (int l = 0; l < blocks_at_once; l++) {
      const uint64_t a = static_cast<uint64_t>(x0[l]) * 0xD2511F53u;
      const uint64_t b = static_cast<uint64_t>(x2[l]) * 0xCD9E8D57u;
      x0[l] = static_cast<uint32_t>(b >> 32) ^ x1[l] ^ k0;
      x1[l] = static_cast<uint32_t>(b);
      x2[l] = static_cast<uint32_t>(a >> 32) ^ x3[l] ^ k1;
      x3[l] = static_cast<uint32_t>(a);
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int l = 0; l < blocks_at_once; l++) {
    words[4 * l] = x0[l];
    words[4 * l + 1] = x1[l];
    words[4 * l + 2] = x2[l];
    words[4 * l + 3] = x3[l];
  }
}

// Calls use(done, words, count) with the words of the elements from first + done on.
template <class Use>
OPT_INLINE void over_words(int64_t first, int64_t n, const Counter& key, Use&& use) {
  uint32_t words[words_at_once];
  int64_t done = 0;
  while (done < n) {
    const int64_t position = first + done;
    philox_group(words, static_cast<uint32_t>(position / 4), key);
    const int64_t skip = position % 4;
    const int64_t take = least(words_at_once - skip, n - done);
    use(done, words + skip, take);
    done += take;
  }
}

void philox(uint32_t* out, int64_t first, int64_t n, const Counter& key) {
  over_words(first, n, key, [out](int64_t done, const uint32_t* words, int64_t count) {
    memcpy(out + done, words, static_cast<size_t>(count) * sizeof(uint32_t));
  });
}

void dropout(float* out, const float* in, int64_t first, int64_t n, uint32_t threshold, float scale, const Counter& key) {
  over_words(first, n, key, [=](int64_t done, const uint32_t* words, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
      const float scaled = in[done + i] * scale;
      out[done + i] = words[i] >= threshold ? scaled : 0.0f;
    }
  });
}

void dropout_mask(uint8_t* keep, int64_t first, int64_t n, uint32_t threshold, const Counter& key) {
  over_words(first, n, key, [=](int64_t done, const uint32_t* words, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
      keep[done + i] = words[i] >= threshold ? 1 : 0;
    }
  });
}

float cross_entropy(float* logits, int64_t n, int64_t target, float scale) {
  const float top = largest(logits, n);
  const float wanted = logits[target];
  const double sum = exponentials(logits, n, 1.0f, top);
  const float factor = static_cast<float>(scale / sum);
  for (int64_t i = 0; i < n; i++) {
    logits[i] *= factor;
  }
  logits[target] -= scale;
  return static_cast<float>(log(sum) - (wanted - top));
}

} // namespace

void dropout_scales(float* scales, int64_t first, int64_t n, uint32_t threshold, float scale, const Counter& key) {
  over_words(first, n, key, [=](int64_t done, const uint32_t* words, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
      scales[done + i] = words[i] >= threshold ? scale : 0.0f;
    }
  });
}

extern const Kernels table;
const Kernels table = {adamw,   sum_of_squares, sum_rows_f32, sum_rows_f16,  sum_rows_bf16,     philox,
                       dropout, dropout_mask,   cross_entropy, attention_scratch, attention, attention_backward};

} // namespace opt::OPT_ISA
