// pool picks the right row for every mode and id type; l2normalize against f64, at extremes too.
#include "cpu/kernels/pool/pool.h"

#include "cpu/kernels/kernel_test.h"

namespace octet::cpu {
namespace {
using namespace kernel_test;

template <class Id>
std::vector<uint16_t> pooled(PoolMode mode, int64_t index, const std::vector<Id>& ids) {
  constexpr int64_t kRows = 4, kCols = 3;
  const int64_t batch = static_cast<int64_t>(ids.size()) / kRows;
  std::vector<uint16_t> x(static_cast<size_t>(batch * kRows * kCols)), y(static_cast<size_t>(batch * kCols), 9999);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint16_t>(i / kCols);  // each row holds its number
  pool({x.data(), ids.data(), sizeof(Id) == 4 ? DType::i32 : DType::i64, y.data(), batch, kRows, kCols * 2, kRows, index, mode});
  std::vector<uint16_t> rows;
  for (int64_t b = 0; b < batch; ++b) {
    EXPECT_EQ(y[static_cast<size_t>(b * kCols)], y[static_cast<size_t>(b * kCols + 2)]);
    rows.push_back(static_cast<uint16_t>(y[static_cast<size_t>(b * kCols)] - b * kRows));
  }
  return rows;
}

template <class Id>
void check_modes() {
  const std::vector<Id> ids = {1, 9, 9, 2, 5, 5, 5, 5, -7, -9, -8, -1};
  EXPECT_EQ((std::vector<uint16_t>{2, 2, 2}), pooled(PoolMode::kIndex, 2, ids));
  EXPECT_EQ((std::vector<uint16_t>{1, 0, 3}), pooled(PoolMode::kArgMax, 0, ids));
  EXPECT_EQ((std::vector<uint16_t>{1, 0, 0}), pooled(PoolMode::kFirstEqual, 9, ids));
  EXPECT_EQ((std::vector<uint16_t>{0, 0, 1}), pooled(PoolMode::kFirstEqual, -9, ids));
  EXPECT_EQ((std::vector<uint16_t>{0, 0, 0}), pooled(PoolMode::kFirstEqual, (int64_t{1} << 32) + 9, ids));  // does not wrap
}

TEST(Pool, PicksTheRow) {
  check_modes<int32_t>();
  check_modes<int64_t>();
}

TEST(L2Normalize, MatchesF64) {
  for (DType dtype : {DType::f16, DType::bf16, DType::f32})
    for (int64_t cols : {1, 2, 255, 256, 257, 768})
      for (float deviation : {1e-3f, 1.0f, 100.0f}) {
        const Guarded x(dtype, normal_values(3 * cols, deviation, 5));
        Guarded y(dtype, 3 * cols);
        l2normalize(dtype, x.data(), y.data(), 3, cols, 1e-12f);
        EXPECT_TRUE(y.guards_intact());
        const std::vector<float> in = x.values(), got = y.values();
        for (int64_t r = 0; r < 3; ++r) {
          double sum = 0;
          for (int64_t c = 0; c < cols; ++c)
            sum += static_cast<double>(in[static_cast<size_t>(r * cols + c)]) * in[static_cast<size_t>(r * cols + c)];
          for (int64_t c = 0; c < cols; ++c) {
            const auto i = static_cast<size_t>(r * cols + c);
            const double exact = in[i] / std::sqrt(sum);
            ASSERT_TRUE(rounds_from(dtype, got[i], exact, std::abs(exact) * 0x1p-24)) << name_of(dtype) << " " << cols;
          }
        }
      }
}

TEST(L2Normalize, ZerosHugeValuesAndNaN) {
  const std::vector<float> x = {0, 0, 3e38f, 1e38f, NAN, 1, 1e-30f, 0};
  std::vector<float> y(x.size());
  l2normalize(DType::f32, x.data(), y.data(), 4, 2, 1e-12f);
  EXPECT_EQ(0, y[0]);
  EXPECT_NEAR(1.0, std::hypot(y[2], y[3]), 1e-6);
  EXPECT_TRUE(std::isnan(y[4]) && std::isnan(y[5]));
  EXPECT_NEAR(1e-18, y[6], 1e-24);  // divided by epsilon
}

}  // namespace
}  // namespace octet::cpu
