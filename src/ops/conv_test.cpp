// Conv, against sums written out and against its own definition by a second formulation (scatter instead of gather).
#include "ops/conv.h"

#include <array>

#include "ops/testing.h"

namespace octet {
namespace {

using namespace optest;
using ::testing::ElementsAre;

constexpr DType f16 = DType::f16, f32 = DType::f32;

HostTensor counting(std::vector<int64_t> dims, int64_t modulus) {
  HostTensor out(f32, std::move(dims));
  for (int64_t i = 0; i < out.count(); ++i) out.set(i, static_cast<double>(i % modulus - modulus / 2));
  return out;
}

// Every product x * w added to the output it reaches; all values are small integers, so sums are exact.
HostTensor scatter(const HostTensor& x, const HostTensor& w, int64_t group, std::array<int64_t, 2> stride, std::array<int64_t, 2> dilation,
                   std::array<int64_t, 2> before, const HostTensor& like) {
  HostTensor y(f32, like.dims());
  const auto &d = x.dims(), &k = w.dims(), &o = y.dims();
  for (int64_t b = 0; b < d[0]; ++b)
    for (int64_t c = 0; c < d[1]; ++c)
      for (int64_t i = 0; i < d[2]; ++i)
        for (int64_t j = 0; j < d[3]; ++j)
          for (int64_t u = 0; u < k[2]; ++u)
            for (int64_t v = 0; v < k[3]; ++v) {
              const int64_t row = i + before[0] - u * dilation[0], column = j + before[1] - v * dilation[1];
              if (row < 0 || column < 0 || row % stride[0] != 0 || column % stride[1] != 0) continue;
              if (row / stride[0] >= o[2] || column / stride[1] >= o[3]) continue;
              const int64_t in_group = d[1] / group, out_group = k[0] / group;
              for (int64_t n = 0; n < out_group; ++n) {
                const int64_t out = c / in_group * out_group + n;
                const int64_t at = ((b * o[1] + out) * o[2] + row / stride[0]) * o[3] + column / stride[1];
                y.set(at, y.at(at) +
                              x.at(((b * d[1] + c) * d[2] + i) * d[3] + j) * w.at(((out * in_group + c % in_group) * k[2] + u) * k[3] + v));
              }
            }
  return y;
}

TEST(Conv, patches) {
  const auto x = tensor(f16, {1, 1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}), w = tensor(f16, {1, 1, 2, 2}, {1, 10, 100, 1000});
  EXPECT_THAT(run(Conv{.strides = {2, 2}}, {x, w}), Gives(f16, {1, 1, 1, 2}, {1 + 20 + 500 + 6000, 3 + 40 + 700 + 8000}));
  EXPECT_THAT(run(Conv{.strides = {2, 2}}, {x, w, tensor(f16, {1}, {-21})}), Gives(f16, {1, 1, 1, 2}, {6500, 8722}));
}

TEST(Conv, groups_strides_dilations_and_pads) {
  const auto x = counting({2, 4, 7, 6}, 7), w = counting({6, 2, 3, 2}, 5);
  const HostTensor y = run(Conv{.dilations = {2, 1}, .pads = {1, 2, 0, 1}, .strides = {1, 3}, .group = 2}, {x, w});
  EXPECT_EQ(y.dims(), (std::vector<int64_t>{2, 6, 4, 3}));
  EXPECT_THAT(y, Is(scatter(x, w, 2, {1, 3}, {2, 1}, {1, 2}, y)));
}

TEST(Conv, automatic_pads) {
  const auto x = counting({1, 1, 5, 4}, 7), w = counting({1, 1, 2, 3}, 5);
  const auto upper = run(Conv{.auto_pad = "SAME_UPPER", .strides = {1, 2}}, {x, w}),
             lower = run(Conv{.auto_pad = "SAME_LOWER", .strides = {1, 2}}, {x, w});
  EXPECT_EQ(upper.dims(), (std::vector<int64_t>{1, 1, 5, 2}));
  EXPECT_THAT(upper, Is(scatter(x, w, 1, {1, 2}, {1, 1}, {0, 0}, upper)));  // one row below, one column right
  EXPECT_THAT(lower, Is(scatter(x, w, 1, {1, 2}, {1, 1}, {1, 1}, lower)));
  EXPECT_EQ(run(Conv{.auto_pad = "VALID"}, {x, w}).dims(), (std::vector<int64_t>{1, 1, 4, 2}));
}

TEST(Conv, empty_batch) {
  EXPECT_THAT(run(Conv{}, {tensor(f32, {0, 1, 2, 2}, {}), counting({3, 1, 1, 1}, 5)}), Gives(f32, {0, 3, 2, 2}, {}));
}

TEST(ConvRules, shapes) {
  const std::string w = "input %w: f16[8,3,14,14] ";
  EXPECT_EQ(type_of("input %x: f16[batch,3,224,224] " + w + "%y = Conv(%x, %w) {strides=[14,14]} output %y"), "f16[batch,8,16,16]");
  EXPECT_EQ(type_of("input %x: f16[batch,3,h,w] input %w: f16[8,3,3,3] %y = Conv(%x, %w) {pads=[1,1,1,1]} output %y"), "f16[batch,8,h,w]");
  EXPECT_EQ(type_of("input %x: f16[batch,3,h,w] input %w: f16[8,3,4,4] %y = Conv(%x, %w) {auto_pad=\"SAME_UPPER\"} output %y"),
            "f16[batch,8,h,w]");
}

TEST(ConvRules, violations) {
  const auto rules = [](const std::string& x, const std::string& w, const std::string& attributes) {
    return broken("input %x: " + x + " input %w: " + w + " %y = Conv(%x, %w) {" + attributes + "} output %y");
  };
  const std::string x = "f16[1,4,8,8]", w = "f16[4,2,3,3]";
  EXPECT_THAT(rules(x, w, "group=2"), ElementsAre());
  EXPECT_THAT(rules(x, "f32[4,2,3,3]", "group=2"), ElementsAre("T1"));
  EXPECT_THAT(rules("f64[1,2,8,8]", "f64[4,2,3,3]", "group=1"), ElementsAre("T2"));
  EXPECT_THAT(rules("f16[1,4,8]", "f16[4,4,3]", "group=1"), ElementsAre("S1"));
  EXPECT_THAT(rules(x, w, "group=1"), ElementsAre("S2"));
  EXPECT_THAT(rules(x, "f16[3,2,3,3]", "group=2"), ElementsAre("S2"));
  EXPECT_THAT(rules(x, "f16[4,2,9,3]", "group=2"), ElementsAre("S4"));
  EXPECT_THAT(rules(x, "f16[4,2,0,3]", "group=2"), ElementsAre("A1"));
  for (const char* bad : {"strides=[0,1]", "strides=[1]", "dilations=[0,1]", "dilations=[1,9223372036854775807]", "pads=[1,1]",
                          "pads=[-1,0,0,0]", "auto_pad=\"NONE\"", "kernel_shape=[3,2]"})
    EXPECT_THAT(rules(x, w, std::string("group=2, ") + bad), ElementsAre("A1")) << bad;
  EXPECT_THAT(rules(x, w, "group=0"), ElementsAre("A1"));
  EXPECT_THAT(rules(x, w, "group=-1"), ElementsAre("A1"));
  EXPECT_THAT(broken("input %x: f16[1,4,8,8] input %w: f16[4,4,3,3] input %b: f16[3] %y = Conv(%x, %w, %b) output %y"), ElementsAre("S3"));
}

}  // namespace
}  // namespace octet
