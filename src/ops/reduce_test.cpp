// Reductions, ArgMax, Trilu, CumSum.
#include "ops/reduce.h"

#include "ops/testing.h"
#include "ops/trilu.h"

namespace octet {
namespace {

using namespace optest;
using ::testing::ElementsAre;

constexpr DType f16 = DType::f16, f32 = DType::f32, i32 = DType::i32, i64 = DType::i64;

const HostTensor& x() {
  static const HostTensor out = tensor(f32, {2, 3}, {1, 2, 3, 4, -5, 6});
  return out;
}

TEST(Reduce, every_kind) {
  EXPECT_THAT(run(ReduceMean{}, {x(), ints({1})}), Gives(f32, {2, 1}, {2, 5.0 / 3}));
  EXPECT_THAT(run(ReduceSum{.keepdims = 0}, {x(), ints({0})}), Gives(f32, {3}, {5, -3, 9}));
  EXPECT_THAT(run(ReduceMax{}, {x(), ints({-1})}), Gives(f32, {2, 1}, {3, 6}));
  EXPECT_THAT(run(ReduceMin{.keepdims = 0}, {x()}), Gives(f32, {}, {-5}));
  EXPECT_THAT(run(ReduceProd{.axes = {0, 1}}, {x()}), Gives(f32, {1, 1}, {-720}));
  EXPECT_THAT(run(ReduceL2{}, {tensor(f16, {1, 2}, {3, -4}), ints({1})}), Gives(f16, {1, 1}, {5}));
  EXPECT_THAT(run(ReduceMax{}, {tensor(f32, {2}, {kNan, 1})}), Gives(f32, {1}, {kNan}));
}

TEST(Reduce, no_axes_and_empty_tensors) {
  EXPECT_THAT(run(ReduceSum{.noop_with_empty_axes = 1}, {x(), ints({})}), Is(x()));
  EXPECT_THAT(run(ReduceSum{.keepdims = 0}, {x(), ints({})}), Gives(f32, {}, {11}));
  EXPECT_THAT(run(ReduceSum{}, {tensor(f32, {2, 0}, {}), ints({1})}), Gives(f32, {2, 1}, {0, 0}));
  EXPECT_THAT(run(ReduceMean{}, {tensor(f32, {0, 2}, {}), ints({1})}), Gives(f32, {0, 1}, {}));
  EXPECT_EQ(code_of([] { run(ReduceMax{}, {tensor(f32, {2, 0}, {}), ints({1})}); }), Code::kInvalid);
}

TEST(Reduce, integers) {
  EXPECT_THAT(run(ReduceSum{}, {ints({INT64_MAX, 1})}), Is(ints({INT64_MIN})));
  EXPECT_THAT(run(ReduceMean{}, {ints({-3, -4})}), Is(ints({-3})));
  EXPECT_THAT(run(ReduceMax{}, {tensor(DType::u8, {2}, {7, 200})}), Gives(DType::u8, {1}, {200}));
  EXPECT_THAT(run(ReduceL2{}, {tensor(i32, {2}, {3, 4})}), Gives(i32, {1}, {5}));
}

TEST(ReduceRules, types_and_shapes) {
  EXPECT_EQ(type_of("input %x: f16[batch,77,8] const %a: i64[1] = {1} %y = ReduceMean(%x, %a) {keepdims=0} output %y"), "f16[batch,8]");
  EXPECT_EQ(type_of("input %x: f16[batch,8] %y = ReduceMean(%x) {axes=[-1]} output %y", 17), "f16[batch,1]");
  EXPECT_THAT(broken("input %x: u8[2] %y = ReduceSum(%x) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %x: bool[2] %y = ReduceMax(%x) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %x: f16[2] const %a: i32[1] = {0} %y = ReduceSum(%x, %a) output %y"), ElementsAre("T2"));
  EXPECT_THAT(broken("input %x: f16[2] const %a: i64[1] = {1} %y = ReduceSum(%x, %a) output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %x: f16[2,2] const %a: i64[2] = {1,-1} %y = ReduceSum(%x, %a) output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %x: f16[2] input %a: i64[1] %y = ReduceSum(%x, %a) output %y"), ElementsAre("S1"));
  EXPECT_EQ(check("input %x: f16[batch,77,8] %s = Shape(%x) %y = ReduceProd(%s) output %y").elements("y"), "[616*batch]");
}

TEST(ArgMax, ties_and_nan) {
  const auto t = tensor(f16, {2, 3}, {3, 7, 7, kNan, 1, 0});
  EXPECT_THAT(run(ArgMax{.axis = 1}, {t}), Is(ints({2, 1}, {1, 0})));
  EXPECT_THAT(run(ArgMax{.axis = -1, .keepdims = 0, .select_last_index = 1}, {t}), Is(ints({2, 0})));
  EXPECT_THAT(run(ArgMax{.keepdims = 0}, {tensor(i32, {2, 2}, {1, 9, 5, 2})}), Is(ints({1, 0})));
  EXPECT_THAT(run(ArgMax{}, {ints({INT64_MAX - 1, INT64_MAX})}), Is(ints({1})));
  EXPECT_THAT(run(ArgMax{.axis = 1}, {tensor(f16, {0, 2}, {})}), Is(ints({0, 1}, {})));
  EXPECT_EQ(type_of("input %x: i32[batch,77] %y = ArgMax(%x) {axis=1, keepdims=0} output %y"), "i64[batch]");
  EXPECT_THAT(broken("input %x: bool[2] %y = ArgMax(%x) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %x: f16[2] %y = ArgMax(%x) {axis=1} output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %x: f16[2,0] %y = ArgMax(%x) {axis=1} output %y"), ElementsAre("S2"));
}

TEST(Trilu, triangles) {
  const auto ones = tensor(f16, {2, 3}, {1, 1, 1, 1, 1, 1});
  EXPECT_THAT(run(Trilu{}, {ones}), Gives(f16, {2, 3}, {1, 1, 1, 0, 1, 1}));
  EXPECT_THAT(run(Trilu{}, {ones, ints({}, {1})}), Gives(f16, {2, 3}, {0, 1, 1, 0, 0, 1}));
  EXPECT_THAT(run(Trilu{.upper = 0}, {ones, ints({}, {-1})}), Gives(f16, {2, 3}, {0, 0, 0, 1, 0, 0}));
  EXPECT_THAT(run(Trilu{}, {ones, ints({}, {INT64_MIN})}), Is(ones));
  EXPECT_THAT(run(Trilu{}, {ones, ints({}, {INT64_MAX})}), Gives(f16, {2, 3}, {0, 0, 0, 0, 0, 0}));
  EXPECT_THAT(run(Trilu{.upper = 0}, {tensor(f16, {0, 2, 2}, {})}), Gives(f16, {0, 2, 2}, {}));
  EXPECT_THAT(broken("input %x: f16[2,2] const %k: i32[] = {0} %y = Trilu(%x, %k) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %x: f16[2] %y = Trilu(%x) output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %x: f16[2,2] const %k: i64[2] = {0,0} %y = Trilu(%x, %k) output %y"), ElementsAre("S2"));
}

TEST(CumSum, directions) {
  const auto t = tensor(f32, {2, 2}, {1, 2, 3, 4});
  const auto zero = ints({}, {0}), last = tensor(i32, {1}, {-1});
  EXPECT_THAT(run(CumSum{}, {t, zero}), Gives(f32, {2, 2}, {1, 2, 4, 6}));
  EXPECT_THAT(run(CumSum{.exclusive = 1}, {t, last}), Gives(f32, {2, 2}, {0, 1, 0, 3}));
  EXPECT_THAT(run(CumSum{.reverse = 1}, {t, last}), Gives(f32, {2, 2}, {3, 2, 7, 4}));
  EXPECT_THAT(run(CumSum{.exclusive = 1, .reverse = 1}, {ints({1, 2, 4}), zero}), Is(ints({6, 4, 0})));
  EXPECT_THAT(run(CumSum{}, {ints({INT64_MAX, 1}), zero}), Is(ints({INT64_MAX, INT64_MIN})));
  // The running sum is kept in f64: 2048 + 1 + 1 reaches 2050 in f16.
  EXPECT_THAT(run(CumSum{}, {tensor(f16, {3}, {2048, 1, 1}), zero}), Gives(f16, {3}, {2048, 2048, 2050}));
  EXPECT_THAT(broken("input %x: u8[2] const %a: i64[] = {0} %y = CumSum(%x, %a) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %x: f16[2] const %a: f32[] = {0} %y = CumSum(%x, %a) output %y"), ElementsAre("T2"));
  EXPECT_THAT(broken("input %x: f16[2] const %a: i64[2] = {0,0} %y = CumSum(%x, %a) output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %x: f16[2] const %a: i64[] = {1} %y = CumSum(%x, %a) output %y"), ElementsAre("S1"));
  EXPECT_EQ(code_of([&] { run(CumSum{}, {t, ints({}, {2})}); }), Code::kInvalid);
}

}  // namespace
}  // namespace octet
