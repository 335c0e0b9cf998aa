// Shared by the sources that are compiled for several instruction sets. OPT_ISA names the namespace of the one at hand.
// Only headers without inline functions may be included: a copy compiled for a newer processor could be linked for all.
#pragma once

#include "kernels.h"

#include <cstring>

#define OPT_INLINE static inline __attribute__((always_inline))

namespace opt::OPT_ISA {

void attention(const AttentionShape& shape, Rows q, Rows k, Rows v, Rows out, float* log_sums, float* scratch);
void attention_backward(const AttentionShape& shape, Rows q, Rows k, Rows v, Rows out, Rows grad_out, const float* log_sums,
                        Rows grad_q, Rows grad_k, Rows grad_v, float* scratch);
int64_t attention_scratch(int64_t length, int64_t width);
void dropout_scales(float* scales, int64_t first, int64_t n, uint32_t threshold, float scale, const Counter& key);

OPT_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

OPT_INLINE float from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

OPT_INLINE uint32_t to_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

// e^x for x <= 0 within 2 units in the last place, and 0 below -87; NaN stays NaN. Cephes' polynomial.
OPT_INLINE float exp_negative(float x) {
  const float bounded = x < -87.0f ? -87.0f : x;
  const float shifted = bounded * 1.44269504088896341f + 12582912.0f; // 1.5 * 2^23: the sum's low bits are the nearest integer
  const float n = shifted - 12582912.0f;
  const float r = bounded - n * 0.693359375f - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float fraction = p * r * r + r + 1.0f;
  const float value = fraction * from_bits((to_bits(shifted) - 0x4B400000u + 127u) << 23);
  return x < -87.0f ? 0.0f : value;
}

OPT_INLINE float largest(const float* x, int64_t n) {
  constexpr int lanes = 32;
  float best[lanes];
  for (int l = 0; l < lanes; l++) {
    best[l] = -__builtin_inff();
  }
  const int64_t whole = n / lanes * lanes;
  for (int64_t i = 0; i < whole; i += lanes) {
    for (int l = 0; l < lanes; l++) {
      best[l] = x[i + l] > best[l] ? x[i + l] : best[l];
    }
  }
  for (int64_t i = whole; i < n; i++) {
    best[0] = x[i] > best[0] ? x[i] : best[0];
  }
  for (int l = 1; l < lanes; l++) {
    best[0] = best[l] > best[0] ? best[l] : best[0];
  }
  return best[0];
}

// x[i] = e^(scale * x[i] - shift), and the sum of that; blocks are added in double so that long rows lose nothing.
OPT_INLINE double exponentials(float* x, int64_t n, float scale, float shift) {
  constexpr int64_t block = 1024;
  constexpr int lanes = 32;
  double total = 0;
  for (int64_t start = 0; start < n; start += block) {
    const int64_t length = least(block, n - start);
    const int64_t whole = length / lanes * lanes;
    float* at = x + start;
    float sums[lanes] = {};
    for (int64_t i = 0; i < whole; i += lanes) {
      for (int l = 0; l < lanes; l++) {
        at[i + l] = exp_negative(scale * at[i + l] - shift);
        sums[l] += at[i + l];
      }
    }
    for (int64_t i = whole; i < length; i++) {
      at[i] = exp_negative(scale * at[i] - shift);
      sums[0] += at[i];
    }
    for (int l = 0; l < lanes; l++) {
      total += sums[l];
    }
  }
  return total;
}

} // namespace opt::OPT_ISA
