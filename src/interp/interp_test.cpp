// The interpreter and constant evaluation.
#include "interp/interp.h"

#include <algorithm>

#include "interp/fold.h"
#include "ops/testing.h"

namespace octet {
namespace {

using namespace optest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr DType f16 = DType::f16, f32 = DType::f32;

Graph parse(const std::string& body, int opset = 20) {
  return parse_graph("graph t opset " + std::to_string(opset) + "\n" + body, find_op);
}

std::string error_of(const Graph& graph, const std::vector<HostTensor>& inputs) {
  try {
    interpret(graph, inputs);
  } catch (const Error& error) {
    return error.render();
  }
  return "no error";
}

TEST(Interpret, a_small_mlp) {
  const Graph graph = parse(R"(
    input %x: f16[batch,2]
    const %w: f16[2,2] = {1,2,3,4}  const %b: f16[2] = {10,-10}
    %h = MatMul(%x, %w)
    %s = Add(%h, %b)
    %y = Max(%s, %h)
    output %y output %h)");
  const auto out = interpret(graph, std::vector{tensor(f16, {2, 2}, {1, 0, 0, 1})});
  ASSERT_EQ(out.size(), 2u);
  EXPECT_THAT(out[0], Gives(f16, {2, 2}, {11, 2, 13, 4}));
  EXPECT_THAT(out[1], Gives(f16, {2, 2}, {1, 2, 3, 4}));
}

TEST(Interpret, the_opset_reaches_the_references) {
  const std::string body = "input %x: f16[] input %s: f16[] %y = QuantizeLinear(%x, %s) {output_dtype=17} output %y";
  const std::vector in{scalar(f16, 1.1884765625), scalar(f16, 0.0625 * (1 + 0x1p-10))};
  EXPECT_EQ(interpret(parse(body, 21), in)[0].at(0), 18);
  EXPECT_EQ(interpret(parse(body, 23), in)[0].at(0), 20);
}

TEST(Interpret, every_value_is_reported_in_order) {
  const Graph graph = parse("input %x: f32[2] %a = Neg(%x) %b, %c = Split(%a) %y = Add(%b, %c) %dead = Exp(%y) output %y");
  std::string names;
  InterpOptions options;
  options.on_value = [&](ValueId id, const HostTensor& value) { names += fmt::format("{}={} ", graph.value(id).name, value.at(0)); };
  interpret(graph, std::vector{tensor(f32, {2}, {0, 4})}, options);
  EXPECT_THAT(names, HasSubstr("a=-0 b=-0 c=-4 y=-4 dead="));
}

TEST(Interpret, inputs_and_constants_may_be_outputs) {
  const Graph graph = parse("input %x: f32[n] const %c: f32[1] = {7} output %x output %c output %x");
  const auto out = interpret(graph, std::vector{tensor(f32, {2}, {1, 2})});
  EXPECT_THAT(out, ElementsAre(Gives(f32, {2}, {1, 2}), Gives(f32, {1}, {7}), Gives(f32, {2}, {1, 2})));
}

TEST(Interpret, wrong_inputs_are_named) {
  const Graph graph = parse("input %ids: i64[batch,2] input %mask: f32[batch,2*n] %y = Identity(%mask) output %y");
  const auto ids = ints({1, 2}, {1, 2});
  EXPECT_THAT(error_of(graph, {ids}), HasSubstr("2 inputs"));
  EXPECT_EQ(error_of(graph, {ids, tensor(f32, {1, 2}, {1, 2})}), "no error");
  EXPECT_THAT(error_of(graph, {tensor(f32, {1, 2}, {1, 2}), ids}), HasSubstr("input `ids` is f32[1,2], and the graph takes i64[batch,2]"));
  EXPECT_THAT(error_of(graph, {ids, tensor(f32, {2, 2}, {1, 2, 3, 4})}), HasSubstr("`mask`"));  // two batches
  EXPECT_THAT(error_of(graph, {ids, tensor(f32, {1, 1}, {1})}), HasSubstr("`mask`"));           // 2*n is even
  EXPECT_THAT(error_of(graph, {ints({1, 3}, {1, 2, 3}), tensor(f32, {1, 2}, {1, 2})}), HasSubstr("`ids`"));
}

TEST(Interpret, errors_name_the_node) {
  const Graph graph = parse("input %x: f32[2] input %i: i64[1] %y = Gather(%x, %i) \"look\" output %y");
  const std::string text = error_of(graph, {tensor(f32, {2}, {1, 2}), ints({5})});
  EXPECT_THAT(text, HasSubstr("the index 5"));
  EXPECT_THAT(text, HasSubstr("while running node 0 `look` (Gather)"));
}

// Identity shares its input's bytes, so the owner's use count is the number of live tensors.
TEST(Interpret, tensors_are_freed_after_their_last_use) {
  std::string body = "input %v0: f32[1]\n";
  for (int i = 0; i < 64; ++i) body += fmt::format("%v{} = Identity(%v{})\n", i + 1, i);
  const Graph graph = parse(body + "output %v64");
  auto owner = std::make_shared<float>(1.0f);
  const std::weak_ptr<float> watch = owner;
  const auto bytes = std::as_bytes(std::span(owner.get(), 1));
  const std::vector<HostTensor> in{HostTensor(f32, {1}, bytes, std::move(owner))};
  int64_t most = 0;
  InterpOptions options;
  options.on_value = [&](ValueId, const HostTensor&) { most = std::max<int64_t>(most, watch.use_count()); };
  interpret(graph, in, options);
  EXPECT_LE(most, 3);  // the caller's, and the running node's input and output
}

TEST(Fold, only_constants) {
  const Graph graph = parse(
      "input %x: f16[2] const %c: f16[2] = {1,2} %a = Neg(%c) %b = Add(%x, %c) %p, %q = Split(%c) output %a output %b output %p output %q");
  const auto folded = evaluate_constant(graph, graph.node(0));
  ASSERT_TRUE(folded);
  EXPECT_THAT(*folded, ElementsAre(Gives(f16, {2}, {-1, -2})));
  EXPECT_EQ(evaluate_constant(graph, graph.node(1)), std::nullopt);
  EXPECT_EQ(evaluate_constant(graph, graph.node(2))->size(), 2u);
}

TEST(Fold, large_outputs_and_much_work_are_left) {
  const Graph large = parse(
      "const %s: i64[2] = {16777217,1} const %ok: i64[1] = {16} %a = ConstantOfShape(%s) %b = ConstantOfShape(%ok) output %a output %b");
  EXPECT_FALSE(evaluate_constant(large, large.node(0)));
  EXPECT_TRUE(evaluate_constant(large, large.node(1)));
  Graph busy;
  const ValueId m = busy.add_constant("m", HostTensor(f16, {1024, 1024}));
  busy.mark_output(busy.add(Op(*find_op("MatMul", ""), make_attributes("MatMul", "")), {m, m}));
  EXPECT_FALSE(evaluate_constant(busy, busy.node(0)));
}

TEST(Fold, violations_and_failures_are_errors) {
  const Graph graph = parse("const %c: i64[1] = {1} const %z: i64[1] = {0} %y = Div(%c, %z) \"d\" output %y");
  EXPECT_EQ(code_of([&] { evaluate_constant(graph, graph.node(0)); }), Code::kInvalid);
}

}  // namespace
}  // namespace octet
