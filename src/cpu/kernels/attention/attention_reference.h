// Attention in f64 for the tests, with a bound on what an f32 kernel may differ by, derived below. Test code only.
#pragma once
#include <algorithm>

#include "cpu/kernels/attention/attention.h"
#include "cpu/kernels/kernel_test.h"

namespace octet::cpu::kernel_test {

struct AttentionCase {
  AttentionProblem p;
  int64_t batch = 1;
  float score_scale = 1, p_scale = 0, v_scale = 1, out_scale = 1;
  std::vector<int64_t> mask = {};  // [batch, tokens], where the problem has one
};

// q, k and v interleaved as a fused projection leaves them: [batch, tokens, 3, heads, head_dim], and 8 unused columns.
class AttentionData {
 public:
  AttentionData(const AttentionCase& c, uint64_t seed, float deviation)
      : c_(c), stride_(3 * width() + 8), values_(normal_values(c.batch * c.p.tokens * stride_, deviation, seed)) {}

  int64_t width() const { return c_.p.heads * c_.p.head_dim; }
  int64_t index(int part, int64_t b, int64_t s, int64_t h, int64_t d) const {
    return (b * c_.p.tokens + s) * stride_ + part * width() + h * c_.p.head_dim + d;
  }
  float& at(int part, int64_t b, int64_t s, int64_t h, int64_t d) { return values_[static_cast<size_t>(index(part, b, s, h, d))]; }
  const AttentionCase& c() const { return c_; }
  std::vector<float> stored() const { return Guarded(c_.p.in, values_).values(); }

  Guarded run(const AttentionKernel& kernel, int threads = 1) const {
    const Guarded qkv(c_.p.in, values_);
    Guarded out(c_.p.out, c_.batch * c_.p.tokens * width());
    const auto part = [&](int i) { return qkv.data() + static_cast<size_t>(i * width()) * size_of(c_.p.in); };
    Scratch scratch(kernel.scratch_bytes(c_.p));
    for (int t = 0; t < threads; ++t)
      kernel.run(c_.p,
                 {part(0), part(1), part(2), stride_, stride_, stride_, out.data(), c_.score_scale, c_.p_scale, c_.v_scale,
                  1 / c_.out_scale, c_.batch, scratch.data(), c_.mask.data()},
                 t, threads);
    EXPECT_TRUE(out.guards_intact());
    return out;
  }

 private:
  AttentionCase c_;
  int64_t stride_;
  std::vector<float> values_;
};

struct Expected {
  std::vector<double> exact;
  std::vector<double> bound;    // of an f32 kernel that keeps p in f32
  std::vector<double> p_bound;  // what one relative rounding error of every p adds (times that error); 0 if p is quantized
};

// The weights of one query row: exact p (quantized if the problem says so), how far a kernel's may lie from it, in the same unit.
struct Weights {
  std::vector<double> p, slack;
};
inline Weights weights_of(const AttentionCase& c, const std::vector<double>& score, const std::vector<double>& magnitude) {
  const size_t keys = score.size();
  const double unit = 0x1p-24, scale = std::abs(static_cast<double>(c.score_scale));
  const double most = *std::max_element(score.begin(), score.end());
  // A score: head_dim products summed in f32. exp: 2^-22.4 (simd/reduce.h), and the rounding of its argument: three relative
  // roundings of (s - max). The errors of j and of the maximum both count.
  const double widest = *std::max_element(magnitude.begin(), magnitude.end());
  const double score_error = (static_cast<double>(c.p.head_dim) + 2) * unit * scale * widest;
  Weights w{std::vector<double>(keys), std::vector<double>(keys)};
  double sum = 0, sum_error = 0;
  for (size_t j = 0; j < keys; ++j) {
    w.p[j] = std::exp(score[j] - most);
    w.slack[j] = 2 * score_error + 3 * unit * (most - score[j]) + std::exp2(-22.4);
    sum += w.p[j];
    sum_error += w.p[j] * w.slack[j];
  }
  const double common = sum_error / sum + (static_cast<double>(keys) / 4 + 8) * unit;
  for (size_t j = 0; j < keys; ++j) {
    const double p = w.p[j] / sum, error = w.slack[j] + common, low = p * std::exp(-error), high = p * std::exp(error);
    w.p[j] = p;
    w.slack[j] = high - p;
    if (!c.p.quantize_p) continue;
    const double step = c.p_scale;  // the kernel's code is that of a value in [low, high]: usually one code
    w.p[j] = rounded(DType::e4m3, p / step) * step;
    w.slack[j] = std::max(rounded(DType::e4m3, high / step) * step - w.p[j], w.p[j] - rounded(DType::e4m3, low / step) * step);
  }
  return w;
}

inline Expected expected(const AttentionData& data) {
  const AttentionCase& c = data.c();
  const AttentionProblem& p = c.p;
  const std::vector<float> x = data.stored();
  const auto at = [&](int part, int64_t b, int64_t s, int64_t h) { return x.data() + data.index(part, b, s, h, 0); };
  const double last = static_cast<double>(c.v_scale) * static_cast<double>(1 / c.out_scale);
  Expected e;
  for (int64_t b = 0; b < c.batch; ++b)
    for (int64_t i = 0; i < p.tokens; ++i)
      for (int64_t h = 0; h < p.heads; ++h) {
        std::vector<int64_t> seen;
        for (int64_t j = 0; j < (p.causal ? i + 1 : p.tokens); ++j)
          if (p.mask == Mask::kNone || c.mask[static_cast<size_t>(b * p.tokens + j)] != 0) seen.push_back(j);
        const bool none = seen.empty();  // then all keys weigh the same
        for (int64_t j = 0; none && j < (p.causal ? i + 1 : p.tokens); ++j) seen.push_back(j);
        const auto keys = static_cast<int64_t>(seen.size());
        std::vector<double> score(seen.size()), magnitude(seen.size());
        for (size_t j = 0; !none && j < seen.size(); ++j)
          for (int64_t d = 0; d < p.head_dim; ++d) {
            const double product = static_cast<double>(at(0, b, i, h)[d]) * at(1, b, seen[j], h)[d];
            score[j] += product * c.score_scale;
            magnitude[j] += std::abs(product);
          }
        const Weights w = weights_of(c, score, magnitude);
        std::vector<double> sum(static_cast<size_t>(p.head_dim)), slack = sum, size = sum;
        for (int64_t j = 0; j < keys; ++j)
          for (int64_t d = 0; d < p.head_dim; ++d) {
            const auto n = static_cast<size_t>(d), m = static_cast<size_t>(j);
            const double v = at(2, b, seen[m], h)[d];
            sum[n] += w.p[m] * v;
            slack[n] += w.slack[m] * std::abs(v);
            size[n] += (w.p[m] + w.slack[m]) * std::abs(v);
          }
        for (size_t d = 0; d < sum.size(); ++d) {
          e.exact.push_back(sum[d] * last);
          // The second sum in f32, and four roundings of factors.
          e.bound.push_back((slack[d] + (static_cast<double>(keys) + 8) * 0x1p-24 * size[d]) * std::abs(last));
          e.p_bound.push_back(p.quantize_p ? 0 : size[d] * std::abs(last));
        }
      }
  return e;
}

}  // namespace octet::cpu::kernel_test
