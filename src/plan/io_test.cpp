#include "plan/io.h"

#include <fcntl.h>
#include <gmock/gmock.h>

#include "plan/encode.h"
#include "plan/print.h"
#include "plan/testing.h"
#include "plan/testing_file.h"

namespace octet::plan {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using namespace octet::plan::testing;

// All stored fields of a plan as bytes, and the bytes of its weights.
std::string image_of(const Plan& plan) {
  Encoder encoder;
  Plan copy = plan;
  for (Weight& weight : copy.weights) weight.offset = 0;  // set by the writer
  meta_fields(copy, encoder), buffer_fields(copy, encoder), weight_fields(copy, encoder), step_fields(copy, encoder);
  source_fields(copy, encoder);
  const auto bytes = encoder.bytes();
  std::string out(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const auto weight : plan.weight_bytes) out.append(reinterpret_cast<const char*>(weight.data()), weight.size());
  return out + plan.creator;
}

TEST(PlanIo, RoundTrip) {
  const Scratch scratch;
  for (const Plan& plan : {text_plan(), image_plan(), unfused_plan(), fake_quantized_plan(), bytes_plan(), rounded_sums_plan()}) {
    const uint64_t size = write(plan, scratch / "a.plan");
    EXPECT_EQ(size, std::filesystem::file_size(scratch / "a.plan"));
    const Plan back = read(scratch / "a.plan");
    EXPECT_EQ(image_of(back), image_of(plan));
    EXPECT_EQ(print(back), print(plan));
    for (const auto weight : back.weight_bytes) EXPECT_EQ(reinterpret_cast<uintptr_t>(weight.data()) % 64, 0u);
    write(back, scratch / "b.plan");
    EXPECT_EQ(slurp(scratch / "a.plan"), slurp(scratch / "b.plan")) << "not byte-reproducible";
    EXPECT_TRUE(engine_validity(scratch / "a.plan").runs_here);
  }
}

TEST(PlanIo, WeightsOutliveTheFile) {
  const Scratch scratch;
  write(text_plan(1), scratch / "a.plan");
  const Plan plan = read(scratch / "a.plan");
  write(text_plan(99), scratch / "a.plan");  // replaced under the same name
  EXPECT_EQ(image_of(plan), image_of(text_plan(1)));
  EXPECT_EQ(image_of(read(scratch / "a.plan")), image_of(text_plan(99)));
  std::filesystem::remove(scratch / "a.plan");
  EXPECT_EQ(image_of(plan), image_of(text_plan(1)));
}

TEST(PlanIo, EveryChangedByteIsRefused) {
  const Scratch scratch;
  const std::string file = file_of(text_plan(), scratch);
  std::mt19937 random(7);
  for (size_t at = 0; at < file.size(); ++at) {
    std::string changed = file;
    changed[at] = static_cast<char>(changed[at] ^ (1 + random() % 255));
    ASSERT_NE(refusal(changed, scratch), "") << "byte " << at << " of " << file.size() << ", seed 7";
  }
}

TEST(PlanIo, EveryTruncationAndGrowthIsRefused) {
  const Scratch scratch;
  const std::string file = file_of(image_plan(), scratch);
  for (size_t size = 0; size < file.size(); size += 1 + size / 64) {
    ASSERT_NE(refusal(file.substr(0, size), scratch), "") << size;
    const Validity validity = engine_validity(scratch / "refused.plan");
    ASSERT_FALSE(validity.runs_here);
    ASSERT_THAT(validity.reasons.at(0), AnyOf(HasSubstr("truncated"), HasSubstr("magic")));
  }
  EXPECT_THAT(refusal(file + '\0', scratch), HasSubstr("grown"));
  std::string grown = file + std::string(64, '\0');
  poke<uint64_t>(grown, 16, grown.size());
  rehash(grown);
  EXPECT_THAT(refusal(grown, scratch), HasSubstr("sections end"));
}

TEST(PlanIo, PaddingMustBeZero) {
  const Scratch scratch;
  std::string file = file_of(image_plan(), scratch);
  const Section meta = section_of(file, SectionId::kMeta), data = section_of(file, SectionId::kData);
  ASSERT_LT(meta.offset + meta.size, section_of(file, SectionId::kBuffers).offset);
  std::string between = file, within = file;
  between[meta.offset + meta.size] = 1;
  rehash(between);
  EXPECT_THAT(refusal(between, scratch), HasSubstr("padding"));
  const Plan plan = image_plan();
  const size_t gap = data.offset + plan.weight_bytes[0].size() + plan.weight_bytes[1].size();  // 384 + 32, the gap runs to 448
  within = file;
  within[gap] = 1;
  rehash(within);
  EXPECT_THAT(refusal(within, scratch), HasSubstr("padding before weight"));
}

TEST(PlanIo, SwappedAndLyingSectionTables) {
  const Scratch scratch;
  const std::string file = file_of(text_plan(), scratch);
  const auto entry = [](size_t i) { return kHeaderBytes + i * kEntryBytes; };
  std::string swapped = file;
  std::swap_ranges(swapped.begin() + entry(1), swapped.begin() + entry(2), swapped.begin() + entry(3));
  rehash(swapped);
  EXPECT_THAT(refusal(swapped, scratch), HasSubstr("is not section 2 (buffers)"));
  for (size_t i = 0; i < kSectionCount; ++i)
    for (const size_t field : {8, 16})
      for (const uint64_t value :
           {uint64_t{0}, uint64_t{1}, uint64_t{64}, uint64_t{1} << 32, UINT64_MAX, UINT64_MAX - 63, uint64_t{1} << 63}) {
        std::string lying = file;
        poke(lying, entry(i) + field, value);
        rehash(lying);
        ASSERT_NE(refusal(lying, scratch), "") << i << " " << field << " " << value;
      }
}

TEST(PlanIo, HeaderReasons) {
  const Scratch scratch;
  const std::string file = file_of(text_plan(), scratch);
  const auto reason = [&](size_t at, uint32_t value) {
    std::string changed = file;
    poke(changed, at, value);
    rehash(changed);
    return refusal(changed, scratch);
  };
  EXPECT_THAT(reason(8, 1), HasSubstr("format version 1, made by `octet test`; this octet reads version 2"));
  EXPECT_THAT(reason(12, 7), HasSubstr("7 sections instead of 6"));
  EXPECT_THAT(reason(44, 1), HasSubstr("creator: bytes follow its end"));
  EXPECT_THAT(reason(24, 0x0b0b0b0b), HasSubstr("is not plain text"));
  EXPECT_THAT(refusal("", scratch), HasSubstr("not an engine"));
  EXPECT_THAT(refusal("octetpl", scratch), HasSubstr("not an engine"));
  EXPECT_FALSE(engine_validity(scratch / "nowhere.plan").runs_here);
  EXPECT_THROW(read(scratch / "nowhere.plan"), Error);
}

TEST(PlanIo, SparseHugeFileIsRefusedAtOnce) {
  const Scratch scratch;
  std::string file = file_of(text_plan(), scratch);
  constexpr uint64_t kHuge = 1ull << 40;
  const size_t data_entry = kHeaderBytes + 5 * kEntryBytes;
  poke<uint64_t>(file, 16, kHuge);
  poke<uint64_t>(file, data_entry + 16, kHuge - section_of(file, SectionId::kData).offset);
  rehash(file);
  spill(scratch / "sparse.plan", file);
  ASSERT_EQ(::truncate((scratch / "sparse.plan").c_str(), kHuge), 0);
  try {
    read(scratch / "sparse.plan");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the weights take"));
  }
}

TEST(PlanIo, RefusesToWriteAnInvalidPlan) {
  const Scratch scratch;
  Plan plan = text_plan();
  plan.outputs.clear();
  EXPECT_THROW(write(plan, scratch / "bad.plan"), Error);
  EXPECT_FALSE(std::filesystem::exists(scratch / "bad.plan"));
}

// 24 layers of ViT-L would be some 300 MB; this has the same number of steps and of source nodes with tiny tensors.
TEST(PlanIo, StaysWithinTwoPercentAndSixtyFourKibibytes) {
  const Scratch scratch;
  Builder b(5);
  const Id in = b.bound("x", DType::f16, {4, 64}, true);
  Id x = in;
  for (int i = 0; i < 24 * 6; ++i) {
    const std::string name = "/vision_model/encoder/layers." + std::to_string(i) + "/block/";
    const Id y = i + 1 < 24 * 6 ? b.arena(name + "out", DType::f16, {4, 64}) : b.bound("y", DType::f16, {4, 64}, false);
    b.step(name + "step",
           Gemm{x, y, kNoId, b.weight(name + "w", DType::f16, {64, 64}), kNoId, kNoId, 4, 64, 64, Activation::kNone, {{0, 64, 1, 1, 1}}});
    for (int node = 0; node < 10; ++node) {
      const std::string out = name + "node" + std::to_string(node);
      b.plan.source.steps.back().push_back(static_cast<uint32_t>(b.plan.source.nodes.size()));
      b.plan.source.nodes.push_back(
          {out, "DequantizeLinear", {b.plan.source.nodes.back().outputs[0], name + "scale"}, {out + "_output_0"}});
    }
    x = y;
  }
  uint64_t weights = 0;
  for (const auto bytes : b.plan.weight_bytes) weights += bytes.size();
  const uint64_t size = write(b.plan, scratch / "big.plan");
  // What the fields take does not grow with the tensors: it must fit the slack of a 300 MB file.
  EXPECT_LE(size - weights, 300'000'000 / 50 + (64 << 10));
  std::printf("%zu steps, %zu source nodes: %lu bytes besides the weights\n", b.plan.steps.size(), b.plan.source.nodes.size(),
              size - weights);
}

}  // namespace
}  // namespace octet::plan
