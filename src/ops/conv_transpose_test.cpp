// ConvTranspose against its definition: every x * w scattered to the output it reaches.
#include "ops/conv_transpose.h"

#include "ops/testing.h"

namespace octet {
namespace {

using namespace optest;
using ::testing::Contains;

constexpr DType f32 = DType::f32;

HostTensor counting(std::vector<int64_t> dims, int64_t modulus) {
  HostTensor out(f32, std::move(dims));
  for (int64_t i = 0; i < out.count(); ++i) out.set(i, static_cast<double>(i % modulus - modulus / 2));
  return out;
}

TEST(ConvTranspose, is_the_scattered_product) {
  const ConvTranspose op{.dilations = {1, 2}, .output_padding = {1, 0}, .pads = {1, 0, 2, 1}, .strides = {3, 2}, .group = 2};
  const auto x = counting({2, 4, 3, 2}, 7), w = counting({4, 3, 4, 2}, 5);
  const HostTensor y = run(op, {x, w});
  ASSERT_EQ(y.dims(), (std::vector<int64_t>{2, 6, 3 * 2 + 1 + 4 - 3, 2 * 1 + 3 - 1}));
  HostTensor expected(f32, y.dims());
  for (int64_t i = 0; i < x.count(); ++i)
    for (int64_t n = 0; n < 3; ++n)
      for (int64_t u = 0; u < 4; ++u)
        for (int64_t v = 0; v < 2; ++v) {
          const int64_t q = i % 2, p = i / 2 % 3, c = i / 6 % 4, b = i / 24;
          const int64_t row = p * 3 - 1 + u, column = q * 2 + v * 2, o = c / 2 * 3 + n;
          if (row < 0 || row >= y.dims()[2] || column >= y.dims()[3]) continue;
          const int64_t at = ((b * 6 + o) * y.dims()[2] + row) * y.dims()[3] + column;
          expected.set(at, expected.at(at) + x.at(i) * w.at(((c * 3 + n) * 4 + u) * 2 + v));
        }
  EXPECT_THAT(y, Is(expected));
}

TEST(ConvTranspose, refuses) {
  const std::string head = "input %x: f32[1,2,3,3]\ninput %w: f32[2,1,2,2]\ninput %v: f32[3,1,2,2]\n";
  EXPECT_THAT(broken(head + "%y = ConvTranspose(%x, %v)\noutput %y"), Contains("S2"));
  EXPECT_THAT(broken(head + "%y = ConvTranspose(%x, %w) {pads=[9,9,9,9]}\noutput %y"), Contains("S4"));
  EXPECT_THAT(broken(head + "%y = ConvTranspose(%x, %w) {output_shape=[6,6]}\noutput %y"), Contains("A1"));
  EXPECT_THAT(broken(head + "%y = ConvTranspose(%x, %w) {strides=[0,1]}\noutput %y"), Contains("A1"));
}

}  // namespace
}  // namespace octet
