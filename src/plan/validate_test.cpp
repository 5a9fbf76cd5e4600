#include "plan/validate.h"

#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <limits>

#include "plan/print.h"
#include "plan/testing.h"
#include "plan/testing_file.h"

namespace octet::plan {
namespace {

using ::testing::HasSubstr;
using namespace octet::plan::testing;

std::string reason(const Plan& plan) {
  try {
    validate(plan);
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalid);
    return error.message();
  }
}

struct Case {
  const char* name;
  std::function<void(Plan&)> change;
  const char* reason;
};
template <class Op>
Op& op(Plan& plan, size_t step) {
  return std::get<Op>(plan.steps.at(step).op);
}

// Steps of text_plan: 0 embed, 1 ln1, 2 qkv, 3 attention, 4 proj, 5 ln2, 6 pool, 7 text_projection, 8 normalize.
// Buffers: 0 input_ids, 1 x, 2 h, 3 qkv, 4 att, 5 h2, 6 pooled, 7 text_embeds, 8 unit.
const Case kTextCases[] = {
    {"long creator", [](Plan& p) { p.creator = std::string(25, 'a'); }, "creator"},
    {"sha", [](Plan& p) { p.processor_sha256 = "12"; }, "64 hexadecimal"},
    {"arena huge", [](Plan& p) { p.arena_bytes_per_item = UINT64_MAX; }, "an arena of"},
    {"rank 0", [](Plan& p) { p.buffers[1].dims = {}; }, "rank 0"},
    {"dim 0", [](Plan& p) { p.buffers[1].dims[0] = 0; }, "dimension of 0"},
    {"dim < 0", [](Plan& p) { p.buffers[1].dims[0] = -5; }, "dimension of -5"},
    {"dims overflow",
     [](Plan& p) {
       p.buffers[1].dims = {INT32_MAX, INT32_MAX, INT32_MAX};
     },
     "2^40"},
    {"bound 2", [](Plan& p) { p.buffers[1].bound = 2; }, "bound is 2"},
    {"bound offset", [](Plan& p) { p.buffers[0].offset = 64; }, "is bound, yet"},
    {"misaligned", [](Plan& p) { p.buffers[2].offset += 32; }, "no multiple of 64"},
    {"outside arena", [](Plan& p) { p.buffers[2].offset = p.arena_bytes_per_item; }, "outside the arena"},
    {"offset overflow", [](Plan& p) { p.buffers[2].offset = UINT64_MAX - 63; }, "outside the arena"},
    {"weight dims", [](Plan& p) { p.weights[0].dims[0] = 12; }, "needs 576 bytes, has 528"},
    {"weight lost", [](Plan& p) { p.weight_bytes.pop_back(); }, "with bytes"},
    {"no outputs", [](Plan& p) { p.outputs.clear(); }, "no outputs"},
    {"empty name", [](Plan& p) { p.inputs[0].name = ""; }, "no name"},
    {"same names", [](Plan& p) { p.outputs[1].name = p.outputs[0].name; }, "names two"},
    {"in and out same name", [](Plan& p) { p.outputs[1].name = p.inputs[0].name; }, "names two"},
    {"binding range", [](Plan& p) { p.outputs[1].buffer = 9; }, "buffer 9 of 9"},
    {"binding arena", [](Plan& p) { p.outputs[1].buffer = 2; }, "bound to an arena buffer"},
    {"binding twice", [](Plan& p) { p.outputs[1].buffer = 7; }, "shares its buffer"},
    {"bound to nothing", [](Plan& p) { p.outputs.pop_back(); }, "3 bound buffers, 2 inputs and outputs"},
    {"read before written", [](Plan& p) { std::swap(p.steps[0], p.steps[1]); }, "before any step wrote it"},
    {"written twice", [](Plan& p) { op<Norm>(p, 5).out = 1; }, "a second time"},
    {"writes an input",
     [](Plan& p) {
       p.inputs.push_back({"x", 1}), p.buffers[1].bound = 1, p.buffers[1].offset = 0;
     },
     "a second time"},
    {"output unwritten", [](Plan& p) { p.steps.pop_back(), p.source = {}; }, "output `unit` is written by no step"},
    {"buffer unwritten",
     [](Plan& p) {
       p.buffers.push_back({"loose", DType::f16, {4}, 0, 0});
     },
     "`loose` is written by no step"},
    {"overlap", [](Plan& p) { p.buffers[3].offset = p.buffers[2].offset; }, "overlaps `h`"},
    {"overlap behind", [](Plan& p) { p.buffers[3].offset = 64; }, "overlaps"},
    {"overlap with x", [](Plan& p) { p.buffers[4].offset = 0; }, "overlaps `x`"},
    {"ids f16", [](Plan& p) { p.buffers[0].dtype = DType::f16; }, "ids `input_ids` is f16"},
    {"embed table rank", [](Plan& p) { p.weights[0].dims = {264}; }, "not [vocabulary, cols]"},
    {"embed position", [](Plan& p) { op<Embed>(p, 0).position = op<Embed>(p, 0).token; }, "wanted 5 rows"},
    {"embed token id", [](Plan& p) { op<Embed>(p, 0).token = 10; }, "token is weight 10 of 10"},
    {"norm rows", [](Plan& p) { op<Norm>(p, 1).rows = 4; }, "works on 4 rows of 24"},
    {"norm out dtype", [](Plan& p) { p.buffers[5].dtype = DType::bf16; }, "out `h2` is bf16"},
    {"norm gamma absent", [](Plan& p) { op<Norm>(p, 1).gamma = kNoId; }, "gamma is weight"},
    {"norm epsilon", [](Plan& p) { op<Norm>(p, 1).epsilon = NAN; }, "epsilon is nan"},
    {"norm epsilon < 0", [](Plan& p) { op<Norm>(p, 1).epsilon = -1e-9f; }, "epsilon is -1e-09"},
    {"norm scale", [](Plan& p) { op<Norm>(p, 1).out_scale = 0; }, "out_scale is 0"},
    {"norm denormal scale", [](Plan& p) { op<Norm>(p, 1).out_scale = 1e-40f; }, "not a positive normal"},
    {"norm f16 scale", [](Plan& p) { op<Norm>(p, 5).out_scale = 2; }, "only e4m3 outputs are scaled"},
    {"gemm k", [](Plan& p) { op<Gemm>(p, 2).k = 25; }, "works on 5 rows of 25"},
    {"gemm n", [](Plan& p) { op<Gemm>(p, 2).n = 71; }, "works on 5 rows of 71"},
    {"gemm overflow", [](Plan& p) { op<Gemm>(p, 2).rows = UINT32_MAX, op<Gemm>(p, 2).k = UINT32_MAX; }, "the step works on"},
    {"gemm weight type", [](Plan& p) { op<Gemm>(p, 7).a = 2; }, "a `h` has dims [5, 24]"},
    {"gemm mixed", [](Plan& p) { p.weights[op<Gemm>(p, 2).weight].dtype = DType::e5m2; }, "is e5m2, which this step does not take"},
    {"gemm bias", [](Plan& p) { op<Gemm>(p, 2).bias = 1; }, "bias `position` has dims"},
    {"gemm residual type", [](Plan& p) { op<Gemm>(p, 2).residual = op<Gemm>(p, 2).out; }, "residual `qkv` is e4m3"},
    {"gemm channel scale", [](Plan& p) { op<Gemm>(p, 4).channel_scale = op<Gemm>(p, 4).bias; }, "channel_scale `b_o` is f16"},
    {"ranges gap", [](Plan& p) { op<Gemm>(p, 2).ranges[1].begin = 25; }, "does not continue at 24"},
    {"ranges order", [](Plan& p) { std::swap(op<Gemm>(p, 2).ranges[0], op<Gemm>(p, 2).ranges[1]); }, "does not continue at 0"},
    {"ranges short", [](Plan& p) { op<Gemm>(p, 2).ranges.pop_back(); }, "end at 48 of 72"},
    {"ranges long", [](Plan& p) { op<Gemm>(p, 2).ranges[2].end = 73; }, "does not continue"},
    {"range empty", [](Plan& p) { op<Gemm>(p, 2).ranges[0].end = 0; }, "does not continue"},
    {"alpha", [](Plan& p) { op<Gemm>(p, 2).ranges[1].alpha = -1; }, "alpha is -1"},
    {"mul", [](Plan& p) { op<Gemm>(p, 2).ranges[1].mul = INFINITY; }, "mul is inf"},
    {"heads", [](Plan& p) { op<Attention>(p, 3).heads = 4; }, "takes columns"},
    {"head_dim 0", [](Plan& p) { op<Attention>(p, 3).head_dim = 0; }, "3 heads of 0"},
    {"heads overflow", [](Plan& p) { op<Attention>(p, 3).heads = op<Attention>(p, 3).head_dim = UINT32_MAX; }, "heads of"},
    {"column", [](Plan& p) { op<Attention>(p, 3).v.column = 49; }, "v takes columns [49, 73) of rows of 72"},
    {"column overflow", [](Plan& p) { op<Attention>(p, 3).v.column = UINT32_MAX; }, "takes columns"},
    {"row stride", [](Plan& p) { op<Attention>(p, 3).k.row_stride = 73; }, "works on 5 rows of 73"},
    {"tokens", [](Plan& p) { op<Attention>(p, 3).tokens = 6; }, "works on 6 rows"},
    {"tokens 0", [](Plan& p) { op<Attention>(p, 3).tokens = 0; }, "0 tokens"},
    {"k type", [](Plan& p) { op<Attention>(p, 3).k.buffer = 1; }, "k `x` is f16"},
    {"causal", [](Plan& p) { op<Attention>(p, 3).causal = 2; }, "causal is 2"},
    {"score scale", [](Plan& p) { op<Attention>(p, 3).score_scale = 0; }, "score_scale is 0"},
    {"p scale", [](Plan& p) { op<Attention>(p, 3).p_scale = -1; }, "p_scale is -1"},
    {"v scale", [](Plan& p) { op<Attention>(p, 3).v.scale = NAN; }, "q, k or v is nan"},
    {"pool ids", [](Plan& p) { op<Pool>(p, 6).ids = kNoId; }, "ids is buffer"},
    {"pool index", [](Plan& p) { op<Pool>(p, 6).index = 1; }, "argmax has none"},
    {"pool fixed row", [](Plan& p) { op<Pool>(p, 6) = {5, 6, kNoId, 5, 24, PoolMode::kIndex, 5}; }, "row 5 of 5"},
    {"pool negative row", [](Plan& p) { op<Pool>(p, 6) = {5, 6, kNoId, 5, 24, PoolMode::kIndex, -1}; }, "row -1 of 5"},
    {"pool fixed with ids", [](Plan& p) { op<Pool>(p, 6).mode = PoolMode::kIndex; }, "the row is fixed"},
    {"l2 cols", [](Plan& p) { op<L2Normalize>(p, 8).cols = 3; }, "works on 1 rows of 3"},
    {"source node range", [](Plan& p) { p.source.steps[0][0] = 10; }, "node 10 of 10"},
    {"source node twice", [](Plan& p) { p.source.steps[0][0] = 1; }, "listed twice"},
    {"source node lost", [](Plan& p) { p.source.folded.clear(); }, "node 9 is in no list"},
    {"source lists", [](Plan& p) { p.source.steps.pop_back(); }, "8 step lists for 9 steps"},
};
// Steps of image_plan: 0 patches, 1 ln, 2 fc1, 3 fc2, 4 class_row, 5 post_ln.
const Case kImageCases[] = {
    {"patch 0", [](Plan& p) { op<PatchEmbed>(p, 0).patch = 0; }, "has no patch of 0"},
    {"patch does not tile", [](Plan& p) { op<PatchEmbed>(p, 0).patch = 4; }, "do not tile"},
    {"channels", [](Plan& p) { op<PatchEmbed>(p, 0).channels = 4; }, "pixels"},
    {"height and width", [](Plan& p) { std::swap(op<PatchEmbed>(p, 0).height, op<PatchEmbed>(p, 0).width); }, "pixels"},
    {"pixel dims",
     [](Plan& p) {
       p.buffers[0].dims = {18, 4};
     },
     "pixels are not [3, 6, 4]"},
    {"no class token", [](Plan& p) { op<PatchEmbed>(p, 0).class_token = kNoId; }, "out `x` has dims"},
    {"patch scale", [](Plan& p) { op<PatchEmbed>(p, 0).scale = 2; }, "only e4m3 weights are scaled"},
    {"patch weight", [](Plan& p) { op<PatchEmbed>(p, 0).weight = 1; }, "weight `b_patch`"},
    {"residual is a", [](Plan& p) { op<Gemm>(p, 3).residual = op<Gemm>(p, 3).a; }, "residual `f` is e4m3"},
    {"channel scale data",
     [](Plan& p) {
       auto broken = std::make_shared<HostTensor>(DType::f32, std::vector<int64_t>{16});
       broken->set(7, NAN);
       p.weight_bytes[op<Gemm>(p, 3).channel_scale] = broken->bytes();
       p.storage.push_back(broken);
     },
     "channel_scale is nan"},
    {"out over a residual in use", [](Plan& p) { p.buffers[4].offset = 64; }, "overlaps `x`"},
};

TEST(Validate, EveryInvariantNamesItsBreach) {
  for (const Case& c : kTextCases) {
    Plan plan = text_plan();
    c.change(plan);
    EXPECT_THAT(reason(plan), HasSubstr(c.reason)) << c.name;
  }
  for (const Case& c : kImageCases) {
    Plan plan = image_plan();
    c.change(plan);
    EXPECT_THAT(reason(plan), HasSubstr(c.reason)) << c.name;
  }
}

TEST(Validate, UnfusedAttentionNamesItsBreach) {
  const auto breach = [](auto&& change) {
    Plan plan = unfused_plan();
    change(plan);
    return reason(plan);
  };
  EXPECT_THAT(breach([](Plan& p) { op<Scores>(p, 3).tokens = 6; }), HasSubstr("q"));
  EXPECT_THAT(breach([](Plan& p) { op<Scores>(p, 3).score_scale = 0; }), HasSubstr("score_scale"));
  EXPECT_THAT(breach([](Plan& p) { op<Scores>(p, 3).causal = 2; }), HasSubstr("causal is 2"));
  EXPECT_THAT(breach([](Plan& p) { op<Softmax>(p, 4).heads = 2; }), HasSubstr("the step works on 10 rows of 8"));
  EXPECT_THAT(breach([](Plan& p) { op<Softmax>(p, 4).out_scale = -1; }), HasSubstr("out_scale"));
  EXPECT_THAT(breach([](Plan& p) { op<Softmax>(p, 4).in = 1000; }), HasSubstr("buffer 1000"));
  EXPECT_THAT(breach([](Plan& p) { op<Values>(p, 5).p_scale = 0; }), HasSubstr("p_scale"));
  EXPECT_THAT(breach([](Plan& p) { op<Values>(p, 5).v.column = 56; }), HasSubstr("columns"));
  EXPECT_THAT(breach([](Plan& p) { op<Values>(p, 5).head_dim = 0; }), HasSubstr("heads of 0"));
}

TEST(Validate, AUint8PictureNamesItsBreach) {
  EXPECT_EQ(reason(bytes_plan()), "");
  const auto breach = [](auto&& change) {
    Plan plan = bytes_plan();
    change(plan);
    return reason(plan);
  };
  EXPECT_THAT(breach([](Plan& p) { op<PatchEmbed>(p, 0).table = kNoId; }), HasSubstr("is u8, which this step does not take"));
  EXPECT_THAT(breach([](Plan& p) { op<PatchEmbed>(p, 0).table = 1000; }), HasSubstr("table is weight 1000"));
  EXPECT_THAT(breach([](Plan& p) { op<PatchEmbed>(p, 0).table = 0; }), HasSubstr("table `w_patch` has dims"));
  EXPECT_THAT(breach([](Plan& p) {
                p.weights[op<PatchEmbed>(p, 0).table].dtype = DType::i8;
                p.weights[op<PatchEmbed>(p, 0).table].dims = {6, kPixelValues};
              }),
              HasSubstr("i8"));
  EXPECT_THAT(breach([](Plan& p) { p.buffers[0].dtype = DType::i8; }), HasSubstr("is i8, which this step does not take"));
  EXPECT_THAT(breach([](Plan& p) { p.buffers[0].dims = {3, 6, 4}; }), HasSubstr("the step works on 24 rows of 3"));
  EXPECT_THAT(breach([](Plan& p) { p.buffers[0].dims = {4, 6, 3}; }), HasSubstr("pixels are not [6, 4, 3]"));
  EXPECT_THAT(breach([](Plan& p) { p.buffers[0].dims = {24, 3}; }), HasSubstr("pixels are not [6, 4, 3]"));
}

TEST(Validate, NamesTheStep) {
  Plan plan = text_plan();
  op<Norm>(plan, 1).epsilon = NAN;
  try {
    validate(plan);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.render(), HasSubstr("while checking step 1 `ln1`"));
  }
}

TEST(Validate, AcceptsWhatIsAllowed) {
  EXPECT_EQ(reason(text_plan()), "");
  EXPECT_EQ(reason(image_plan()), "");
  EXPECT_EQ(reason(unfused_plan()), "");
  Plan plan = image_plan();
  plan.buffers[4].offset = plan.buffers[1].offset;  // fc2 writes y in the place of its residual x, which dies there
  EXPECT_EQ(reason(plan), "");
  plan = text_plan();
  plan.buffers[4].offset = plan.buffers[2].offset;  // h is dead when attention writes att
  plan.source = {};
  plan.processor_sha256 = std::string(64, 'a');
  EXPECT_EQ(reason(plan), "");
  plan.inputs.push_back({"attention_mask", 9});  // an input that no step reads
  plan.buffers.push_back({"attention_mask", DType::i64, {5}, 0, 1});
  EXPECT_EQ(reason(plan), "");
}

// Random lifetimes: two buffers of a chain may share memory exactly when no step sees both. Brute force is the oracle.
TEST(Validate, OverlapAgreesWithBruteForce) {
  int clashes = 0;
  for (uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    Builder b(seed);
    b.bound("in", DType::f16, {32}, true);
    std::vector<std::pair<size_t, size_t>> life{{0, 0}};  // of each buffer: first and last step
    constexpr size_t kSteps = 6;
    const Id gamma = b.weight("g", DType::f16, {32});
    for (size_t i = 0; i < kSteps; ++i) {
      const Id from = static_cast<Id>(random() % b.plan.buffers.size());
      const bool end = i + 1 == kSteps;
      const Id to = end ? b.bound("out", DType::f16, {32}, false) : b.arena(fmt::format("b{}", i), DType::f16, {32});
      if (!end) b.plan.buffers[to].offset = random() % 8 * 64;
      life.emplace_back(i, i);
      life[from].second = i;
      b.step("s", Norm{from, to, gamma, kNoId, 1, 32, 0, 1});
    }
    b.plan.arena_bytes_per_item = 8 * 64;
    bool clash = false;
    for (Id x = 1; x + 1 < b.plan.buffers.size(); ++x)
      for (Id y = 1; y < x; ++y)
        clash |= b.plan.buffers[x].offset == b.plan.buffers[y].offset && life[x].first <= life[y].second && life[y].first <= life[x].second;
    EXPECT_EQ(reason(b.plan) != "", clash) << "seed " << seed << "\n" << print(b.plan);
    clashes += clash;
  }
  EXPECT_GT(clashes, 50);  // both answers were put to the test
  EXPECT_LT(clashes, 250);
}

// Every four bytes of every field section take hostile values, with hashes made right: refused, or still a plan that writes.
TEST(Validate, FourByteSweepsAreRefusedOrHarmless) {
  const Scratch scratch;
  size_t refused = 0, read_back = 0;
  for (const Plan& plan : {text_plan(), image_plan(), unfused_plan(), fake_quantized_plan(), bytes_plan(), rounded_sums_plan()}) {
    const std::string file = file_of(plan, scratch);
    for (const SectionId id : {SectionId::kMeta, SectionId::kBuffers, SectionId::kWeights, SectionId::kSteps, SectionId::kSource}) {
      const Section section = section_of(file, id);
      for (size_t at = section.offset; at + 4 <= section.offset + section.size; ++at) {
        const auto old = peek<uint32_t>(file, at);
        for (const uint32_t value : {0u, 1u, old + 1, old ^ 0x80000000u, 0x7fffffffu, 0x7fc00000u, 0xffffffffu}) {
          std::string changed = file;
          poke(changed, at, value);
          rehash(changed);
          spill(scratch / "swept.plan", changed);
          try {
            const Plan survivor = read(scratch / "swept.plan");
            write(survivor, scratch / "again.plan");
            ++read_back;
          } catch (const Error& error) {
            ASSERT_EQ(error.code(), Code::kInvalid);
            ++refused;
          }
        }
      }
    }
  }
  EXPECT_GT(refused, read_back);
  std::printf("%zu refused, %zu harmless\n", refused, read_back);
}

}  // namespace
}  // namespace octet::plan
