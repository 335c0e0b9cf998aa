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

} // namespace

int64_t attention_scratch(int64_t length, int64_t width) {
  const int64_t wide = padded(width), deep = padded(length);
  // Backward's need: two transposed and two padded inputs with their gradients, blocks of rows of weights, masks and gradients.
  return 2 * width * deep + 5 * length * wide + 3 * block_rows * deep + 2 * block_rows * wide + 16 * 16;
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
      const int64_t row = first + i, seen = row + 1;
      float* w = weights + i * deep;
      const float shift = s.scale * largest(w, seen);
      const double sum = exponentials(w, seen, s.scale, shift);
      log_sums[row] = shift + static_cast<float>(log(sum));
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
    product<false>({weights, deep, 1}, values, wide, result, wide, rows, wide, reach);
    unpack_rows({out.data + first * out.stride, out.stride}, result, wide, rows, s.width);
  }
}

void attention_backward(const AttentionShape& s, Rows q, Rows k, Rows v, Rows out, Rows grad_out, const float* log_sums,
                        Rows grad_q, Rows grad_k, Rows grad_v, float* scratch) {
  const int64_t wide = padded(s.width), deep = padded(s.length);
  Scratch memory(scratch);
  float* keys = memory.take(s.width * deep);
  float* values = memory.take(s.width * deep);
  float* key_rows = memory.take(s.length * wide);
  float* query_rows = memory.take(s.length * wide);
  float* grad_rows = memory.take(s.length * wide);
  float* key_grads = memory.take(s.length * wide);
  float* value_grads = memory.take(s.length * wide);
  float* weights = memory.take(block_rows * deep);
  float* slopes = memory.take(block_rows * deep);
  float* kept = memory.take(block_rows * deep);
  float* result = memory.take(block_rows * wide);
  pack_columns(keys, deep, k, s.length, s.width);
  pack_columns(values, deep, v, s.length, s.width);
  pack_rows(key_rows, wide, k, s.length, s.width);
  pack_rows(query_rows, wide, q, s.length, s.width);
  pack_rows(grad_rows, wide, grad_out, s.length, s.width);
  clear(key_grads, s.length * wide);
  clear(value_grads, s.length * wide);
  for (int64_t first = 0; first < s.length; first += block_rows) {
    const int64_t rows = least(block_rows, s.length - first), reach = first + rows;
    const float* queries = query_rows + first * wide;
    const float* grads = grad_rows + first * wide;
    product<false>({queries, wide, 1}, keys, deep, weights, deep, rows, padded(reach), s.width);
    product<false>({grads, wide, 1}, values, deep, slopes, deep, rows, padded(reach), s.width);
    for (int64_t i = 0; i < rows; i++) {
      const int64_t row = first + i, seen = row + 1;
      float *w = weights + i * deep, *d = slopes + i * deep, *m = kept + i * deep;
      const float *g = grad_out.data + row * grad_out.stride, *o = out.data + row * out.stride;
      float delta = 0;
      for (int64_t j = 0; j < s.width; j++) {
        delta += g[j] * o[j];
      }
      exponentials(w, seen, s.scale, log_sums[row]);
      if (s.drop == 0) {
        for (int64_t j = 0; j < seen; j++) {
          d[j] = w[j] * (d[j] - delta) * s.scale;
        }
      } else {
        dropout_scales(m, row * s.length, seen, s.drop, s.keep_scale, s.key);
        for (int64_t j = 0; j < seen; j++) {
          d[j] = w[j] * (d[j] * m[j] - delta) * s.scale;
          w[j] *= m[j];
        }
      }
      clear(w + seen, reach - seen);
      clear(d + seen, reach - seen);
    }
    product<true>({weights, 1, deep}, grads, wide, value_grads, wide, reach, wide, rows);
    product<true>({slopes, 1, deep}, queries, wide, key_grads, wide, reach, wide, rows);
    product<false>({slopes, deep, 1}, key_rows, wide, result, wide, rows, wide, reach);
    unpack_rows({grad_q.data + first * grad_q.stride, grad_q.stride}, result, wide, rows, s.width);
  }
  unpack_rows(grad_k, key_grads, wide, s.length, s.width);
  unpack_rows(grad_v, value_grads, wide, s.length, s.width);
}

} // namespace opt::OPT_ISA
