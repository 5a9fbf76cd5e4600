// Shape subgraphs as exporters write them: a symbolic batch must come out exactly.
#include "ops/testing.h"

namespace octet {
namespace {

using namespace optest;
using ::testing::ElementsAre;

// x.view(b, 257, 16, 64).transpose(1, 2), the sizes read off x one by one.
TEST(ShapeGraph, heads_are_split_and_merged) {
  const auto graph = check(R"(
    input %x: f16[batch,257,1024]
    const %i0: i64[] = {0}  const %i1: i64[] = {1}  const %a0: i64[1] = {0}
    const %heads: i64[1] = {16}  const %size: i64[1] = {64}  const %width: i64[1] = {1024}
    %s0 = Shape(%x)  %b0 = Gather(%s0, %i0)  %b = Unsqueeze(%b0, %a0)
    %s1 = Shape(%x)  %t0 = Gather(%s1, %i1)  %t = Unsqueeze(%t0, %a0)
    %split = Concat(%b, %t, %heads, %size)
    %four = Reshape(%x, %split)
    %q = Transpose(%four) {perm=[0,2,1,3]}
    %back = Transpose(%q) {perm=[0,2,1,3]}
    %merge = Concat(%b, %t, %width)
    %y = Reshape(%back, %merge)
    output %y)");
  EXPECT_THAT(graph.rules(), ElementsAre());
  EXPECT_EQ(graph.elements("split"), "[batch,257,16,64]");
  EXPECT_EQ(graph.type("q"), "f16[batch,16,257,64]");
  EXPECT_EQ(graph.type("y"), "f16[batch,257,1024]");
}

// class_embedding.expand(batch, 1, -1) with the Equal / Where that stands for -1, joined to the patches.
TEST(ShapeGraph, a_class_token_is_expanded) {
  const auto graph = check(R"(
    input %pixels: f16[batch,3,224,224]  input %w: f16[1024,3,14,14]  input %token: f16[1024]
    const %i0: i64[] = {0}  const %a0: i64[1] = {0}  const %two: i64[1] = {2}  const %one: i64[1] = {1}
    const %minus: i64[1] = {-1}  const %three: i64[1] = {3}  const %neg: i64[] = {-1}
    %conv = Conv(%pixels, %w) {strides=[14,14]}
    %cs = Shape(%conv)  %front = Slice(%cs, %a0, %two, %a0)  %flat = Concat(%front, %minus)
    %patches = Reshape(%conv, %flat)
    %tokens = Transpose(%patches) {perm=[0,2,1]}
    %ps = Shape(%pixels)  %b0 = Gather(%ps, %i0)  %b = Unsqueeze(%b0, %a0)
    %wanted = Concat(%b, %one, %minus)
    %ones = ConstantOfShape(%three) {value=i64[1]{1}}
    %minuses = Mul(%ones, %neg)
    %is_minus = Equal(%wanted, %minuses)
    %target = Where(%is_minus, %ones, %wanted)
    %classes = Expand(%token, %target)
    %y = Concat(%classes, %tokens) {axis=1}
    output %y)");
  EXPECT_THAT(graph.rules(), ElementsAre());
  EXPECT_EQ(graph.elements("target"), "[batch,1,1]");
  EXPECT_EQ(graph.type("patches"), "f16[batch,1024,256]");
  EXPECT_EQ(graph.type("y"), "f16[batch,257,1024]");
}

// hidden[arange(batch), input_ids.argmax(-1)]
TEST(ShapeGraph, text_is_pooled_at_its_end) {
  const auto graph = check(R"(
    input %ids: i64[batch,77]  input %hidden: f16[batch,77,768]
    const %i0: i64[] = {0}  const %i1: i64[] = {1}  const %a1: i64[1] = {1}  const %rows: i64[2] = {-1,77}
    %flat = Reshape(%ids, %rows)
    %narrow = Cast(%flat) {to=i32}
    %end = ArgMax(%narrow) {axis=-1, keepdims=0}
    %s = Shape(%hidden)  %b = Gather(%s, %i0)
    %each = Range(%i0, %b, %i1)
    %row = Unsqueeze(%each, %a1)  %column = Unsqueeze(%end, %a1)
    %at = Concat(%row, %column) {axis=-1}
    %y = GatherND(%hidden, %at)
    output %y)");
  EXPECT_THAT(graph.rules(), ElementsAre());
  EXPECT_EQ(graph.type("end"), "i64[batch]");
  EXPECT_EQ(graph.type("at"), "i64[batch,2]");
  EXPECT_EQ(graph.type("y"), "f16[batch,768]");
}

// The attention scale of an exported scaled_dot_product_attention: the head size read off the tensor, square-rooted in f16.
TEST(ShapeGraph, an_attention_scale_is_static) {
  const auto graph = check(R"(
    input %q: f16[batch,16,257,64]
    const %last: i64[1] = {-1}  const %end: i64[1] = {9223372036854775807}  const %one: f32[1] = {1}
    %s = Shape(%q)
    %size = Slice(%s, %last, %end)
    %half = Cast(%size) {to=f16}
    %root = Sqrt(%half)
    %wide = Cast(%root) {to=f32}
    %inverse = Div(%one, %wide)
    %narrow = Cast(%inverse) {to=f16}
    %scale = Sqrt(%narrow)
    %y = Mul(%q, %scale)
    output %y)");
  EXPECT_THAT(graph.rules(), ElementsAre());
  EXPECT_EQ(graph.elements("size"), "[64]");
  EXPECT_EQ(graph.type("scale"), "f16[1]");
  EXPECT_EQ(graph.type("y"), "f16[batch,16,257,64]");
}

// A causal mask from two Ranges, expanded to the batch and turned into 0 and -infinity.
TEST(ShapeGraph, a_causal_mask) {
  const auto graph = check(R"(
    input %x: f16[batch,77,768]
    const %i0: i64[] = {0}  const %i1: i64[] = {1}  const %a0: i64[1] = {0}  const %a1: i64[1] = {1}
    const %one: i64[1] = {1}  const %zero: f16[1] = {0}  const %low: f16[1] = {-inf}  const %a01: i64[2] = {0,1}
    %s = Shape(%x)  %t = Gather(%s, %i1)  %b = Gather(%s, %i0)
    %range = Range(%i0, %t, %i1)
    %keys = Unsqueeze(%range, %a0)  %queries = Unsqueeze(%range, %a1)
    %allowed = LessOrEqual(%keys, %queries)
    %plane = Unsqueeze(%allowed, %a01)
    %bv = Unsqueeze(%b, %a0)  %tv = Unsqueeze(%t, %a0)
    %full = Concat(%bv, %one, %tv, %tv)
    %mask = Expand(%plane, %full)
    %y = Where(%mask, %zero, %low)
    output %y)");
  EXPECT_THAT(graph.rules(), ElementsAre());
  EXPECT_EQ(graph.type("range"), "i64[77]");
  EXPECT_EQ(graph.type("y"), "f16[batch,1,77,77]");
}

// Sizes computed by arithmetic: batch * heads rows of head_dim = width / heads.
TEST(ShapeGraph, arithmetic_on_sizes) {
  const auto graph = check(R"(
    input %x: f16[batch,77,768]
    const %i0: i64[] = {0}  const %i2: i64[] = {2}  const %a0: i64[1] = {0}  const %heads: i64[] = {12}  const %minus: i64[1] = {-1}
    %s = Shape(%x)  %b = Gather(%s, %i0)  %w = Gather(%s, %i2)
    %rows = Mul(%b, %heads)  %size = Div(%w, %heads)
    %narrow = Cast(%rows) {to=i32}  %again = Cast(%narrow) {to=i64}
    %r = Unsqueeze(%again, %a0)  %d = Unsqueeze(%size, %a0)
    %shape = Concat(%r, %minus, %d)
    %y = Reshape(%x, %shape)
    output %y)");
  EXPECT_THAT(graph.rules(), ElementsAre());
  EXPECT_EQ(graph.type("y"), "f16[12*batch,77,64]");
}

}  // namespace
}  // namespace octet
