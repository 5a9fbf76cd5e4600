// The type checker: what rules are given, what is reported, what is thrown.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/test_ops.h"
#include "ir/text.h"

namespace octet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Graph parse(std::string_view text) { return parse_graph(text, toy::find); }

std::vector<std::string> producers(const TypeViolation& violation) {
  std::vector<std::string> out;
  for (const auto& operand : violation.operands) out.push_back(to_string(operand));
  return out;
}

TEST(Infer, types_flow_and_violations_name_producers) {
  Graph graph = parse(R"(graph g opset 20
    input %x: f32[n,2]
    const %w: f32[2] = {1,2}
    const %i: i64[1] = {3}
    %a = Source() {dims=[4]} "S"
    %b = Plus(%a, %w, _, %i) "P"
    %c = Plus(%b, %x)
    %d = Plus(%x, %x)
    output %c
    output %d)");
  const auto found = infer_types(graph);
  ASSERT_EQ(found.size(), 6u);
  EXPECT_EQ(found[0].node, "node 1 `P`");
  EXPECT_EQ(found[0].op, "Plus");
  EXPECT_EQ(found[0].rule, "T1");
  EXPECT_EQ(found[0].what, "the element types differ: `w`");
  EXPECT_EQ(found[0].fix, "insert a Cast");
  EXPECT_THAT(producers(found[0]), ElementsAre("`a` f16 <- node 0 `S` (Source)", "`w` f32 <- constant"));
  EXPECT_EQ(found[4].node, "node 2");
  EXPECT_THAT(producers(found[4]), ElementsAre("`b` f16 <- node 1 `P` (Plus)", "`x` f32 <- graph input"));
  // A failing node's result still has the type its rule gave.
  EXPECT_EQ(to_string(*graph.value(graph.find("c")).type), "f16[4]");
  EXPECT_EQ(to_string(*graph.value(graph.find("d")).type), "f32[n,2]");
}

TEST(Infer, check_lists_every_violation) {
  Graph graph = parse("graph g opset 20 input %x: f32[2] input %h: f16[3] %y = Plus(%x, %h) \"N\" output %y");
  try {
    check_types(graph);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalid);
    EXPECT_EQ(error.message(),
              "graph `g` has 2 type errors:\n"
              "  node 0 `N` (Plus), T1: the element types differ: `h`\n"
              "    `x` f32 <- graph input\n    `h` f16 <- graph input\n    fix: insert a Cast\n"
              "  node 0 `N` (Plus), S1: the shapes differ\n"
              "    `x` f32 <- graph input\n    `h` f16 <- graph input");
  }
  Graph good = parse("graph g opset 20 input %x: f32[2] %y = Plus(%x, %x) output %y");
  EXPECT_NO_THROW(check_types(good));
}

TEST(Infer, shape_values_come_from_rules_and_small_constants) {
  Graph graph = parse(R"(graph g opset 20
    input %x: f32[n,2]
    const %c: i64[3] = {4,-1,6}
    const %s: i32[] = {7}
    const %f: f32[1] = {7}
    const %m: i64[1,1] = {7}
    %shape = ShapeOf(%x)
    %a = Fill(%shape)
    %b = Fill(%c)
    %d = Fill(%s)
    %e = Fill(%f)
    %g = Fill(%m)
    output %a output %b output %d output %e output %g)");
  EXPECT_EQ(infer_types(graph).size(), 2u);  // %e: not an integer; %g: not a scalar or vector
  const auto type = [&](const char* name) { return to_string(*graph.value(graph.find(name)).type); };
  EXPECT_EQ(type("a"), "f32[n,2]");
  EXPECT_EQ(type("b"), "f32[4,-1,6]");
  EXPECT_EQ(type("d"), "f32[7]");
  EXPECT_EQ(graph.value(graph.find("shape")).shape_value, (Shape{Dim(1, "n"), 2}));
  for (const int64_t count : {64, 65}) {
    Graph sized;
    const ValueId c = sized.add_constant("c", HostTensor(DType::i64, {count}));
    sized.mark_output(sized.add(make_op(toy::Fill{}), {c}));
    EXPECT_EQ(infer_types(sized).empty(), count == 64);
  }
}

TEST(Infer, is_repeatable_and_forgets) {
  Graph graph = parse(R"(graph g opset 20
    input %x: f16[?n3]
    %a: f64[1,2,3] = Source() {dims=[0,5]}
    %b = Source() {dims=[0]}
    %c = Plus(%b, %x)
    output %a output %c)");
  for (int run = 0; run < 2; ++run) {
    EXPECT_EQ(infer_types(graph).size(), 1u);  // ?n3 is taken by the input and not equal to a fresh dimension
    EXPECT_EQ(to_string(*graph.value(graph.find("a")).type), "f16[?n4,5]");
    EXPECT_EQ(to_string(*graph.value(graph.find("b")).type), "f16[?n5]");
  }
  graph.erase(0);
  EXPECT_THROW(infer_types(graph), Error);  // output %a: its old type is gone
}

TEST(Infer, folded_values_keep_their_bytes_type) {
  Graph graph = parse("graph g opset 20 input %x: f32[2] %y = Plus(%x, %x) %z = Plus(%y, %y) output %z");
  graph.value(graph.find("y")).constant = HostTensor(DType::f64, {9});
  EXPECT_TRUE(infer_types(graph).empty());
  EXPECT_EQ(to_string(*graph.value(graph.find("z")).type), "f64[9]");
}

std::string error_of(Graph& graph) {
  try {
    infer_types(graph);
  } catch (const Error& error) {
    return error.render();
  }
  return "no error";
}

TEST(Infer, errors_name_the_node) {
  Graph throws = parse("graph g opset 20 %a = Source() %y = Source() {dims=[-1]} \"S\" output %y");
  EXPECT_EQ(error_of(throws), "a Source of -1\n  while checking node 1 `S` (Source)");
  Graph missing = parse("graph g opset 20 input %x: f32[2] %y = Plus(_, %x) \"P\" output %y");
  EXPECT_THAT(error_of(missing), HasSubstr("required"));
  EXPECT_THAT(error_of(missing), HasSubstr("while checking node 0 `P` (Plus)"));
  Graph many = parse("graph g opset 20 input %x: f32[2] %y, %z = Plus(%x) output %y");
  EXPECT_THAT(error_of(many), HasSubstr("it names 2 outputs, and Plus gives 1"));
  Graph early;
  const ValueId late = early.add_value("late");
  early.add(make_op(toy::Plus{}), {late}, "y", "P");
  EXPECT_THAT(error_of(early), HasSubstr("it reads `late`, which no earlier node, input or constant gives"));
  Graph loose;
  loose.mark_output(loose.add_value("nothing"));
  EXPECT_THAT(error_of(loose), HasSubstr("graph output `nothing`"));
}

}  // namespace
}  // namespace octet
