#include "kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>

// One source, compiled for several instruction sets and chosen at load time. The build sets -ffp-contract=off, so the clones
// round alike and a result does not depend on the processor that computed it.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define OPT_CLONES __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define OPT_CLONES
#endif

namespace opt::kernels {
namespace {

float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Half to float without a branch: subnormals by exact arithmetic, infinities and NaN by the exponent rule.
inline float half_to_float(uint16_t h) {
  const uint32_t w = static_cast<uint32_t>(h) << 16;
  const uint32_t sign = w & 0x80000000u;
  const uint32_t two_w = w + w;
  const float normal = from_bits((two_w >> 4) + (0xE0u << 23)) * 0x1.0p-112f;
  const float subnormal = from_bits((two_w >> 17) | (126u << 23)) - 0.5f;
  const float magnitude = two_w < (1u << 27) ? subnormal : normal;
  uint32_t bits;
  std::memcpy(&bits, &magnitude, sizeof bits);
  return from_bits(sign | bits);
}

inline float bfloat_to_float(uint16_t b) { return from_bits(static_cast<uint32_t>(b) << 16); }

} // namespace

OPT_CLONES void adamw(float* __restrict param, const float* __restrict grad, float* __restrict exp_avg,
                      float* __restrict exp_avg_sq, int64_t n, const AdamW& options) {
  const AdamW o = options;
  for (int64_t i = 0; i < n; i++) {
    const float g = grad[i] * o.grad_scale;
    const float m = o.beta1 * exp_avg[i] + o.one_minus_beta1 * g;
    const float v = o.beta2 * exp_avg_sq[i] + o.one_minus_beta2 * g * g;
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    const float before = param[i];
    const float p = before * o.decay - o.step_decay * before;
    param[i] = p - o.step_size * (m / (std::sqrt(v) * o.denominator_scale + o.eps));
  }
}

OPT_CLONES double sum_of_squares(const float* x, int64_t n) {
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

OPT_CLONES void sum_rows_f32(float* __restrict out, const float* __restrict in, int64_t rows, int64_t stride, int64_t n) {
  constexpr int64_t tile = 1024; // stays in the first-level cache while the rows are added
  for (int64_t start = 0; start < n; start += tile) {
    const int64_t length = std::min(tile, n - start);
    std::memcpy(out + start, in + start, static_cast<size_t>(length) * sizeof(float));
    for (int64_t row = 1; row < rows; row++) {
      const float* from = in + row * stride + start;
      for (int64_t i = 0; i < length; i++) {
        out[start + i] += from[i];
      }
    }
  }
}

#define OPT_SUM_ROWS_16(name, convert)                                                                                        \
  OPT_CLONES void name(float* __restrict out, const uint16_t* __restrict in, int64_t rows, int64_t stride, int64_t n) {      \
    constexpr int64_t tile = 1024;                                                                                            \
    for (int64_t start = 0; start < n; start += tile) {                                                                       \
      const int64_t length = std::min(tile, n - start);                                                                       \
      for (int64_t i = 0; i < length; i++) {                                                                                  \
        out[start + i] = convert(in[start + i]);                                                                              \
      }                                                                                                                       \
      for (int64_t row = 1; row < rows; row++) {                                                                              \
        const uint16_t* from = in + row * stride + start;                                                                     \
        for (int64_t i = 0; i < length; i++) {                                                                                \
          out[start + i] += convert(from[i]);                                                                                 \
        }                                                                                                                     \
      }                                                                                                                       \
    }                                                                                                                         \
  }

OPT_SUM_ROWS_16(sum_rows_f16, half_to_float)
OPT_SUM_ROWS_16(sum_rows_bf16, bfloat_to_float)

namespace {

constexpr int blocks_at_once = 32;
constexpr int64_t words_at_once = blocks_at_once * philox_block;

// 32 consecutive blocks, so that each round is a loop over lanes that the compiler turns into vector instructions.
struct Philox {
  uint32_t x0[blocks_at_once], x1[blocks_at_once], x2[blocks_at_once], x3[blocks_at_once];
};

} // namespace

#define OPT_PHILOX_GROUP(words, block, key)                                                                                   \
  do {                                                                                                                        \
    Philox s;                                                                                                                 \
    for (int l = 0; l < blocks_at_once; l++) {                                                                                \
      s.x0[l] = static_cast<uint32_t>(block) + static_cast<uint32_t>(l);                                                      \
      s.x1[l] = (key).c1;                                                                                                     \
      s.x2[l] = (key).c2;                                                                                                     \
      s.x3[l] = (key).c3;                                                                                                     \
    }                                                                                                                         \
    uint32_t k0 = (key).k0, k1 = (key).k1;                                                                                    \
    for (int round = 0; round < 10; round++) {                                                                                \
      for (int l = 0; l < blocks_at_once; l++) {                                                                              \
        const uint64_t a = static_cast<uint64_t>(s.x0[l]) * 0xD2511F53u;                                                      \
        const uint64_t b = static_cast<uint64_t>(s.x2[l]) * 0xCD9E8D57u;                                                      \
        s.x0[l] = static_cast<uint32_t>(b >> 32) ^ s.x1[l] ^ k0;                                                              \
        s.x1[l] = static_cast<uint32_t>(b);                                                                                   \
        s.x2[l] = static_cast<uint32_t>(a >> 32) ^ s.x3[l] ^ k1;                                                              \
        s.x3[l] = static_cast<uint32_t>(a);                                                                                   \
      }                                                                                                                       \
      k0 += 0x9E3779B9u;                                                                                                      \
      k1 += 0xBB67AE85u;                                                                                                      \
    }                                                                                                                         \
    for (int l = 0; l < blocks_at_once; l++) {                                                                                \
      (words)[4 * l] = s.x0[l];                                                                                               \
      (words)[4 * l + 1] = s.x1[l];                                                                                           \
      (words)[4 * l + 2] = s.x2[l];                                                                                           \
      (words)[4 * l + 3] = s.x3[l];                                                                                           \
    }                                                                                                                         \
  } while (false)

OPT_CLONES void philox(uint32_t* words, int64_t first, int64_t n, const Counter& key) {
  uint32_t buffer[words_at_once];
  int64_t done = 0;
  while (done < n) {
    const int64_t position = first + done;
    OPT_PHILOX_GROUP(buffer, position / philox_block, key);
    const int64_t skip = position % philox_block;
    const int64_t take = std::min(words_at_once - skip, n - done);
    std::memcpy(words + done, buffer + skip, static_cast<size_t>(take) * sizeof(uint32_t));
    done += take;
  }
}

OPT_CLONES void dropout_f32(float* out, const float* in, int64_t first, int64_t n, uint32_t threshold, float scale,
                            const Counter& key) {
  uint32_t words[words_at_once];
  int64_t done = 0;
  while (done < n) {
    const int64_t position = first + done;
    OPT_PHILOX_GROUP(words, position / philox_block, key);
    const int64_t skip = position % philox_block;
    const int64_t take = std::min(words_at_once - skip, n - done);
    for (int64_t i = 0; i < take; i++) {
      out[done + i] = words[skip + i] >= threshold ? in[done + i] * scale : 0.0f;
    }
    done += take;
  }
}

OPT_CLONES void dropout_mask(uint8_t* keep, int64_t first, int64_t n, uint32_t threshold, const Counter& key) {
  uint32_t words[words_at_once];
  int64_t done = 0;
  while (done < n) {
    const int64_t position = first + done;
    OPT_PHILOX_GROUP(words, position / philox_block, key);
    const int64_t skip = position % philox_block;
    const int64_t take = std::min(words_at_once - skip, n - done);
    for (int64_t i = 0; i < take; i++) {
      keep[done + i] = words[skip + i] >= threshold ? 1 : 0;
    }
    done += take;
  }
}

void normal_f32(float* out, int64_t first, int64_t n, float mean, float std, const Counter& key) {
  constexpr int64_t pairs = 64;
  constexpr double unit = 1.0 / 4294967296.0;
  uint32_t words[2 * pairs];
  int64_t done = 0;
  while (done < n) {
    const int64_t position = first + done;
    const int64_t even = position & ~int64_t{1};
    philox(words, even, 2 * pairs, key);
    const int64_t take = std::min(2 * pairs - (position - even), n - done);
    for (int64_t i = 0; i < take; i++) {
      const int64_t offset = position - even + i;
      const uint32_t* pair = words + (offset & ~int64_t{1});
      const double radius = std::sqrt(-2.0 * std::log((pair[0] + 0.5) * unit));
      const double angle = 2.0 * M_PI * pair[1] * unit;
      const double value = radius * ((offset & 1) == 0 ? std::cos(angle) : std::sin(angle));
      out[done + i] = mean + std * static_cast<float>(value);
    }
    done += take;
  }
}

} // namespace opt::kernels
