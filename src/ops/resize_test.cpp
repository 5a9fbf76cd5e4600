// Resize, BatchNormalization and Relu: values written out; onnxruntime judges the rest (tests/e2e/other_models.py).
#include "ops/resize.h"

#include "ops/batch_normalization.h"
#include "ops/testing.h"
#include "ops/unary.h"

namespace octet {
namespace {

using namespace optest;
using ::testing::ElementsAre;

constexpr DType f32 = DType::f32, i64 = DType::i64;

HostTensor to_sizes(std::vector<int64_t> sizes) {
  const auto count = static_cast<int64_t>(sizes.size());
  return HostTensor::of<int64_t>(i64, {count}, sizes);
}
HostTensor resized(const Resize& op, const HostTensor& x, std::vector<int64_t> sizes) {
  return run(op, {x, std::nullopt, std::nullopt, to_sizes(std::move(sizes))});
}

TEST(Resize, positions_of_each_mode) {
  const auto x = tensor(f32, {1, 4}, {1, 2, 3, 4});
  EXPECT_THAT(resized({.mode = "linear"}, x, {1, 2}), Gives(f32, {1, 2}, {1.5, 3.5}));
  EXPECT_THAT(resized({.mode = "linear"}, x, {1, 8}), Gives(f32, {1, 8}, {1, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4}));
  EXPECT_THAT(resized({.coordinate_transformation_mode = "asymmetric", .mode = "linear"}, x, {1, 8}),
              Gives(f32, {1, 8}, {1, 1.5, 2, 2.5, 3, 3.5, 4, 4}));
  EXPECT_THAT(resized({.coordinate_transformation_mode = "align_corners", .mode = "linear"}, x, {1, 7}),
              Gives(f32, {1, 7}, {1, 1.5, 2, 2.5, 3, 3.5, 4}));
  EXPECT_THAT(resized({.coordinate_transformation_mode = "pytorch_half_pixel", .mode = "linear"}, x, {1, 1}), Gives(f32, {1, 1}, {1}));
  EXPECT_THAT(resized({.coordinate_transformation_mode = "asymmetric", .nearest_mode = "floor"}, x, {1, 8}),
              Gives(f32, {1, 8}, {1, 1, 2, 2, 3, 3, 4, 4}));
}

TEST(Resize, nearest_modes_differ_halfway) {
  const auto x = tensor(f32, {1, 4}, {1, 2, 3, 4});  // of two outputs, positions 0.5 and 2.5
  for (const auto& [mode, first, second] :
       {std::tuple{"round_prefer_floor", 1, 3}, {"round_prefer_ceil", 2, 4}, {"floor", 1, 3}, {"ceil", 2, 4}})
    EXPECT_THAT(resized({.nearest_mode = mode}, x, {1, 2}), Gives(f32, {1, 2}, {double(first), double(second)})) << mode;
}

// Halfway between taps, Keys' weights with a = -0.75 are -3/32, 19/32, 19/32, -3/32; beyond the border the border counts.
TEST(Resize, cubic_weights) {
  const auto x = tensor(f32, {4}, {32, 64, 0, 96});
  EXPECT_THAT(resized({.mode = "cubic"}, x, {2}),
              Gives(f32, {2}, {(-3.0 * 32 + 19 * 32 + 19 * 64 - 3 * 0) / 32, (-3.0 * 64 + 19 * 0 + 19 * 96 - 3 * 96) / 32}));
}

TEST(Resize, by_scales_the_size_is_rounded_down) {
  const auto x = tensor(f32, {1, 5}, {1, 2, 3, 4, 5}), scales = tensor(f32, {2}, {1, 0.5});
  EXPECT_THAT(run(Resize{.coordinate_transformation_mode = "asymmetric", .nearest_mode = "floor"}, {x, std::nullopt, scales}),
              Gives(f32, {1, 2}, {1, 3}));
}

TEST(Resize, refuses) {
  const std::string head = "input %x: f32[2,3]\nconst %s: i64[2] = {2,6}\nconst %f: f32[2] = {1,2}\nconst %n: f32[2] = {1,-2}\n";
  EXPECT_THAT(broken(head + "%y = Resize(%x, _, _, %s) {mode=\"area\"}\noutput %y"), ElementsAre("A1"));
  EXPECT_THAT(broken(head + "%y = Resize(%x, _, _, %s) {antialias=1}\noutput %y"), ElementsAre("A1"));
  EXPECT_THAT(broken(head + "%y = Resize(%x, _, %f, %s)\noutput %y"), ElementsAre("S1"));
  EXPECT_THAT(broken(head + "%y = Resize(%x)\noutput %y"), ElementsAre("S1"));
  EXPECT_THAT(broken(head + "%y = Resize(%x, _, %n)\noutput %y"), ::testing::Contains("S1"));
}

TEST(BatchNormalization, normalises_each_channel) {
  const auto x = tensor(f32, {1, 2, 2}, {1, 3, 10, 20}), scale = tensor(f32, {2}, {2, 1}), bias = tensor(f32, {2}, {1, 0}),
             mean = tensor(f32, {2}, {2, 10}), variance = tensor(f32, {2}, {0.25, 25});
  EXPECT_THAT(run(BatchNormalization{.epsilon = 0}, {x, scale, bias, mean, variance}), Gives(f32, {1, 2, 2}, {-3, 5, 0, 2}));
  EXPECT_THAT(broken("input %x: f32[2,3]\ninput %c: f32[2]\n%y = BatchNormalization(%x, %c, %c, %c, %c)\noutput %y"),
              ::testing::Contains("S1"));
}

TEST(Relu, keeps_what_is_not_negative) { EXPECT_THAT(run(Relu{}, {tensor(f32, {3}, {-1, 0, 2.5})}), Gives(f32, {3}, {0, 0, 2.5})); }

}  // namespace
}  // namespace octet
