// Randomness that is a pure function of what it is for, so that it depends neither on ranks nor on the order of calls.
#pragma once

#include "core/guard.h"
#include "simd/kernels.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace opt {

// A checked copy of the caller's key that may outlive the call.
struct DropoutKey {
  uint64_t seed;
  std::vector<int64_t> samples;
  int32_t layer, site, first_head, heads;

  DropoutKey(const opt_dropout_key& key)
      : seed(key.seed), samples(key.samples, key.samples + key.sample_count), layer(key.layer), site(key.site),
        first_head(key.first_head), heads(key.head_count) {
    require(!samples.empty(), "a dropout key needs at least one sample index");
    require(layer >= 0 && layer < 4096, "layer must be in [0, 4096)");
    require(site >= 0 && site < 16, "site must be in [0, 16)");
    require(heads >= 1 && first_head >= 0 && first_head + heads <= 65536, "heads must be in [0, 65536)");
  }

  int64_t rows() const { return static_cast<int64_t>(samples.size()) * heads; }

  // Row r is sample r / heads, head r % heads. The counter spells out the key, so no two keys share a stream.
  Counter counter(int64_t row) const {
    const auto sample = static_cast<uint64_t>(samples[static_cast<size_t>(row / heads)]);
    const auto head = static_cast<uint32_t>(first_head + row % heads);
    return {static_cast<uint32_t>(layer) << 20 | static_cast<uint32_t>(site) << 16 | head, static_cast<uint32_t>(sample),
            static_cast<uint32_t>(sample >> 32), static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  }
};

// The top bit of the highest counter word keeps weights apart from dropout, whose sample indices are never negative.
inline Counter normal_counter(uint64_t seed, uint64_t stream) {
  return {0, static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32) | 0x80000000u, static_cast<uint32_t>(seed),
          static_cast<uint32_t>(seed >> 32)};
}

// Elements [first, first + n) of a normal stream by Box-Muller on pairs of words: element i uses words i & ~1 and i | 1.
inline void normal(float* out, int64_t first, int64_t n, float mean, float std, const Counter& key) {
  constexpr int64_t pairs = 64;
  constexpr double unit = 1.0 / 4294967296.0;
  uint32_t words[2 * pairs];
  for (int64_t done = 0; done < n;) {
    const int64_t even = (first + done) & ~int64_t{1};
    const int64_t skip = first + done - even;
    const int64_t take = std::min(2 * pairs - skip, n - done);
    simd().philox(words, even, 2 * pairs, key);
    for (int64_t i = skip; i < skip + take; i++) {
      const uint32_t* pair = words + (i & ~int64_t{1});
      const double radius = std::sqrt(-2.0 * std::log((pair[0] + 0.5) * unit));
      const double angle = 2.0 * M_PI * pair[1] * unit;
      out[done + i - skip] = mean + std * static_cast<float>(radius * ((i & 1) == 0 ? std::cos(angle) : std::sin(angle)));
    }
    done += take;
  }
}

struct Threshold {
  uint32_t drop; // words below this drop
  float scale;

  explicit Threshold(double p) {
    require(p >= 0 && p < 1, "the dropout probability must be in [0, 1)");
    drop = static_cast<uint32_t>(std::min(std::round(p * 4294967296.0), 4294967295.0));
    scale = static_cast<float>(1 / (1 - p));
  }
};

} // namespace opt
