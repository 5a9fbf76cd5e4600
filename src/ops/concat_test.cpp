// Concat, Split, Slice, Pad: parts along axes.
#include "ops/concat.h"

#include "ops/pad.h"
#include "ops/slice.h"
#include "ops/testing.h"

namespace octet {
namespace {

using namespace optest;
using ::testing::ElementsAre;

constexpr DType f16 = DType::f16, i32 = DType::i32;
constexpr int64_t kEnd = INT64_MAX;

const HostTensor& grid() {  // 10 * row + column
  static const HostTensor out = tensor(f16, {3, 4}, {0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23});
  return out;
}

TEST(Concat, along_each_axis) {
  const auto a = tensor(f16, {1, 2}, {1, 2}), b = tensor(f16, {2, 2}, {3, 4, 5, 6}), none = tensor(f16, {0, 2}, {});
  EXPECT_THAT(run(Concat{}, {a, none, b}), Gives(f16, {3, 2}, {1, 2, 3, 4, 5, 6}));
  EXPECT_THAT(run(Concat{.axis = -1}, {a, tensor(f16, {1, 1}, {9})}), Gives(f16, {1, 3}, {1, 2, 9}));
  EXPECT_THAT(run(Concat{}, {a}), Is(a));
}

TEST(ConcatRules, types_and_shapes) {
  EXPECT_EQ(type_of("input %c: f16[batch,1,8] input %p: f16[batch,256,8] %y = Concat(%c, %p) {axis=1} output %y"), "f16[batch,257,8]");
  EXPECT_EQ(type_of("input %a: f16[batch,8] input %b: f16[3*batch,8] %y = Concat(%a, %b) output %y"), "f16[4*batch,8]");
  EXPECT_THAT(broken("input %a: f16[2] input %b: f32[2] %y = Concat(%a, %b) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %a: f16[] %y = Concat(%a, %a) output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %a: f16[2] %y = Concat(%a) {axis=1} output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %a: f16[2,3] input %b: f16[2,4] %y = Concat(%a, %b) output %y"), ElementsAre("S2"));
  EXPECT_THAT(broken("input %a: f16[2,3] input %b: f16[2] %y = Concat(%a, %b) output %y"), ElementsAre("S2"));
  EXPECT_THAT(broken("input %a: e4m3[9223372036854775807] %y = Concat(%a, %a) output %y"), ElementsAre("size"));
  EXPECT_EQ(code_of([] { broken("%y = Concat() output %y"); }), Code::kInvalid);
}

TEST(Split, sizes_and_equal_parts) {
  const auto parts = run_all(Split{.axis = 1}, {grid(), ints({1, 0, 3})});
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_THAT(parts[0], Gives(f16, {3, 1}, {0, 10, 20}));
  EXPECT_THAT(parts[1], Gives(f16, {3, 0}, {}));
  EXPECT_THAT(parts[2], Gives(f16, {3, 3}, {1, 2, 3, 11, 12, 13, 21, 22, 23}));
  const auto uneven = run_all(Split{.num_outputs = 2}, {grid()});
  EXPECT_EQ(uneven[0].dims()[0], 2);
  EXPECT_THAT(uneven[1], Gives(f16, {1, 4}, {20, 21, 22, 23}));
  EXPECT_EQ(run_all(Split{.split = {1, 2}}, {grid()})[1].dims()[0], 2);
  EXPECT_EQ(code_of([] { run(Split{}, {grid()}); }), Code::kUnsupported);
  EXPECT_EQ(code_of([] { run(Split{.num_outputs = INT64_MAX}, {grid()}); }), Code::kUnsupported);
}

TEST(SplitRules, types_and_shapes) {
  const auto graph = check("input %x: f16[batch,2304] %q, %k, %v = Split(%x) {axis=-1, num_outputs=3} output %q output %k output %v");
  EXPECT_EQ(graph.type("k"), "f16[batch,768]");
  const auto rows = check("input %x: f16[6*batch] %a, %b = Split(%x) output %a output %b");
  EXPECT_EQ(rows.type("b"), "f16[3*batch]");
  const auto rules = [](const std::string& node) {
    return broken("input %x: f16[5] const %s: i64[2] = {2,2} const %t: i32[2] = {2,3} const %n: i64[2] = {6,-1} %y, %z = " + node +
                  " output %y");
  };
  EXPECT_THAT(rules("Split(%x, %t)"), ElementsAre("T1"));
  EXPECT_THAT(rules("Split(%x) {axis=1}"), ElementsAre("S1"));
  EXPECT_THAT(rules("Split(%x, %s)"), ElementsAre("S2"));
  EXPECT_THAT(rules("Split(%x, %n)"), ElementsAre("S2"));
  EXPECT_THAT(rules("Split(%x) {split=[5]}"), ElementsAre("S3"));
  EXPECT_THAT(rules("Split(%x) {num_outputs=3}"), ElementsAre("S3"));
  EXPECT_THAT(broken("input %x: f16[1] %a, %b, %c = Split(%x) output %a"), ElementsAre("S2"));
}

TEST(Slice, like_python) {
  const auto slice = [](int64_t start, int64_t end, int64_t axis, int64_t step) {
    return run(Slice{}, {grid(), ints({start}), ints({end}), ints({axis}), ints({step})});
  };
  EXPECT_THAT(slice(1, kEnd, 0, 1), Gives(f16, {2, 4}, {10, 11, 12, 13, 20, 21, 22, 23}));
  EXPECT_THAT(slice(-1, kEnd, -1, 1), Gives(f16, {3, 1}, {3, 13, 23}));
  EXPECT_THAT(slice(0, -1, 1, 2), Gives(f16, {3, 2}, {0, 2, 10, 12, 20, 22}));
  EXPECT_THAT(slice(kEnd, INT64_MIN, 1, -1), Gives(f16, {3, 4}, {3, 2, 1, 0, 13, 12, 11, 10, 23, 22, 21, 20}));
  EXPECT_THAT(slice(-2, 0, 0, -1), Gives(f16, {1, 4}, {10, 11, 12, 13}));
  EXPECT_THAT(slice(2, 1, 0, 1), Gives(f16, {0, 4}, {}));
  EXPECT_THAT(slice(0, kEnd, 0, kEnd), Gives(f16, {1, 4}, {0, 1, 2, 3}));
  EXPECT_THAT(slice(kEnd, INT64_MIN, 0, INT64_MIN), Gives(f16, {1, 4}, {20, 21, 22, 23}));
  EXPECT_THAT(run(Slice{}, {grid(), tensor(i32, {2}, {1, 1}), tensor(i32, {2}, {2, 3})}), Gives(f16, {1, 2}, {11, 12}));
}

TEST(SliceRules, symbolic_sizes) {
  const auto sliced = [](const std::string& start, const std::string& end, const std::string& step = "1") {
    return type_of("input %x: f16[batch,6] const %s: i64[1] = {" + start + "} const %e: i64[1] = {" + end +
                   "} const %a: i64[1] = {0} const %t: i64[1] = {" + step + "} %y = Slice(%x, %s, %e, %a, %t) output %y");
  };
  EXPECT_EQ(sliced("0", "9223372036854775807"), "f16[batch,6]");
  EXPECT_EQ(sliced("-1", "-9223372036854775808", "-1"), "f16[batch,6]");
  EXPECT_TRUE(sliced("1", "9223372036854775807").starts_with("f16[?"));
  const auto graph = check(R"(
    input %x: f16[3*batch,6]  const %zero: i64[1] = {0}  const %three: i64[1] = {3}
    %s = Shape(%x) {end=1}
    %third = Div(%s, %three)
    %y = Slice(%x, %zero, %third, %zero)
    output %y)");
  EXPECT_EQ(graph.type("y"), "f16[batch,6]");
}

TEST(SliceRules, violations) {
  const auto rules = [](const std::string& inputs) {
    return broken(
        "input %x: f16[5,6] const %a: i64[1] = {0} const %two: i64[2] = {0,0} const %far: i64[1] = {2} const %f: f32[1] = {0} "
        "input %i: i64[1] input %n: i64[n] %y = Slice(" +
        inputs + ") output %y");
  };
  EXPECT_THAT(rules("%x, %a, %f"), ElementsAre("T1"));
  EXPECT_THAT(rules("%x, %a, %two"), ElementsAre("S1"));
  EXPECT_THAT(rules("%x, %n, %n"), ElementsAre("S1"));
  EXPECT_THAT(rules("%x, %a, %a, %i"), ElementsAre("S1"));
  EXPECT_THAT(rules("%x, %a, %a, %a, %i"), ElementsAre("S1"));
  EXPECT_THAT(rules("%x, %a, %a, %far"), ElementsAre("S2"));
  EXPECT_THAT(rules("%x, %two, %two, %two"), ElementsAre("S2"));
  EXPECT_THAT(rules("%x, %two, %two, _, %two"), ElementsAre("S3"));
  EXPECT_THAT(rules("%x, %a, %a, %a, %a"), ElementsAre("S3"));
}

TEST(Pad, grows_and_crops) {
  const auto x = tensor(f16, {2, 2}, {1, 2, 3, 4});
  EXPECT_THAT(run(Pad{}, {x, ints({0, 1, 1, 0}), scalar(f16, 9)}), Gives(f16, {3, 3}, {9, 1, 2, 9, 3, 4, 9, 9, 9}));
  EXPECT_THAT(run(Pad{}, {x, ints({-1, 0, 0, 1})}), Gives(f16, {1, 3}, {3, 4, 0}));
  EXPECT_THAT(run(Pad{}, {x, ints({1, -1}), std::nullopt, ints({-1})}), Gives(f16, {2, 2}, {0, 1, 0, 3}));
  EXPECT_THAT(run(Pad{}, {x, ints({-4, 0, 5, 0}), scalar(f16, 7)}), Gives(f16, {3, 2}, {7, 7, 7, 7, 7, 7}));
  EXPECT_THAT(run(Pad{}, {tensor(f16, {0}, {}), ints({1, 1}), scalar(f16, 7)}), Gives(f16, {2}, {7, 7}));
}

TEST(PadRules, types_and_shapes) {
  const auto rules = [](const std::string& node) {
    return broken(
        "input %x: f16[2,batch] const %p: i64[4] = {0,1,0,1} const %short: i64[2] = {0,0} const %f: f32[1] = {0} const %two: f16[2] = "
        "{0,0} "
        "const %crop: i64[4] = {-3,0,0,0} const %huge: i64[4] = {9223372036854775807,0,1,0} const %far: i64[1] = {2} input %i: i64[4] %y "
        "= " +
        node + " output %y");
  };
  EXPECT_TRUE(type_of("input %x: f16[2,batch] const %p: i64[4] = {1,0,1,0} %y = Pad(%x, %p) output %y") == "f16[4,batch]");
  EXPECT_THAT(rules("Pad(%x, %p)"), ElementsAre());
  EXPECT_THAT(rules("Pad(%x, %f)"), ElementsAre("T1", "S1"));
  EXPECT_THAT(rules("Pad(%x, %p, %f)"), ElementsAre("T2"));
  EXPECT_THAT(rules("Pad(%x, %p, %two)"), ElementsAre("T2"));
  EXPECT_THAT(rules("Pad(%x, %p) {mode=\"reflect\"}"), ElementsAre("A1"));
  EXPECT_THAT(rules("Pad(%x, %short)"), ElementsAre("S1"));
  EXPECT_THAT(rules("Pad(%x, %i)"), ElementsAre("S1"));
  EXPECT_THAT(rules("Pad(%x, %short, _, %far)"), ElementsAre("S2"));
  EXPECT_THAT(rules("Pad(%x, %crop)"), ElementsAre("S3"));
  EXPECT_THAT(rules("Pad(%x, %huge)"), ElementsAre("S3"));
}

}  // namespace
}  // namespace octet
