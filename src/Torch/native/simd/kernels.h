// Loops over flat memory, free of libtorch. Their sources are compiled once for each instruction set into one table, and the
// best table that the processor can run is chosen at first use. Each call works on one range, so that callers choose the
// threads; no result depends on how a whole was cut into ranges.
#pragma once

#include <cstdint>

namespace opt {

// The constants of one AdamW update, as floats in the order the loop uses them.
struct AdamW {
  float grad_scale, beta1, one_minus_beta1, beta2, one_minus_beta2, eps;
  float decay;             // p *= decay first
  float step_size;         // p -= step_size * m / (sqrt(v) * denominator_scale + eps)
  float denominator_scale;
  float step_decay;        // p -= step_decay * p, with the value of p before the update
};

// The words of Philox4x32-10 above the block index (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11).
// Word i of a stream is word i % 4 of block i / 4.
struct Counter {
  uint32_t c1, c2, c3;
  uint32_t k0, k1;
};

// One head of one sample: [length, width] matrices with contiguous rows, `stride` elements apart.
struct Rows {
  float* data;
  int64_t stride;
};

struct AttentionShape {
  int64_t length, width;
  float scale;
  uint32_t drop;    // an element of the weights is kept if its random word is at least this
  float keep_scale; // what a kept one is multiplied by
  Counter key;      // of this head's mask; element (i, j) is word i * length + j
};

struct Kernels {
  void (*adamw)(float* param, const float* grad, float* exp_avg, float* exp_avg_sq, int64_t n, const AdamW& options);

  // Sum of squares in double: exact enough for a norm, and finite if and only if every element is.
  double (*sum_of_squares)(const float* x, int64_t n);

  // out[i] = in[0][i] + in[1][i] + ... in row order, in fp32; `stride` elements between rows.
  void (*sum_rows_f32)(float* out, const float* in, int64_t rows, int64_t stride, int64_t n);
  void (*sum_rows_f16)(float* out, const uint16_t* in, int64_t rows, int64_t stride, int64_t n);
  void (*sum_rows_bf16)(float* out, const uint16_t* in, int64_t rows, int64_t stride, int64_t n);

  void (*philox)(uint32_t* words, int64_t first, int64_t n, const Counter& key);

  // A word below the threshold drops its element, which so has probability threshold / 2^32.
  void (*dropout)(float* out, const float* in, int64_t first, int64_t n, uint32_t threshold, float scale, const Counter& key);
  void (*dropout_mask)(uint8_t* keep, int64_t first, int64_t n, uint32_t threshold, const Counter& key);

  // Turns a row of logits into scale * (softmax(logits) - onehot(target)) and returns -log softmax(logits)[target].
  float (*cross_entropy)(float* logits, int64_t n, int64_t target, float scale);

  // Floats of scratch memory that the two functions below need.
  int64_t (*attention_scratch)(int64_t length, int64_t width);
  void (*attention)(const AttentionShape& shape, Rows q, Rows k, Rows v, Rows out, float* log_sums, float* scratch);
  void (*attention_backward)(const AttentionShape& shape, Rows q, Rows k, Rows v, Rows out, Rows grad_out, const float* log_sums,
                             Rows grad_q, Rows grad_k, Rows grad_v, float* scratch);
};

// The table for this processor, or a plainer one that OPT_TORCH_ISA (baseline, haswell, skylake) names.
const Kernels& simd() noexcept;

} // namespace opt
