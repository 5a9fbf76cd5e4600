// Gather, GatherND, GatherElements.
#include "ops/gather.h"

#include "ops/testing.h"

namespace octet {
namespace {

using namespace optest;
using ::testing::ElementsAre;

constexpr DType f16 = DType::f16, i32 = DType::i32;

const HostTensor& table() {
  static const HostTensor out = tensor(f16, {3, 2}, {0, 1, 10, 11, 20, 21});
  return out;
}

TEST(Gather, rows_columns_and_scalars) {
  EXPECT_THAT(run(Gather{}, {table(), ints({2, -3, 2})}), Gives(f16, {3, 2}, {20, 21, 0, 1, 20, 21}));
  EXPECT_THAT(run(Gather{.axis = -1}, {table(), ints({1, 2}, {1, 0})}), Gives(f16, {3, 1, 2}, {1, 0, 11, 10, 21, 20}));
  EXPECT_THAT(run(Gather{}, {table(), tensor(i32, {}, {1})}), Gives(f16, {2}, {10, 11}));
  EXPECT_THAT(run(Gather{}, {table(), ints({0, 2}, {})}), Gives(f16, {0, 2, 2}, {}));
  EXPECT_EQ(code_of([] { run(Gather{}, {table(), ints({3})}); }), Code::kInvalid);
  EXPECT_EQ(code_of([] { run(Gather{}, {tensor(f16, {0, 2}, {}), ints({0})}); }), Code::kInvalid);
}

TEST(GatherRules, types_and_shapes) {
  EXPECT_EQ(type_of("input %t: f16[49408,768] input %i: i64[batch,77] %y = Gather(%t, %i) output %y"), "f16[batch,77,768]");
  EXPECT_THAT(broken("input %t: f16[3,2] input %i: f32[2] %y = Gather(%t, %i) output %y"), ElementsAre("T1"));
  const auto codes = check("input %t: e4m3[3,2] input %i: i64[2] %y = Gather(%t, %i) output %y");
  EXPECT_THAT(codes.rules(), ElementsAre("T2"));
  EXPECT_EQ(codes.violations[0].fix, "insert DequantizeLinear after `t`");
  EXPECT_THAT(broken("input %t: f16[3,2] input %i: i32[2] %y = Gather(%t, %i) {axis=2} output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %t: f16[] input %i: i32[2] %y = Gather(%t, %i) output %y"), ElementsAre("S1"));
  EXPECT_THAT(broken("input %t: f16[3,2] const %i: i32[2] = {0,-4} %y = Gather(%t, %i) output %y"), ElementsAre("S2"));
}

TEST(GatherRules, picks_known_elements) {
  const auto graph = check(R"(
    input %x: f16[batch,77,768]  const %last: i64[] = {-1}  const %both: i64[2] = {2,0}
    %s = Shape(%x)
    %a = Gather(%s, %last)
    %b = Gather(%s, %both)
    output %a output %b)");
  EXPECT_EQ(graph.elements("a"), "[768]");
  EXPECT_EQ(graph.type("a"), "i64[]");
  EXPECT_EQ(graph.elements("b"), "[768,batch]");
}

TEST(GatherND, tuples_and_batches) {
  EXPECT_THAT(run(GatherND{}, {table(), ints({2, 2}, {2, 1, 0, -1})}), Gives(f16, {2}, {21, 1}));
  EXPECT_THAT(run(GatherND{}, {table(), ints({2, 1}, {2, 0})}), Gives(f16, {2, 2}, {20, 21, 0, 1}));
  // One row of each sentence: the pooling of a CLIP text tower.
  const auto hidden = tensor(f16, {2, 2, 2}, {0, 1, 10, 11, 100, 101, 110, 111});
  EXPECT_THAT(run(GatherND{.batch_dims = 1}, {hidden, ints({2, 1}, {1, 0})}), Gives(f16, {2, 2}, {10, 11, 100, 101}));
  EXPECT_EQ(code_of([] { run(GatherND{}, {table(), ints({1, 1}, {3})}); }), Code::kInvalid);
}

TEST(GatherNDRules, types_and_shapes) {
  EXPECT_EQ(type_of("input %x: f16[batch,77,768] input %i: i64[batch,1] %y = GatherND(%x, %i) {batch_dims=1} output %y"), "f16[batch,768]");
  const auto rules = [](const std::string& i, const std::string& batch_dims) {
    return broken("input %x: f16[4,3,2] input %i: " + i + " %y = GatherND(%x, %i) {batch_dims=" + batch_dims + "} output %y");
  };
  EXPECT_THAT(rules("i32[4,1]", "1"), ElementsAre("T1"));
  EXPECT_THAT(rules("i64[4,1]", "2"), ElementsAre("S1"));
  EXPECT_THAT(rules("i64[4,1]", "-1"), ElementsAre("S1"));
  EXPECT_THAT(rules("i64[5,1]", "1"), ElementsAre("S1"));
  EXPECT_THAT(rules("i64[4,3]", "1"), ElementsAre("S2"));
  EXPECT_THAT(rules("i64[4,0]", "1"), ElementsAre("S2"));
  EXPECT_THAT(rules("i64[4,n]", "1"), ElementsAre("S2"));
  EXPECT_THAT(broken("input %x: f16[4,3] const %i: i64[1,2] = {0,3} %y = GatherND(%x, %i) output %y"), ElementsAre("S3"));
}

TEST(GatherElements, along_each_axis) {
  EXPECT_THAT(run(GatherElements{}, {table(), ints({1, 2}, {2, -3})}), Gives(f16, {1, 2}, {20, 1}));
  EXPECT_THAT(run(GatherElements{.axis = 1}, {table(), ints({2, 3}, {1, 0, 1, 0, 0, -1})}), Gives(f16, {2, 3}, {1, 0, 1, 10, 10, 11}));
  EXPECT_EQ(code_of([] { run(GatherElements{}, {table(), ints({1, 1}, {-4})}); }), Code::kInvalid);
}

TEST(GatherElementsRules, types_and_shapes) {
  const auto rules = [](const std::string& i, const std::string& axis) {
    return broken("input %x: f16[3,2] input %i: " + i + " %y = GatherElements(%x, %i) {axis=" + axis + "} output %y");
  };
  EXPECT_THAT(rules("i64[9,2]", "0"), ElementsAre());
  EXPECT_THAT(rules("f16[3,2]", "0"), ElementsAre("T1"));
  EXPECT_THAT(rules("i64[3,2]", "2"), ElementsAre("S1"));
  EXPECT_THAT(rules("i64[3]", "0"), ElementsAre("S2"));
  EXPECT_THAT(rules("i64[3,3]", "0"), ElementsAre("S2"));
  EXPECT_THAT(broken("input %x: f16[3] const %i: i64[1] = {3} %y = GatherElements(%x, %i) output %y"), ElementsAre("S3"));
}

}  // namespace
}  // namespace octet
