// make_batch_dynamic on small graphs: the rows of a bigger batch are those of batch-1 runs, or the model is refused.
#include "passes/dynamic_batch.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "interp/interp.h"
#include "ir/text.h"
#include "ops/list.h"

namespace octet::passes {
namespace {

Graph graph_of(const std::string& body) { return parse_graph("graph test opset 20\n" + body, find_op); }

HostTensor numbers(std::vector<int64_t> dims, float first) {
  HostTensor tensor(DType::f32, std::move(dims));
  for (int64_t i = 0; i < tensor.count(); ++i) tensor.set(i, first + static_cast<float>((i * 7) % 11));
  return tensor;
}

// Output 0 for `batch` items [2, 3] each, at once or one by one.
std::vector<float> run(const Graph& graph, int64_t batch, bool at_once) {
  const HostTensor all = numbers({batch, 2, 3}, -4);
  if (at_once) return to_f32(interpret(graph, std::vector{all})[0]);
  std::vector<float> rows;
  for (int64_t i = 0; i < batch; ++i) {
    HostTensor item(DType::f32, {1, 2, 3});
    for (int64_t j = 0; j < 6; ++j) item.set(j, all.at(i * 6 + j));
    for (const float value : to_f32(interpret(graph, std::vector{item})[0])) rows.push_back(value);
  }
  return rows;
}

void expect_rows(const std::string& body) {
  const Graph baked = graph_of(body);
  Graph graph = graph_of(body);
  EXPECT_FALSE(make_batch_dynamic(graph).empty());
  EXPECT_EQ(to_string(graph.value(graph.inputs[0]).type->shape[0]), "batch");
  for (const int64_t batch : {1, 3, 5}) EXPECT_EQ(run(graph, batch, true), run(baked, batch, false)) << body;
  EXPECT_TRUE(make_batch_dynamic(graph).empty());  // it is dynamic now
}

TEST(DynamicBatch, FollowsReshapesThatMoveTheBatch) {
  expect_rows(R"(
    input %x: f32[1,2,3]
    const %flat: i64[2] = {1,6}
    const %split: i64[4] = {1,3,2,1}
    const %last: i64[3] = {2,3,1}
    %a = Reshape(%x, %flat)
    %b = Reshape(%a, %split)
    %t = Transpose(%b) {perm=[2,1,0,3]}
    %m = Reshape(%t, %last)
    %y = Transpose(%m) {perm=[2,0,1]}
    output %y
  )");
}

// As ModelOpt leaves a patch embedding: a shape put together from constants, with -1 for the rest.
TEST(DynamicBatch, EvaluatesShapesComputedFromConstants) {
  expect_rows(R"(
    input %x: f32[1,2,3]
    const %front: i64[2] = {1, 3}
    const %rest: i64[1] = {-1}
    %shape = Concat(%front, %rest) {axis=0}
    %y = Reshape(%x, %shape)
    output %y
  )");
}

TEST(DynamicBatch, RepeatsAClassToken) {
  expect_rows(R"(
    input %x: f32[1,2,3]
    const %token: f32[1,1,3] = {1,2,3}
    %y = Concat(%token, %x) {axis=1}
    output %y
  )");
}

TEST(DynamicBatch, ComputesTheRowsOfAGatherOverFlattenedItems) {
  expect_rows(R"(
    input %x: f32[1,2,3]
    const %offsets: i64[1] = {0}
    const %shape: i64[2] = {2,3}
    const %axis: i64[1] = {2}
    %s = ReduceSum(%x, %axis) {keepdims=0}
    %row = ArgMax(%s) {axis=1, keepdims=0}
    %i = Add(%row, %offsets)
    %flat = Reshape(%x, %shape)
    %y = Gather(%flat, %i)
    output %y
  )");
}

TEST(DynamicBatch, ComputesTheRowsOfAGatherND) {
  expect_rows(R"(
    input %x: f32[1,2,3]
    const %rows: i64[1,1] = {0}
    const %axis: i64[1] = {2}
    const %one: i64[1] = {1}
    %s = ReduceSum(%x, %axis) {keepdims=0}
    %row = ArgMax(%s) {axis=1, keepdims=0}
    %column = Unsqueeze(%row, %one)
    %i = Concat(%rows, %column) {axis=1}
    %y = GatherND(%x, %i)
    output %y
  )");
}

TEST(DynamicBatch, RefusesWhatPicksOrMixesItems) {
  for (const std::string body : {
           "const %i: i64[] = {0}\n %y = Gather(%x, %i)\n",
           "const %a: i64[1] = {0}\n %y = ReduceSum(%x, %a) {keepdims=1}\n",
           "const %b: f32[1,2,3] = {1,2,3,4,5,6}\n %y = Concat(%x, %b) {axis=0}\n",
       }) {
    Graph graph = graph_of("input %x: f32[1,2,3]\n" + body + "output %y\n");
    EXPECT_THROW(make_batch_dynamic(graph), Error) << body;
  }
}

}  // namespace
}  // namespace octet::passes
