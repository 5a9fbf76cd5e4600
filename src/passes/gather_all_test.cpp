// gather-all: gathers by ranges that take everything in order, as vmap writes them, and near-matches that do not.
#include <gtest/gtest.h>

#include "interp/interp.h"
#include "ops/gather.h"
#include "passes/testing.h"

namespace octet::passes {
namespace {

using testing::graph_of;
int run(Graph& graph) { return testing::run(gather_all, graph); }

// Runs the pass and checks that the result for a batch of 3 stays.
void expect(int rewrites, const std::string& body) {
  Graph graph = graph_of(body);
  const Graph before = graph_of(body);
  EXPECT_EQ(run(graph), rewrites) << body;
  HostTensor x(DType::f32, {3, 4});
  for (int64_t i = 0; i < x.count(); ++i) x.set(i, static_cast<double>(i));
  const HostTensor one[] = {x};
  const auto a = interpret(before, one)[0], b = interpret(graph, one)[0];
  EXPECT_EQ(a.dims(), b.dims());
  EXPECT_EQ(to_f32(a), to_f32(b));
}

// x, its batch as a scalar, and positions 0 to 3 along the last of four axes.
const std::string kHead = R"(
  input %x: f32[batch,4]
  const %zero: i64[] = {0}
  const %one: i64[] = {1}
  const %four: i64[] = {4}
  const %t: i64[1,1,1,4] = {0,1,2,3}
  const %axes: i64[3] = {1,2,3}
  const %last: i64[1] = {-1}
  %dims = Shape(%x)
  %batch = Gather(%dims, %zero)
  %range = Range(%zero, %batch, %one)
  %b = Unsqueeze(%range, %axes)
)";

std::string by_pair(const std::string& rows, const std::string& columns) {
  return kHead + "%both = Max(" + rows + ", " + columns + ") %wide = Shape(%both) %eb = Expand(" + rows + ", %wide) %et = Expand(" +
         columns +
         ", %wide) %ub = Unsqueeze(%eb, %last) %ut = Unsqueeze(%et, %last) %i = Concat(%ub, %ut) {axis=-1} %y = GatherND(%x, %i) output %y";
}
std::string by_number(const std::string& index) {
  return kHead + "%flat = Reshape(%x, %last) " + index + " %y = Gather(%flat, %i) output %y";
}

TEST(GatherAll, ByPairsOfRangesAndByTheirNumber) {
  expect(1, by_pair("%b", "%t"));
  expect(1, by_number("%row = Mul(%b, %four) %i = Add(%row, %t)"));
  expect(1, by_number("%row = Mul(%four, %b) %i = Add(%t, %row)"));
}

TEST(GatherAll, LeavesOtherIndices) {
  const std::string more =
      "const %back: i64[1,1,1,4] = {3,2,1,0} const %some: i64[1,1,1,3] = {0,1,2} const %next: i64[1,1,1,4] = {0,1,2,2} ";
  expect(0, by_number(more + "%row = Mul(%b, %four) %i = Add(%row, %back)"));
  expect(0, by_number(more + "%row = Mul(%b, %four) %i = Add(%row, %some)"));
  expect(0, by_number(more + "%row = Mul(%b, %four) %i = Add(%row, %next)"));
  expect(0, by_number("%i = Add(%b, %t)"));  // rows overlap
  expect(0, by_number(
                "const %huge: i64[] = {9223372036854775807} %row = Mul(%b, %huge) %zero_row = Mul(%row, %zero) %i = Add(%zero_row, %t)"));
  expect(0, by_number("%i = Mul(%b, %four)"));  // the first of each item
}

}  // namespace
}  // namespace octet::passes
