// write_test_plans DIR: the tiny synthetic towers of plan/testing.h as DIR/text.plan, DIR/image.plan and DIR/bytes.plan, a valid input
// of two items for each as DIR/text.bin and so on, and what the oracle makes of it as DIR/text.expected.
#include <filesystem>
#include <fstream>

#include "oracle/backend.h"
#include "plan/io.h"
#include "plan/testing.h"
#include "runtime/engine.h"

using namespace octet;

namespace {

void write_bytes(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

void write_case(const plan::Plan& plan, const std::filesystem::path& dir) {
  constexpr int64_t kBatch = 2;
  plan::write(plan, dir / (plan.name + ".plan"));
  const auto engine = runtime::Engine::make(std::make_shared<plan::Plan>(plan), *oracle::make_backend());
  const TensorInfo& in = engine->inputs().at(0);
  HostTensor input(in.dtype, {kBatch, static_cast<int64_t>(in.bytes_per_item / size_of(in.dtype))});
  for (int64_t i = 0; i < input.count(); ++i)
    is_integer(in.dtype) ? input.set_int(i, in.dtype == DType::u8 ? i * 37 % 256 : i % 11)
                         : input.set(i, 0.01 * static_cast<double>(i % 97) - 0.5);
  write_bytes(dir / (plan.name + ".bin"), input.bytes());
  std::vector<std::vector<std::byte>> memory;
  std::vector<TensorView> outputs;
  for (const TensorInfo& info : engine->outputs()) {
    memory.emplace_back(info.bytes_per_item * kBatch);
    outputs.push_back({info.name, info.dtype, memory.back().data(), memory.back().size()});
  }
  const TensorView view{in.name, in.dtype, input.mutable_data(), input.bytes().size()};
  runtime::Session(engine).run(kBatch, {&view, 1}, outputs);
  write_bytes(dir / (plan.name + ".expected"), memory[0]);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  write_case(plan::testing::text_plan(), argv[1]);
  write_case(plan::testing::image_plan(), argv[1]);
  write_case(plan::testing::bytes_plan(), argv[1]);
}
