#include "passes/extract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "ir/text.h"
#include "ops/list.h"

namespace octet::passes {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Graph model() {
  Graph graph = parse_graph(R"(graph g opset 20
    input %x: f16[batch,2]
    input %z: f16[batch,2]
    const %w: f16[2,2] = {1,2,3,4}
    %a = MatMul(%x, %w) "first"
    %b = Add(%a, %z) "second"
    %c = Mul(%b, %b) "third"
    %d = Add(%a, %a) "other"
    output %c
    output %d
  )",
                            find_op);
  check_types(graph);
  return graph;
}

std::vector<std::string> names(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<std::string> out;
  for (const ValueId id : ids) out.push_back(graph.value(id).name);
  return out;
}

TEST(Extract, CutsTensorsIntoInputsAndKeepsWhatElseIsRead) {
  Extracted part = extract(model(), {"a"}, {"c"});
  EXPECT_THAT(names(part.graph, part.graph.inputs), ElementsAre("z", "a"));
  EXPECT_THAT(part.kept_inputs, ElementsAre("z"));
  EXPECT_THAT(names(part.graph, part.graph.outputs), ElementsAre("c"));
  EXPECT_EQ(part.graph.node_count(), 2u);
  EXPECT_EQ(part.graph.find("w"), kNone);
  EXPECT_EQ(to_string(*part.graph.value(part.graph.find("a")).type), "f16[batch,2]");
  check_types(part.graph);
}

TEST(Extract, IsTheWholeWithoutArguments) {
  Extracted part = extract(model(), {}, {});
  EXPECT_EQ(print(part.graph), print(model()));
}

TEST(Extract, AnInnerTensorBecomesAnOutput) {
  Extracted part = extract(model(), {}, {"b", "a"});
  EXPECT_THAT(names(part.graph, part.graph.outputs), ElementsAre("b", "a"));
  EXPECT_EQ(part.graph.node_count(), 2u);
}

std::string refusal(const std::vector<std::string>& from, const std::vector<std::string>& to) {
  try {
    extract(model(), from, to);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUsage);
    return error.what();
  }
  return "";
}

TEST(Extract, SaysWhatCannotBeCut) {
  EXPECT_THAT(refusal({"nothing"}, {}), HasSubstr("no tensor `nothing`"));
  EXPECT_THAT(refusal({"c"}, {"d"}), HasSubstr("nothing that --to names needs `c`"));
  EXPECT_THAT(refusal({"w"}, {"c"}), HasSubstr("constant"));
}

}  // namespace
}  // namespace octet::passes
