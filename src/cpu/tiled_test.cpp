// A buffer that lies in tiles on this machine: whole runs and steps one by one agree, and callers see codes.
#include "cpu/tiled.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "cpu/backend.h"
#include "cpu/kernels/gemm/gemm.h"
#include "plan/testing.h"
#include "plan/uses.h"

namespace octet::cpu {
namespace {

struct Outputs {
  std::vector<uint8_t> hidden, out;  // fc1's codes, and the plan's output
};
constexpr plan::Id kPixels = 0;
plan::Id output_of(const plan::Plan& plan) { return plan.outputs[0].buffer; }
plan::Id hidden_of(const plan::Plan& plan) { return std::get<plan::Gemm>(plan.steps[2].op).out; }

std::vector<uint16_t> pixels(const plan::Plan& plan, int64_t batch) {
  std::mt19937 random(3);
  std::vector<uint16_t> values(plan::bytes_per_item(plan.buffers[kPixels]) / 2 * static_cast<size_t>(batch));
  for (uint16_t& value : values) value = static_cast<uint16_t>(0x3000 + random() % 0x0c00);
  return values;
}

Outputs step_by_step(const std::shared_ptr<const plan::Plan>& plan, int64_t batch) {
  const auto executable = make_backend()->prepare(plan, {2, -1});
  const auto context = executable->new_context();
  context->reserve(batch);
  const auto input = pixels(*plan, batch);
  std::memcpy(context->buffer(kPixels, batch).data(), input.data(), input.size() * 2);
  Outputs run;
  const auto copy = [&](plan::Id id) {
    const auto bytes = context->buffer(id, batch);
    return std::vector<uint8_t>(reinterpret_cast<const uint8_t*>(bytes.data()),
                                reinterpret_cast<const uint8_t*>(bytes.data()) + bytes.size());
  };
  for (size_t step = 0; step < plan->steps.size(); ++step) {
    context->run_step(step, batch);
    if (plan::out_of(plan->steps[step].op) == hidden_of(*plan)) run.hidden = copy(hidden_of(*plan));
  }
  run.out = copy(output_of(*plan));
  return run;
}

std::vector<uint8_t> whole(const std::shared_ptr<const plan::Plan>& plan, int64_t batch, int threads, int64_t chunk) {
  const auto context = make_backend()->prepare(plan, {threads, chunk})->new_context();
  const auto input = pixels(*plan, batch);
  std::vector<uint8_t> out(plan::bytes_per_item(plan->buffers[output_of(*plan)]) * static_cast<size_t>(batch));
  const void* in = input.data();
  void* to = out.data();
  context->run(batch, {&in, 1}, {&to, 1}, nullptr);
  return out;
}

TEST(Tiled, WholeRunsAndSingleStepsAgree) {
  const auto plan = std::make_shared<plan::Plan>(plan::testing::image_plan());
  const Outputs run = step_by_step(plan, 11);
  for (const int threads : {1, 2, 3})
    for (const int64_t chunk : {-1, 4}) EXPECT_EQ(whole(plan, 11, threads, chunk), run.out) << threads << " threads, chunk " << chunk;
  EXPECT_NE(std::count_if(run.hidden.begin(), run.hidden.end(), [](uint8_t code) { return (code & 0x7f) != 0; }), 0);
}

TEST(Tiled, OnlyWhereBothGemmsTakeTiles) {
  plan::Plan plan = plan::testing::image_plan();
  const bool amx = (usable_isa() & kAmx) != 0;
  const TiledBuffers tiled(plan);
  EXPECT_EQ(tiled.holds(hidden_of(plan)), amx);
  EXPECT_FALSE(tiled.holds(kPixels));
  EXPECT_EQ(tiled.bytes(5), amx ? tiled_bytes(5 * 7, 40) : 0u);
  std::get<plan::Pool>(plan.steps[4].op).in = hidden_of(plan);  // a second reader
  EXPECT_FALSE(TiledBuffers(plan).holds(hidden_of(plan)));
}

}  // namespace
}  // namespace octet::cpu
