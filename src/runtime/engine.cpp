#include "runtime/engine.h"

#include <new>

#include "base/error.h"
#include "plan/io.h"

namespace octet::runtime {
namespace {

std::vector<TensorInfo> describe(const plan::Plan& plan, std::span<const plan::Binding> bindings) {
  std::vector<TensorInfo> infos;
  for (const plan::Binding& binding : bindings) {
    const plan::Buffer& buffer = plan.buffers.at(binding.buffer);
    TensorInfo info{binding.name, buffer.dtype, {-1}, plan::bytes_per_item(buffer)};
    info.dims.insert(info.dims.end(), buffer.dims.begin(), buffer.dims.end());
    infos.push_back(std::move(info));
  }
  return infos;
}

}  // namespace

std::shared_ptr<const Engine> Engine::load(const std::filesystem::path& path, const Backend& backend, const PrepareOptions& options) {
  auto plan = std::make_shared<const plan::Plan>(plan::read(path));
  return with_context([&] { return "loading engine " + path.string(); }, [&] { return make(std::move(plan), backend, options); });
}

std::shared_ptr<const Engine> Engine::make(std::shared_ptr<const plan::Plan> plan, const Backend& backend, const PrepareOptions& options) {
  std::shared_ptr<Engine> engine(new Engine);
  engine->plan_ = std::move(plan);
  engine->device_ = backend.name();
  engine->inputs_ = describe(*engine->plan_, engine->plan_->inputs);
  engine->outputs_ = describe(*engine->plan_, engine->plan_->outputs);
  try {
    engine->executable_ = backend.prepare(engine->plan_, options);
  } catch (const std::bad_alloc&) {
    throw Error(Code::kUnsupported, "not enough memory for the weights of this engine");
  }
  return engine;
}

}  // namespace octet::runtime
