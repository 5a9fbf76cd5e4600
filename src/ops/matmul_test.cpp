// MatMul and Gemm.
#include "ops/matmul.h"

#include "ops/testing.h"

namespace octet {
namespace {

using namespace optest;
using ::testing::ElementsAre;

constexpr DType f16 = DType::f16, f32 = DType::f32, i32 = DType::i32, i64 = DType::i64, f64 = DType::f64;

TEST(MatMul, matrices_vectors_and_batches) {
  const auto a = tensor(f32, {2, 3}, {1, 2, 3, 4, 5, 6}), b = tensor(f32, {3, 2}, {1, 0, 0, 1, 2, 2}), v = tensor(f32, {3}, {1, 1, 2});
  EXPECT_THAT(run(MatMul{}, {a, b}), Gives(f32, {2, 2}, {7, 8, 16, 17}));
  EXPECT_THAT(run(MatMul{}, {a, v}), Gives(f32, {2}, {9, 21}));
  EXPECT_THAT(run(MatMul{}, {v, b}), Gives(f32, {2}, {5, 5}));
  EXPECT_THAT(run(MatMul{}, {v, v}), Gives(f32, {}, {6}));
  const auto batch = tensor(f32, {2, 1, 1, 2}, {1, 2, 3, 4}), other = tensor(f32, {3, 2, 1}, {1, 0, 0, 1, 1, 1});
  EXPECT_THAT(run(MatMul{}, {batch, other}), Gives(f32, {2, 3, 1, 1}, {1, 2, 3, 3, 4, 7}));
}

TEST(MatMul, accumulates_exactly_and_rounds_once) {
  // 2048 + 1 + 1: rounding after every step would stay at 2048.
  EXPECT_THAT(run(MatMul{}, {tensor(f16, {3}, {2048, 1, 1}), tensor(f16, {3}, {1, 1, 1})}), Gives(f16, {}, {2050}));
  // 2^24 + 1 - 2^24 in f32 would lose the 1.
  EXPECT_THAT(run(MatMul{}, {tensor(f32, {3}, {0x1p24, 1, -0x1p24}), tensor(f32, {3}, {1, 1, 1})}), Gives(f32, {}, {1}));
}

TEST(MatMul, sizes_around_the_blocks) {
  for (const int64_t m : {7, 8, 9, 17})
    for (const int64_t n : {255, 256, 257}) {
      HostTensor a(f32, {m, 3}), b(f32, {3, n});
      for (int64_t i = 0; i < a.count(); ++i) a.set(i, static_cast<double>(i % 11));
      for (int64_t i = 0; i < b.count(); ++i) b.set(i, static_cast<double>(i % 13));
      const HostTensor y = run(MatMul{}, {a, b});
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j)
          ASSERT_EQ(y.at(i * n + j), a.at(i * 3) * b.at(j) + a.at(i * 3 + 1) * b.at(n + j) + a.at(i * 3 + 2) * b.at(2 * n + j))
              << m << "x" << n;
    }
}

TEST(MatMul, integers_f64_and_empty) {
  EXPECT_THAT(run(MatMul{}, {ints({INT64_MAX, 1}), ints({1, 1})}), Is(ints({}, {INT64_MIN})));
  EXPECT_THAT(run(MatMul{}, {tensor(i32, {1}, {65536}), tensor(i32, {1}, {65536})}), Gives(i32, {}, {0}));
  EXPECT_THAT(run(MatMul{}, {tensor(f64, {1}, {1.0 / 3}), tensor(f64, {1}, {3})}), Gives(f64, {}, {1}));
  EXPECT_THAT(run(MatMul{}, {tensor(f32, {2, 0}, {}), tensor(f32, {0, 1}, {})}), Gives(f32, {2, 1}, {0, 0}));
  EXPECT_THAT(run(MatMul{}, {tensor(f32, {0, 2, 2}, {}), tensor(f32, {2, 1}, {1, 1})}), Gives(f32, {0, 2, 1}, {}));
}

TEST(MatMulRules, types_and_shapes) {
  EXPECT_EQ(type_of("input %a: f16[batch,12,77,64] input %b: f16[batch,12,64,77] %y = MatMul(%a, %b) output %y"), "f16[batch,12,77,77]");
  EXPECT_EQ(type_of("input %a: f16[batch,768] input %b: f16[768] %y = MatMul(%a, %b) output %y"), "f16[batch]");
  EXPECT_THAT(broken("input %a: f16[2,2] input %b: f32[2,2] %y = MatMul(%a, %b) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %a: e4m3[2,2] %y = MatMul(%a, %a) output %y"), ElementsAre("T2"));
  EXPECT_THAT(broken("input %a: f16[] input %b: f16[2,2] %y = MatMul(%a, %b) output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %a: f16[2,1] input %b: f16[2,2] %y = MatMul(%a, %b) output %y"), ElementsAre("S2"));
  EXPECT_THAT(broken("input %a: f16[2,2*b] input %b: f16[3,2] %y = MatMul(%a, %b) output %y"), ElementsAre("S2"));
  EXPECT_THAT(broken("input %a: f16[2,1,1] input %b: f16[3,1,1] %y = MatMul(%a, %b) output %y"), ElementsAre("S3"));
  EXPECT_THAT(broken("input %a: f16[1099511627776,1] input %b: f16[1,1099511627776] %y = MatMul(%a, %b) output %y"), ElementsAre("size"));
}

TEST(Gemm, transposes_scales_and_adds) {
  const auto a = tensor(f32, {2, 3}, {1, 2, 3, 4, 5, 6}), b = tensor(f32, {3, 2}, {1, 0, 0, 1, 2, 2});
  const auto a_t = tensor(f32, {3, 2}, {1, 4, 2, 5, 3, 6}), b_t = tensor(f32, {2, 3}, {1, 0, 2, 0, 1, 2});
  const auto plain = Gives(f32, {2, 2}, {7, 8, 16, 17});
  EXPECT_THAT(run(Gemm{}, {a, b}), plain);
  EXPECT_THAT(run(Gemm{.transA = 1}, {a_t, b}), plain);
  EXPECT_THAT(run(Gemm{.transB = 1}, {a, b_t}), plain);
  EXPECT_THAT(run(Gemm{.transA = 1, .transB = 1}, {a_t, b_t}), plain);
  EXPECT_THAT(run(Gemm{.alpha = 2, .beta = 0.5}, {a, b, tensor(f32, {2, 1}, {2, 4})}), Gives(f32, {2, 2}, {15, 17, 34, 36}));
  EXPECT_THAT(run(Gemm{}, {a, b, tensor(f32, {2}, {10, 20})}), Gives(f32, {2, 2}, {17, 28, 26, 37}));
  EXPECT_THAT(run(Gemm{}, {a, b, scalar(f32, -7)}), Gives(f32, {2, 2}, {0, 1, 9, 10}));
}

TEST(GemmRules, types_and_shapes) {
  EXPECT_EQ(type_of("input %a: f16[batch,8] input %w: f16[4,8] input %c: f16[4] %y = Gemm(%a, %w, %c) {transB=1} output %y"),
            "f16[batch,4]");
  EXPECT_THAT(broken("input %a: f16[2,2] input %c: f32[2] %y = Gemm(%a, %a, %c) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %a: i32[2,2] %y = Gemm(%a, %a) output %y"), ElementsAre("T2"));
  EXPECT_THAT(broken("input %a: f16[2,2,2] %y = Gemm(%a, %a) output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %a: f16[2,3] %y = Gemm(%a, %a) output %y"), ElementsAre("S2"));
  EXPECT_THAT(broken("input %a: f16[2,2] input %c: f16[3,1] %y = Gemm(%a, %a, %c) output %y"), ElementsAre("S3"));
  EXPECT_THAT(broken("input %a: f16[1,1] input %c: f16[2] %y = Gemm(%a, %a, %c) output %y"), ElementsAre("S3"));
}

}  // namespace
}  // namespace octet
