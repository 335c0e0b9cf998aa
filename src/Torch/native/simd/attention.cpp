// Causal attention of one head without the length x length matrix: rows are done a block at a time, only the keys at or before
// a block are touched (half the products), and backward computes the weights again from the rows' log-sums
// (the idea of FlashAttention, Dao et al. 2022; blocks of rows against all their keys, since a CPU's cache holds them).
#include "internal.h"

#include <math.h>

namespace opt::OPT_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int vector_floats = 16, tile_rows = 8;
#elif defined(__AVX2__)
constexpr int vector_floats = 8, tile_rows = 6;
#else
constexpr int vector_floats = 4, tile_rows = 4;
#endif
constexpr int tile_columns = 2 * vector_floats;
constexpr int64_t block_rows = 48; // a multiple of every tile_rows

typedef float vector __attribute__((vector_size(vector_floats * sizeof(float)), aligned(4), may_alias));

OPT_INLINE int64_t padded(int64_t n) { return (n + tile_columns - 1) / tile_columns * tile_columns; }

// A matrix whose element (i, j) is data[i * row + j * column].
struct View {
  const float* data;
  int64_t row, column;
};

// c[rows x tile_columns] (+)= a[rows x depth] b[depth x tile_columns], held in registers throughout.
template <int rows, bool accumulate>
OPT_INLINE void tile(View a, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t depth) {
  vector sum[rows][2];
#pragma GCC unroll 8
  for (int i = 0; i < rows; i++) {
    sum[i][0] = accumulate ? *reinterpret_cast<const vector*>(c + i * ldc) : vector{};
    sum[i][1] = accumulate ? *reinterpret_cast<const vector*>(c + i * ldc + vector_floats) : vector{};
  }
  for (int64_t k = 0; k < depth; k++) {
    const vector b0 = *reinterpret_cast<const vector*>(b + k * ldb);
    const vector b1 = *reinterpret_cast<const vector*>(b + k * ldb + vector_floats);
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
      const float factor = a.data[i * a.row + k * a.column];
      sum[i][0] += factor * b0;
      sum[i][1] += factor * b1;
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; i++) {
    *reinterpret_cast<vector*>(c + i * ldc) = sum[i][0];
    *reinterpret_cast<vector*>(c + i * ldc + vector_floats) = sum[i][1];
  }
}

template <bool accumulate>
OPT_INLINE void last_rows(int64_t rows, View a, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t depth) {
  switch (rows) {
    case 1: return tile<1, accumulate>(a, b, ldb, c, ldc, depth);
    case 2: return tile<2, accumulate>(a, b, ldb, c, ldc, depth);
    case 3: return tile<3, accumulate>(a, b, ldb, c, ldc, depth);
    case 4: return tile<4, accumulate>(a, b, ldb, c, ldc, depth);
    case 5: return tile<5, accumulate>(a, b, ldb, c, ldc, depth);
    case 6: return tile<6, accumulate>(a, b, ldb, c, ldc, depth);
    case 7: return tile<7, accumulate>(a, b, ldb, c, ldc, depth);
    default: return;
  }
}

// c (+)= a b; the columns of b and c are padded to whole tiles.
template <bool accumulate>
void product(View a, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t rows, int64_t columns, int64_t depth) {
  const int64_t whole = rows / tile_rows * tile_rows;
  for (int64_t j = 0; j < columns; j += tile_columns) {
    for (int64_t i = 0; i < whole; i += tile_rows) {
      tile<tile_rows, accumulate>({a.data + i * a.row, a.row, a.column}, b + j, ldb, c + i * ldc + j, ldc, depth);
    }
    last_rows<accumulate>(rows - whole, {a.data + whole * a.row, a.row, a.column}, b + j, ldb, c + whole * ldc + j, ldc, depth);
  }
}

void pack_rows(float* packed, int64_t ld, Rows from, int64_t length, int64_t width) {
  for (int64_t i = 0; i < length; i++) {
    memcpy(packed + i * ld, from.data + i * from.stride, static_cast<size_t>(width) * sizeof(float));
    memset(packed + i * ld + width, 0, static_cast<size_t>(ld - width) * sizeof(float));
  }
}

void pack_columns(float* packed, int64_t ld, Rows from, int64_t length, int64_t width) {
  for (int64_t j = 0; j < width; j++) {
    memset(packed + j * ld + length, 0, static_cast<size_t>(ld - length) * sizeof(float));
  }
  for (int64_t i = 0; i < length; i++) {
    for (int64_t j = 0; j < width; j++) {
      packed[j * ld + i] = from.data[i * from.stride + j];
    }
  }
}

void unpack_rows(Rows to, const float* packed, int64_t ld, int64_t length, int64_t width) {
  for (int64_t i = 0; i < length; i++) {
    memcpy(to.data + i * to.stride, packed + i * ld, static_cast<size_t>(width) * sizeof(float));
  }
}

void clear(float* x, int64_t n) { memset(x, 0, static_cast<size_t>(n) * sizeof(float)); }

// Scratch memory handed out front to back.
class Scratch {
 public:
  explicit Scratch(float* start) : next_(start) {}

  float* take(int64_t floats) {
    float* given = next_;
    next_ += (floats + 15) / 16 * 16;
    return given;
  }

 private:
  float* next_;
};

// Logits of one row to weights, with dropout; columns up to `reach` that the row may not see become zero.
void weigh(const AttentionShape& s, float* w, int64_t row, int64_t reach, float* log_sum) {
  const int64_t seen = row + 1;
  const float shift = s.scale * largest(w, seen);
  const double sum = exponentials(w, seen, s.scale, shift);
  *log_sum = shift + static_cast<float>(log(sum));
  const float factor = static_cast<float>(s.keep_scale / sum);
  if (s.drop == 0) {
    for (int64_t j = 0; j < seen; j++) {
      w[j] *= factor;
    }
  } else {
    simd().dropout(w, w, row * s.length, seen, s.drop, factor, s.key);
  }
  clear(w + seen, reach - seen);
}

// Logits w and gradients d of the dropped weights of one row, to the dropped weights and the gradients of the logits.
// With P the weights, M the mask and D = dO vT: dS = scale P (M D - delta), where delta = sum over j of P M D = dO . O.
void differentiate(const AttentionShape& s, float* w, float* d, float* mask, int64_t row, int64_t reach, float log_sum, float delta) {
  const int64_t seen = row + 1;
  exponentials(w, seen, s.scale, log_sum);
  if (s.drop == 0) {
    for (int64_t j = 0; j < seen; j++) {
      d[j] = w[j] * (d[j] - delta) * s.scale;
    }
  } else {
    dropout_scales(mask, row * s.length, seen, s.drop, s.keep_scale, s.key);
    for (int64_t j = 0; j < seen; j++) {
      d[j] = w[j] * (d[j] * mask[j] - delta) * s.scale;
      w[j] *= mask[j];
    }
  }
  clear(w + seen, reach - seen);
  clear(d + seen, reach - seen);
}

float dot(const float* a, const float* b, int64_t n) {
  float sum = 0;
  for (int64_t i = 0; i < n; i++) {
    sum += a[i] * b[i];
  }
  return sum;
}

class Backward {
 public:
  Backward(const AttentionShape& shape, Rows q, Rows k, Rows v, Rows grad_out, Scratch memory)
      : s_(shape), wide_(padded(shape.width)), deep_(padded(shape.length)) {
    const int64_t rows = s_.length * wide_, columns = s_.width * deep_, block = block_rows * deep_;
    pack_columns(keys_ = memory.take(columns), deep_, k, s_.length, s_.width);
    pack_columns(values_ = memory.take(columns), deep_, v, s_.length, s_.width);
    pack_rows(key_rows_ = memory.take(rows), wide_, k, s_.length, s_.width);
    pack_rows(query_rows_ = memory.take(rows), wide_, q, s_.length, s_.width);
    pack_rows(grad_rows_ = memory.take(rows), wide_, grad_out, s_.length, s_.width);
    clear(key_grads_ = memory.take(rows), rows);
    clear(value_grads_ = memory.take(rows), rows);
    weights_ = memory.take(block);
    slopes_ = memory.take(block);
    mask_ = memory.take(block);
    result_ = memory.take(block_rows * wide_);
  }

  void block(int64_t first, Rows out, const float* log_sums, Rows grad_q) {
    const int64_t rows = least(block_rows, s_.length - first), reach = first + rows;
    const float *queries = query_rows_ + first * wide_, *grads = grad_rows_ + first * wide_;
    product<false>({queries, wide_, 1}, keys_, deep_, weights_, deep_, rows, padded(reach), s_.width);
    product<false>({grads, wide_, 1}, values_, deep_, slopes_, deep_, rows, padded(reach), s_.width);
    for (int64_t i = 0; i < rows; i++) {
      const int64_t row = first + i, at = i * deep_;
      const float delta = dot(grads + i * wide_, out.data + row * out.stride, s_.width);
      differentiate(s_, weights_ + at, slopes_ + at, mask_ + at, row, reach, log_sums[row], delta);
    }
    product<true>({weights_, 1, deep_}, grads, wide_, value_grads_, wide_, reach, wide_, rows);
    product<true>({slopes_, 1, deep_}, queries, wide_, key_grads_, wide_, reach, wide_, rows);
    product<false>({slopes_, deep_, 1}, key_rows_, wide_, result_, wide_, rows, wide_, reach);
    unpack_rows({grad_q.data + first * grad_q.stride, grad_q.stride}, result_, wide_, rows, s_.width);
  }

  void finish(Rows grad_k, Rows grad_v) const {
    unpack_rows(grad_k, key_grads_, wide_, s_.length, s_.width);
    unpack_rows(grad_v, value_grads_, wide_, s_.length, s_.width);
  }

 private:
  const AttentionShape& s_;
  const int64_t wide_, deep_;
  float *keys_, *values_; // [width, length]
  float *key_rows_, *query_rows_, *grad_rows_, *key_grads_, *value_grads_; // [length, width]
  float *weights_, *slopes_, *mask_; // [block_rows, length]
  float* result_;
};

} // namespace

int64_t attention_scratch(int64_t length, int64_t width) {
  const int64_t wide = padded(width), deep = padded(length);
  constexpr int64_t rounding = 16 * 11;
  return 2 * width * deep + 5 * length * wide + 3 * block_rows * deep + block_rows * wide + rounding; // what Backward takes
}

void attention(const AttentionShape& s, Rows q, Rows k, Rows v, Rows out, float* log_sums, float* scratch) {
  const int64_t wide = padded(s.width), deep = padded(s.length);
  Scratch memory(scratch);
  float* keys = memory.take(s.width * deep);
  float* values = memory.take(s.length * wide);
  float* weights = memory.take(block_rows * deep);
  float* result = memory.take(block_rows * wide);
  pack_columns(keys, deep, k, s.length, s.width);
  pack_rows(values, wide, v, s.length, s.width);
  for (int64_t first = 0; first < s.length; first += block_rows) {
    const int64_t rows = least(block_rows, s.length - first), reach = first + rows;
    product<false>({q.data + first * q.stride, q.stride, 1}, keys, deep, weights, deep, rows, padded(reach), s.width);
    for (int64_t i = 0; i < rows; i++) {
      weigh(s, weights + i * deep, first + i, reach, log_sums + first + i);
    }
    product<false>({weights, deep, 1}, values, wide, result, wide, rows, wide, reach);
    unpack_rows({out.data + first * out.stride, out.stride}, result, wide, rows, s.width);
  }
}

void attention_backward(const AttentionShape& shape, Rows q, Rows k, Rows v, Rows out, Rows grad_out, const float* log_sums,
                        Rows grad_q, Rows grad_k, Rows grad_v, float* scratch) {
  Backward backward(shape, q, k, v, grad_out, Scratch(scratch));
  for (int64_t first = 0; first < shape.length; first += block_rows) {
    backward.block(first, out, log_sums, grad_q);
  }
  backward.finish(grad_k, grad_v);
}

} // namespace opt::OPT_ISA
