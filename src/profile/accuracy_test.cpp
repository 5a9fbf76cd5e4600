#include "profile/accuracy.h"

#include <gmock/gmock.h>

#include <cmath>

namespace octet::profile {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();
double of(Loss kind, std::vector<float> actual, std::vector<float> reference, Tolerance tolerance = {}) {
  return loss(kind, actual, reference, tolerance);
}

TEST(Accuracy, ByHand) {
  EXPECT_DOUBLE_EQ(of(Loss::kMeanAbs, {1, 2, 5}, {1, 4, 1}), 2);
  EXPECT_DOUBLE_EQ(of(Loss::kMeanSquare, {1, 2, 5}, {1, 4, 1}), 20.0 / 3);
  EXPECT_DOUBLE_EQ(of(Loss::kMaxAbs, {1, 2, 5}, {1, 4, 1}), 4);
  EXPECT_DOUBLE_EQ(of(Loss::kCosine, {1, 0}, {1, 1}), 1 - std::sqrt(0.5));
  EXPECT_DOUBLE_EQ(of(Loss::kCosine, {1, 2}, {-1, -2}), 2);
  // 0.5 + 0.1 * |reference|: differences 0, 0.75 of 0.7, 0.6 of 0.6 (not outside)
  EXPECT_NEAR(of(Loss::kOutside, {1, 2.75, 1.625}, {1, 2, 1}, {0.525, 0.1}), 1.0 / 3, 1e-12);
}

TEST(Accuracy, EqualTensorsLoseNothing) {
  for (const auto* name : {"l0", "l1", "l2", "lInf", "cos"})
    for (const std::vector<float>& values : {std::vector<float>{0, 0}, {3, -4}, {1, kNan}, {kInf, 2}})
      EXPECT_NEAR(loss(*loss_of(name), values, values), 0, 1e-15) << name;
}

TEST(Accuracy, WhatIsNotFiniteIsNoSmallError) {
  for (const float bad : {kInf, kNan, -kInf})
    for (const auto kind : {Loss::kMeanAbs, Loss::kMeanSquare, Loss::kMaxAbs, Loss::kCosine}) {
      EXPECT_EQ(of(kind, {1, bad}, {1, 2}), kInf);
      EXPECT_EQ(of(kind, {1, 2}, {1, bad}), kInf);
    }
  EXPECT_DOUBLE_EQ(of(Loss::kOutside, {1, kNan}, {1, 2}), 0.5);
  EXPECT_EQ(of(Loss::kMaxAbs, {kInf}, {-kInf}), kInf);
}

TEST(Accuracy, ZeroAgainstNotZero) { EXPECT_DOUBLE_EQ(of(Loss::kCosine, {0, 0}, {1, 0}), 1); }

TEST(Accuracy, Names) {
  EXPECT_EQ(loss_of("lInf"), Loss::kMaxAbs);
  EXPECT_FALSE(loss_of("linf").has_value());
}

}  // namespace
}  // namespace octet::profile
