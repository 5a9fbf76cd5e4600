// Every embedding row of this machine: exact sums rounded once (equal bits), and hostile ids.
#include "cpu/kernels/embed/embed.h"

#include "cpu/kernels/kernel_test.h"

namespace octet::cpu {
namespace {
using namespace kernel_test;

constexpr int64_t kVocabulary = 11;

std::vector<int64_t> some_ids(int64_t count) {
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back(i * 7 % kVocabulary);
  return ids;
}

struct EmbedRun {
  EmbedRun(DType ids, DType table, int64_t batch, int64_t tokens, int64_t cols)
      : problem{ids, table, tokens, cols, kVocabulary},
        batch(batch),
        ids(some_ids(batch * tokens)),
        token(table, normal_values(kVocabulary * cols, 1, 3)),
        position(table, normal_values(tokens * cols, 1e-3f, 4)) {}
  // The rows, and whether every thread said yes.
  std::pair<Guarded, bool> operator()(const EmbedKernel& kernel, int threads = 1) const {
    std::vector<int32_t> narrow(ids.begin(), ids.end());
    Guarded y(problem.table, batch * problem.tokens * problem.cols);
    const void* source = problem.ids == DType::i32 ? static_cast<const void*>(narrow.data()) : ids.data();
    bool inside = true;
    for (int t = 0; t < threads; ++t) inside &= kernel.run(problem, {source, token.data(), position.data(), y.data(), batch}, t, threads);
    EXPECT_TRUE(y.guards_intact());
    return {y, inside};
  }
  EmbedProblem problem;
  int64_t batch;
  std::vector<int64_t> ids;
  Guarded token, position;
};

TEST(Embed, AddsAndRoundsOnce) {
  for (const EmbedKernel& kernel : embed_kernels()) {
    if (!usable(kernel.isa)) continue;
    for (DType table : {DType::f16, DType::bf16, DType::f32})
      for (int64_t cols : {1, 3, 4, 7, 8, 15, 16, 17, 33, 768}) {
        const EmbedRun run(cols % 2 ? DType::i32 : DType::i64, table, 2, 5, cols);
        ASSERT_FALSE(kernel.accepts(run.problem));
        const auto [y, inside] = run(kernel);
        ASSERT_TRUE(inside);
        const std::vector<float> token = run.token.values(), position = run.position.values(), got = y.values();
        for (int64_t i = 0; i < y.count(); ++i) {
          const auto id = run.ids[static_cast<size_t>(i / cols)];
          const double exact =
              static_cast<double>(token[static_cast<size_t>(id * cols + i % cols)]) + position[static_cast<size_t>(i % (5 * cols))];
          // The f32 sum may be rounded before the last rounding: half an ulp of f32.
          ASSERT_TRUE(rounds_from(table, got[static_cast<size_t>(i)], exact, std::abs(exact) * 0x1p-24)) << kernel.name << " " << i;
        }
      }
  }
}

TEST(Embed, RefusesIdsOutside) {
  for (const EmbedKernel& kernel : embed_kernels()) {
    if (!usable(kernel.isa)) continue;
    for (DType ids : {DType::i32, DType::i64})
      for (int64_t bad : {int64_t{-1}, kVocabulary, int64_t{INT32_MAX}, int64_t{INT32_MIN}, INT64_MIN, INT64_MAX}) {
        if (ids == DType::i32 && bad != static_cast<int32_t>(bad)) continue;
        for (size_t at : {0u, 4u, 14u}) {
          EmbedRun run(ids, DType::f16, 3, 5, 8);
          run.ids[at] = bad;
          EXPECT_FALSE(run(kernel, 2).second) << kernel.name << " " << bad;
        }
      }
  }
}

TEST(Embed, BitsDoNotDependOnThreads) {
  for (const EmbedKernel& kernel : embed_kernels()) {
    if (!usable(kernel.isa)) continue;
    const EmbedRun run(DType::i64, DType::bf16, 3, 7, 40);
    for (int threads : {2, 5, 40}) EXPECT_TRUE(run(kernel).first == run(kernel, threads).first) << kernel.name;
  }
}

TEST(Embed, RefusesWithAReason) {
  for (const EmbedKernel& kernel : embed_kernels()) {
    EXPECT_THAT(kernel.accepts({DType::f32, DType::f16, 1, 1, 1}).reason, testing::HasSubstr("ids")) << kernel.name;
    EXPECT_TRUE(kernel.accepts({DType::i64, DType::e4m3, 1, 1, 1}));
    EXPECT_TRUE(kernel.accepts({DType::i64, DType::f16, 0, 1, 1}));
  }
}

}  // namespace
}  // namespace octet::cpu
