// Reshape, Flatten, Squeeze, Unsqueeze, Transpose, Shape, Size.
#include "ops/reshape.h"

#include <algorithm>

#include "ops/shape.h"
#include "ops/testing.h"
#include "ops/transpose.h"

namespace octet {
namespace {

using namespace optest;
using ::testing::ElementsAre;

constexpr DType f16 = DType::f16;

std::string reshaped(const std::string& from, const std::string& shape, const std::string& attributes = "allowzero=0") {
  const auto count = std::to_string(std::count(shape.begin(), shape.end(), ',') + 1);
  return type_of("input %x: " + from + " const %s: i64[" + count + "] = {" + shape + "} %y = Reshape(%x, %s) {" + attributes +
                 "} output %y");
}

TEST(Reshape, keeps_the_bytes) {
  const auto x = tensor(f16, {2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(run(Reshape{}, {x, ints({3, -1})}), Gives(f16, {3, 2}, {1, 2, 3, 4, 5, 6}));
  EXPECT_THAT(run(Reshape{}, {x, ints({0, -1, 1})}), Gives(f16, {2, 3, 1}, {1, 2, 3, 4, 5, 6}));
  EXPECT_THAT(run(Reshape{}, {tensor(f16, {1}, {7}), ints({})}), Gives(f16, {}, {7}));
  EXPECT_THAT(run(Reshape{.allowzero = 1}, {tensor(f16, {0, 3}, {}), ints({3, 0})}), Gives(f16, {3, 0}, {}));
  EXPECT_EQ(code_of([&] { run(Reshape{}, {x, ints({4})}); }), Code::kInvalid);
}

TEST(ReshapeRules, symbolic_batches_resolve_exactly) {
  EXPECT_EQ(reshaped("f16[batch,257,1024]", "-1,1024"), "f16[257*batch,1024]");
  EXPECT_EQ(reshaped("f16[batch,257,1024]", "0,257,16,64"), "f16[batch,257,16,64]");
  EXPECT_EQ(reshaped("f16[batch,257,1024]", "-1,257,16,64"), "f16[batch,257,16,64]");
  EXPECT_EQ(reshaped("f16[batch,257,16,64]", "0,0,-1"), "f16[batch,257,1024]");
  EXPECT_EQ(reshaped("f16[257*batch,1024]", "-1,257,1024"), "f16[batch,257,1024]");
  EXPECT_EQ(reshaped("f16[batch,seq,768]", "0,0,12,64"), "f16[batch,seq,12,64]");
  EXPECT_EQ(reshaped("f16[batch,seq,12,64]", "0,-1,768"), "f16[batch,seq,768]");
}

TEST(ReshapeRules, violations) {
  const auto rule = [](const std::string& text) { return text.substr(0, 2); };
  EXPECT_EQ(rule(reshaped("f16[2,3]", "-1,-1")), "S2");
  EXPECT_EQ(rule(reshaped("f16[2,3]", "-2,3")), "S2");
  EXPECT_EQ(rule(reshaped("f16[0,3]", "0,-1", "allowzero=1")), "S2");
  EXPECT_EQ(rule(reshaped("f16[2,3]", "2,3,0")), "S3");
  EXPECT_EQ(rule(reshaped("f16[2,3]", "4,-1")), "S4");
  EXPECT_EQ(rule(reshaped("f16[2,3]", "7")), "S4");
  EXPECT_EQ(rule(reshaped("f16[batch,6]", "0,7")), "S4");
  EXPECT_EQ(rule(reshaped("f16[2,3]", "4611686018427387904,4,-1")), "S4");
  EXPECT_THAT(broken("input %x: f16[2] input %s: i32[1] %y = Reshape(%x, %s) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %x: f16[2] input %s: i64[n] %y = Reshape(%x, %s) output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %x: f16[2] input %s: i64[2,1] %y = Reshape(%x, %s) output %y"), ElementsAre("S1"));
}

TEST(ReshapeRules, a_shape_known_only_at_run_time_has_fresh_symbols) {
  const auto graph = check("input %x: f16[2] input %s: i64[2] %y = Reshape(%x, %s) output %y");
  EXPECT_THAT(graph.rules(), ElementsAre());
  EXPECT_EQ(graph.graph.value(graph.graph.find("y")).type->shape.size(), 2u);
}

TEST(Flatten, around_an_axis) {
  const auto x = tensor(f16, {2, 1, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(run(Flatten{}, {x}).dims(), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(run(Flatten{.axis = 3}, {x}).dims(), (std::vector<int64_t>{6, 1}));
  EXPECT_EQ(run(Flatten{.axis = -3}, {x}).dims(), (std::vector<int64_t>{1, 6}));
  EXPECT_EQ(type_of("input %x: f16[batch,4,8] %y = Flatten(%x) {axis=2} output %y"), "f16[4*batch,8]");
  EXPECT_THAT(broken("input %x: f16[2,2] %y = Flatten(%x) {axis=3} output %y"), ElementsAre("S1"));
}

TEST(Squeeze, named_axes_or_all) {
  const auto x = tensor(f16, {1, 2, 1}, {1, 2});
  EXPECT_EQ(run(Squeeze{}, {x}).dims(), (std::vector<int64_t>{2}));
  EXPECT_EQ(run(Squeeze{}, {x, ints({-1})}).dims(), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(run(Squeeze{.axes = {0}}, {x}).dims(), (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(type_of("input %x: f16[batch,1] const %a: i64[1] = {1} %y = Squeeze(%x, %a) output %y"), "f16[batch]");
  EXPECT_THAT(broken("input %x: f16[1,2] const %a: i32[1] = {0} %y = Squeeze(%x, %a) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %x: f16[1,2] const %a: i64[2] = {0,-2} %y = Squeeze(%x, %a) output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %x: f16[1,2] input %a: i64[1] %y = Squeeze(%x, %a) output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %x: f16[1,batch] %y = Squeeze(%x) output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %x: f16[1,2] const %a: i64[1] = {1} %y = Squeeze(%x, %a) output %y"), ElementsAre("S2"));
}

TEST(Unsqueeze, positions_of_the_result) {
  const auto x = tensor(f16, {2}, {1, 2});
  EXPECT_EQ(run(Unsqueeze{}, {x, ints({0, -1})}).dims(), (std::vector<int64_t>{1, 2, 1}));
  EXPECT_EQ(run(Unsqueeze{.axes = {1}}, {x}).dims(), (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(type_of("input %x: f16[batch] const %a: i64[2] = {2,0} %y = Unsqueeze(%x, %a) output %y"), "f16[1,batch,1]");
  EXPECT_THAT(broken("input %x: f16[2] const %a: i32[1] = {0} %y = Unsqueeze(%x, %a) output %y"), ElementsAre("T1"));
  EXPECT_THAT(broken("input %x: f16[2] const %a: i64[1] = {2} %y = Unsqueeze(%x, %a) output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %x: f16[2] const %a: i64[2] = {0,-3} %y = Unsqueeze(%x, %a) output %y"), ElementsAre("S1"));
}

TEST(Transpose, permutations) {
  const auto x = tensor(f16, {1, 2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(run(Transpose{}, {x}), Gives(f16, {3, 2, 1}, {1, 4, 2, 5, 3, 6}));
  EXPECT_THAT(run(Transpose{.perm = {1, 0, 2}}, {x}), Gives(f16, {2, 1, 3}, {1, 2, 3, 4, 5, 6}));
  EXPECT_THAT(run(Transpose{}, {scalar(f16, 3)}), Gives(f16, {}, {3}));
  EXPECT_THAT(run(Transpose{}, {tensor(f16, {0, 2}, {})}), Gives(f16, {2, 0}, {}));
  EXPECT_EQ(type_of("input %x: f16[batch,77,12,64] %y = Transpose(%x) {perm=[0,2,3,1]} output %y"), "f16[batch,12,64,77]");
  for (const char* perm : {"[0]", "[0,0]", "[0,2]", "[0,1,2]"})
    EXPECT_THAT(broken(std::string("input %x: f16[2,3] %y = Transpose(%x) {perm=") + perm + "} output %y"), ElementsAre("S1")) << perm;
}

TEST(Shape, slices_like_python) {
  const HostTensor x(f16, {2, 3, 4});
  EXPECT_THAT(run(ShapeOp{}, {x}), Is(ints({2, 3, 4})));
  EXPECT_THAT(run(ShapeOp{.start = 1, .end = -1}, {x}), Is(ints({3})));
  EXPECT_THAT(run(ShapeOp{.start = -9, .end = 9}, {x}), Is(ints({2, 3, 4})));
  EXPECT_THAT(run(ShapeOp{.start = 2, .end = 1}, {x}), Is(ints({})));
  EXPECT_THAT(run(SizeOp{}, {x}), Is(ints({}, {24})));
  const auto graph = check("input %x: f16[batch,3,4] %s = Shape(%x) {start=-3, end=2} %n = Size(%x) output %s output %n");
  EXPECT_EQ(graph.elements("s"), "[batch,3]");
  EXPECT_EQ(graph.elements("n"), "[12*batch]");
}

}  // namespace
}  // namespace octet
