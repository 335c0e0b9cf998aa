// Loops over flat memory, free of libtorch so that they compile fast and vectorise. Each works on one range, so that callers
// choose the threads; none of the results depends on how a whole was cut into ranges.
#pragma once

#include <cstddef>
#include <cstdint>

namespace opt::kernels {

// The constants of one AdamW update, as floats in the order the loop uses them.
struct AdamW {
  float grad_scale, beta1, one_minus_beta1, beta2, one_minus_beta2, eps;
  float decay;       // p *= decay first
  float step_size;   // p -= step_size * m / (sqrt(v) * denominator_scale + eps)
  float denominator_scale;
  float step_decay;  // p -= step_decay * p, with the value of p before the update
};

void adamw(float* param, const float* grad, float* exp_avg, float* exp_avg_sq, int64_t n, const AdamW& options);

// Sum of squares in double: exact enough for a norm, and finite if and only if every element is.
double sum_of_squares(const float* x, int64_t n);

// out[i] = in[0][i] + in[1][i] + ... in rank order, in fp32; `stride` elements between ranks.
void sum_rows_f32(float* out, const float* in, int64_t rows, int64_t stride, int64_t n);
void sum_rows_f16(float* out, const uint16_t* in, int64_t rows, int64_t stride, int64_t n);
void sum_rows_bf16(float* out, const uint16_t* in, int64_t rows, int64_t stride, int64_t n);

// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11).
struct Counter {
  uint32_t c1, c2, c3; // the words above the block index
  uint32_t k0, k1;
};

constexpr int64_t philox_block = 4;

// Words of the stream from word `first` on; word i is word i % 4 of block i / 4.
void philox(uint32_t* words, int64_t first, int64_t n, const Counter& key);

// keep = word >= threshold, so an element is dropped with probability threshold / 2^32.
void dropout_f32(float* out, const float* in, int64_t first, int64_t n, uint32_t threshold, float scale, const Counter& key);
void dropout_mask(uint8_t* keep, int64_t first, int64_t n, uint32_t threshold, const Counter& key);
// Box-Muller on pairs of words: element i uses words 2 * (i / 2) and 2 * (i / 2) + 1.
void normal_f32(float* out, int64_t first, int64_t n, float mean, float std, const Counter& key);

} // namespace opt::kernels
