// Attention: by formula in both layouts, masks, groups of heads, the cap; what its rules refuse.
#include "ops/attention.h"

#include <cmath>

#include "ops/testing.h"

namespace octet {
namespace {

using namespace optest;
using ::testing::ElementsAre;

constexpr DType f16 = DType::f16, f32 = DType::f32, f64 = DType::f64;

HostTensor booleans(std::vector<int64_t> dims, const std::vector<int64_t>& values) {
  HostTensor out(DType::boolean, std::move(dims));
  for (int64_t i = 0; i < out.count(); ++i) out.set_int(i, values[static_cast<size_t>(i)]);
  return out;
}

// One head, two queries of size 1, three keys, values of size 1.
const HostTensor kQ = tensor(f64, {1, 1, 2, 1}, {1, 2}), kK = tensor(f64, {1, 1, 3, 1}, {0, 1, -1}),
                 kV = tensor(f64, {1, 1, 3, 1}, {1, 10, 100});

// The weighted mean of kV with weights exp(score).
double mean(const std::vector<double>& scores) {
  const double values[] = {1, 10, 100};
  double sum = 0, total = 0;
  for (size_t i = 0; i < scores.size(); ++i) sum += std::exp(scores[i]) * values[i], total += std::exp(scores[i]);
  return sum / total;
}
void expect_rows(const HostTensor& y, const std::vector<double>& rows) {
  ASSERT_EQ(y.count(), static_cast<int64_t>(rows.size()));
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_NEAR(y.at(static_cast<int64_t>(i)), rows[i], 1e-12) << i;
}

TEST(Attention, by_formula) {
  expect_rows(run(Attention{}, {kQ, kK, kV}), {mean({0, 1, -1}), mean({0, 2, -2})});
  expect_rows(run(Attention{.scale = 0.5f}, {kQ, kK, kV}), {mean({0, 0.5, -0.5}), mean({0, 1, -1})});
  expect_rows(run(Attention{.softcap = 2}, {kQ, kK, kV}),
              {mean({0, 2 * std::tanh(0.5), -2 * std::tanh(0.5)}), mean({0, 2 * std::tanh(1), -2 * std::tanh(1)})});
}

TEST(Attention, the_default_scale_is_of_the_head_size) {
  const auto q = tensor(f64, {1, 1, 1, 4}, {2, 0, 0, 0}), k = tensor(f64, {1, 1, 3, 4}, {0, 0, 0, 0, 1, 0, 0, 0, -1, 0, 0, 0});
  expect_rows(run(Attention{}, {q, k, kV}), {mean({0, 1, -1})});
}

TEST(Attention, masks) {
  expect_rows(run(Attention{.is_causal = 1}, {kQ, kK, kV}), {1, mean({0, 2})});
  expect_rows(run(Attention{}, {kQ, kK, kV, booleans({3}, {1, 0, 0})}), {1, 1});
  expect_rows(run(Attention{}, {kQ, kK, kV, booleans({2, 3}, {0, 0, 1, 0, 1, 0})}), {100, 10});
  expect_rows(run(Attention{}, {kQ, kK, kV, tensor(f64, {1, 1, 2, 1}, {5, -5})}), {mean({0, 1, -1}), mean({0, 2, -2})});
  expect_rows(run(Attention{}, {kQ, kK, kV, tensor(f64, {1, 3}, {0, 3, 0})}), {mean({0, 4, -1}), mean({0, 5, -2})});
  expect_rows(run(Attention{}, {kQ, kK, kV, tensor(f64, {2, 2}, {0, 0, 0, 0})}),
              {mean({0, 1}), mean({0, 2})});                                                  // keys beyond it are hidden
  expect_rows(run(Attention{}, {kQ, kK, kV, booleans({2, 3}, {0, 0, 0, 1, 0, 0})}), {0, 1});  // a row hidden whole
}

TEST(Attention, flat_heads_and_groups) {
  // Two query heads in one row share the key head; the second scores twice as high.
  const auto q = tensor(f64, {1, 1, 2}, {1, 2}), k = tensor(f64, {1, 3, 1}, {0, 1, -1}), v = tensor(f64, {1, 3, 1}, {1, 10, 100});
  const auto y = run(Attention{.kv_num_heads = 1, .q_num_heads = 2}, {q, k, v});
  EXPECT_THAT(y.dims(), ElementsAre(1, 1, 2));
  expect_rows(y, {mean({0, 1, -1}), mean({0, 2, -2})});
  const auto wide =
      run(Attention{.kv_num_heads = 2, .q_num_heads = 2}, {q, tensor(f64, {1, 1, 2}, {0, 0}), tensor(f64, {1, 1, 4}, {1, 2, 3, 4})});
  EXPECT_THAT(wide, Gives(f64, {1, 1, 4}, {1, 2, 3, 4}));
}

TEST(Attention, rounds_once_and_takes_empty_batches) {
  EXPECT_EQ(run(Attention{}, {tensor(f16, {0, 2, 3, 4}, {}), tensor(f16, {0, 2, 3, 4}, {}), tensor(f16, {0, 2, 3, 4}, {})}).count(), 0);
  const auto y =
      run(Attention{}, {tensor(f16, {1, 1, 1, 1}, {1}), tensor(f16, {1, 1, 2, 1}, {1, 1}), tensor(f16, {1, 1, 2, 1}, {1, 1.0009765625})});
  EXPECT_THAT(y, Gives(f16, {1, 1, 1, 1}, {1}));  // the mean lies between two f16: to even
}

std::string graph(const std::string& q, const std::string& kv, const std::string& more, const std::string& mask = "") {
  return "input %q: " + q + " input %k: " + kv + " input %v: " + kv + (mask.empty() ? "" : " input %m: " + mask) +
         " %y = Attention(%q, %k, %v" + (mask.empty() ? "" : ", %m") + ") " + more + " output %y";
}

TEST(Attention, more_scores_than_fit_are_refused) {
  const auto x = HostTensor(DType::f16, {1, 1, 1 << 15, 1});
  EXPECT_EQ(code_of([&] { run(Attention{}, {x, x, x}); }), Code::kUnsupported);
}

TEST(AttentionRules, types_and_shapes) {
  EXPECT_EQ(type_of(graph("f16[batch,4,7,8]", "f16[batch,4,9,8]", "", "bool[batch,1,7,9]"), 23), "f16[batch,4,7,8]");
  EXPECT_EQ(type_of(graph("f16[batch,7,32]", "f16[batch,9,16]", "{q_num_heads=4, kv_num_heads=2}"), 23), "f16[batch,7,32]");
  EXPECT_THAT(broken(graph("f16[2,4,7,8]", "f32[2,4,7,8]", ""), 23), ElementsAre("T1", "T1"));
  EXPECT_THAT(broken(graph("i64[2,4,7,8]", "i64[2,4,7,8]", ""), 23), ElementsAre("T2"));
  EXPECT_THAT(broken(graph("f16[2,4,7,8]", "f16[2,4,7,8]", "", "f32[7,7]"), 23), ElementsAre("T3"));
  EXPECT_THAT(broken(graph("f16[2,4,7,8]", "f16[2,4,7,8]", "{is_causal=2, softcap=-1, softmax_precision=7}"), 23),
              ElementsAre("A1", "A1", "A1"));
  EXPECT_THAT(broken(graph("f16[2,7,30]", "f16[2,7,30]", "{q_num_heads=4, kv_num_heads=4}"), 23), ElementsAre("S1"));
  EXPECT_THAT(broken(graph("f16[2,7,30]", "f16[2,7,30]", ""), 23), ElementsAre("S1"));
  EXPECT_THAT(broken(graph("f16[2,7]", "f16[2,7]", "{q_num_heads=1, kv_num_heads=1}"), 23), ElementsAre("S1"));
  EXPECT_THAT(broken(graph("f16[2,4,7,8]", "f16[2,3,7,8]", ""), 23), ElementsAre("S2"));
  EXPECT_THAT(broken(graph("f16[2,4,7,8]", "f16[3,4,7,8]", ""), 23), ElementsAre("S2"));
  EXPECT_THAT(broken(graph("f16[2,4,7,8]", "f16[2,4,7,8]", "", "f16[5,7]"), 23), ElementsAre("S3"));
  EXPECT_THAT(broken(graph("f16[2,4,7,8]", "f16[2,4,7,8]", "", "f16[1,1,1,1,7]"), 23), ElementsAre("S3"));
}

TEST(AttentionRules, a_cache_is_not_supported) {
  const std::string body = "input %q: f16[2,4,7,8] %y = Attention(%q, %q, %q, _, %q, %q) output %y";
  EXPECT_EQ(code_of([&] { broken(body, 23); }), Code::kUnsupported);
  EXPECT_EQ(code_of([] { broken("input %q: f16[2,4,7,8] %y, %p = Attention(%q, %q, %q) output %y", 23); }), Code::kUnsupported);
}

}  // namespace
}  // namespace octet
