// Every row of the three steps of unfused attention on this machine against plain loops in f64, and what must not matter: threads, and
// whatever lies where a query sees no key. Every type and edge against the oracle: tests/conformance.
#include "cpu/kernels/attention/attention_steps.h"

#include "cpu/kernels/kernel_test.h"

namespace octet::cpu {
namespace {
using namespace kernel_test;
using enum DType;

struct Shape {
  int64_t batch, tokens, heads, head_dim;
  bool causal;
};
AttentionProblem problem(DType in, DType out, const Shape& s) { return {in, out, s.tokens, s.heads, s.head_dim, s.causal}; }
int64_t seen(const Shape& s, int64_t query) { return s.causal ? query + 1 : s.tokens; }
int64_t weight_count(const Shape& s) { return s.batch * s.heads * s.tokens * pitch(s.tokens); }
int64_t token_count(const Shape& s) { return s.batch * s.tokens * s.heads * s.head_dim; }

constexpr double kHalfUlp = 0x1p-24;
double sum_bound(int64_t terms, double magnitude) { return static_cast<double>(terms + 8) * kHalfUlp * magnitude; }

// body(index of a row of weights, item * heads + head, query)
void each_row(const Shape& s, auto&& body) {
  for (int64_t row = 0; row < s.batch * s.heads * s.tokens; ++row) body(row, row / s.tokens, row % s.tokens);
}
int64_t token_index(const Shape& s, int64_t item_head, int64_t token) {
  return ((item_head / s.heads * s.tokens + token) * s.heads + item_head % s.heads) * s.head_dim;
}

template <class Kernel, class Args>
Guarded run(const Kernel& kernel, const AttentionProblem& p, Args args, int64_t out_count, int threads) {
  Guarded out(p.out, out_count);
  Scratch scratch(kernel.scratch_bytes(p));
  args.out = out.data();
  args.scratch = scratch.data();
  for (int t = 0; t < threads; ++t) kernel.run(p, args, t, threads);
  EXPECT_TRUE(out.guards_intact()) << kernel.name;
  return out;
}

// Runs every row that accepts, alone and on several threads; judge(kernel name, values).
template <class Kernel, class Args>
void each_kernel(std::span<const Kernel> kernels, const AttentionProblem& p, const Args& args, int64_t out_count, auto&& judge) {
  for (const Kernel& kernel : kernels) {
    if (!usable(kernel.isa) || kernel.accepts(p)) continue;
    const Guarded one = run(kernel, p, args, out_count, 1);
    for (const int threads : {2, 7}) ASSERT_TRUE(one == run(kernel, p, args, out_count, threads)) << kernel.name << " " << threads;
    judge(kernel.name, one.values());
  }
}

void check_scores(DType in, DType out, const Shape& s, uint64_t seed) {
  const Guarded q(in, normal_values(token_count(s), 1, seed)), k(in, normal_values(token_count(s), 1, seed + 1));
  const std::vector<float> x = q.values(), y = k.values();
  const int64_t stride = s.heads * s.head_dim;
  const ScoresArgs args{q.data(), k.data(), stride, stride, nullptr, 0.3f, s.batch, nullptr};
  each_kernel(scores_kernels(), problem(in, out, s), args, weight_count(s), [&](std::string_view name, const std::vector<float>& got) {
    each_row(s, [&](int64_t row, int64_t item_head, int64_t query) {
      for (int64_t key = 0; key < pitch(s.tokens); ++key) {
        double sum = 0, magnitude = 0;
        for (int64_t d = 0; key < seen(s, query) && d < s.head_dim; ++d) {
          const double product = static_cast<double>(x[static_cast<size_t>(token_index(s, item_head, query) + d)]) *
                                 y[static_cast<size_t>(token_index(s, item_head, key) + d)];
          sum += product, magnitude += std::abs(product);
        }
        const double scale = 0.3f, actual = got[static_cast<size_t>(row * pitch(s.tokens) + key)];
        ASSERT_TRUE(rounds_from(out, actual, sum * scale, sum_bound(s.head_dim, magnitude * scale)))
            << name << " row " << row << " key " << key << ": " << actual << " for " << sum * scale;
      }
    });
  });
}

void check_softmax(DType in, DType out, const Shape& s, uint64_t seed) {
  const Guarded scores(in, normal_values(weight_count(s), 3, seed));  // garbage where nothing is seen
  const std::vector<float> x = scores.values();
  const float inv_scale = out == e4m3 ? 448.0f : 1.0f;
  const SoftmaxArgs args{scores.data(), nullptr, inv_scale, s.batch, nullptr};
  each_kernel(softmax_kernels(), problem(in, out, s), args, weight_count(s), [&](std::string_view name, const std::vector<float>& got) {
    each_row(s, [&](int64_t row, int64_t, int64_t query) {
      const float* score = x.data() + row * pitch(s.tokens);
      const double most = *std::max_element(score, score + seen(s, query));
      double sum = 0;
      for (int64_t key = 0; key < seen(s, query); ++key) sum += std::exp(score[key] - most);
      for (int64_t key = 0; key < pitch(s.tokens); ++key) {
        const double p = key < seen(s, query) ? std::exp(score[key] - most) / sum * inv_scale : 0;
        const double bound = p * (static_cast<double>(s.tokens + 32) * kHalfUlp + 16 * kHalfUlp * (most - score[key]) + 0x1p-20);
        ASSERT_TRUE(rounds_from(out, got[static_cast<size_t>(row * pitch(s.tokens) + key)], p, p == 0 ? 0 : bound))
            << name << " row " << row << " key " << key;
      }
    });
  });
}

void check_values(DType in, DType out, const Shape& s, uint64_t seed) {
  const Guarded p(in, normal_values(weight_count(s), 1, seed)), v(in, normal_values(token_count(s), 1, seed + 1));
  const std::vector<float> x = p.values(), y = v.values();
  const ValuesArgs args{p.data(), v.data(), s.heads * s.head_dim, nullptr, 0.7f, s.batch, nullptr};
  each_kernel(values_kernels(), problem(in, out, s), args, token_count(s), [&](std::string_view name, const std::vector<float>& got) {
    each_row(s, [&](int64_t row, int64_t item_head, int64_t query) {
      for (int64_t d = 0; d < s.head_dim; ++d) {
        double sum = 0, magnitude = 0;
        for (int64_t key = 0; key < seen(s, query); ++key) {
          const double product = static_cast<double>(x[static_cast<size_t>(row * pitch(s.tokens) + key)]) *
                                 y[static_cast<size_t>(token_index(s, item_head, key) + d)];
          sum += product, magnitude += std::abs(product);
        }
        const double scale = 0.7f, actual = got[static_cast<size_t>(token_index(s, item_head, query) + d)];
        ASSERT_TRUE(rounds_from(out, actual, sum * scale, sum_bound(s.tokens, magnitude * scale)))
            << name << " row " << row << " dim " << d << ": " << actual << " for " << sum * scale;
      }
    });
  });
}

TEST(AttentionSteps, MatchTheFormulaAtEveryTail) {
  uint64_t seed = 1;
  for (const DType in : {e4m3, f16, bf16, f32})
    for (const int64_t tokens : {1, 2, 15, 16, 17, 32, 33, 65, 77})
      for (const int64_t head_dim : {5, 16, 24, 64, 80}) {
        const Shape shape{tokens < 20 ? 2 : 1, tokens, 2, head_dim, ++seed % 2 == 0};
        const DType other = in == e4m3 ? f16 : in;
        check_scores(in, other, shape, seed);
        if (head_dim == 16) check_softmax(other, seed % 3 == 0 ? e4m3 : other, shape, seed);
        check_values(in, seed % 3 == 0 ? e4m3 : other, shape, seed);
      }
}

TEST(AttentionSteps, MatchTheFormulaAtVisionSizes) {
  const Shape shape{1, 257, 2, 64, false};
  check_scores(f16, f16, shape, 100);
  check_softmax(f16, f16, shape, 101);
  check_values(f16, f16, shape, 102);
  check_values(e4m3, e4m3, shape, 103);
}

}  // namespace
}  // namespace octet::cpu
