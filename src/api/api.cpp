// The public C++ API over runtime/. It is the only place that knows both the runtime and its backends. Next: api_c.cpp.
#include "base/error.h"
#include "base/version.h"
#include "cpu/backend.h"
#include "cuda/backend.h"
#include "octet/octet.h"
#include "runtime/engine.h"

namespace octet {
namespace {

constexpr int kMaxThreads = 4096;

std::unique_ptr<Backend> make_backend(const std::string& device) {
  if (device == "cpu") return cpu::make_backend();
  if (const int ordinal = cuda::ordinal_of(device); ordinal >= 0)
    return with_context([&] { return "opening device " + device; }, [&] { return cuda::make_backend(ordinal); });
  throw Error(Code::kUsage, "unknown device `" + device + "`", "use `cpu`, `cuda` or `cuda:N`");
}

}  // namespace

struct Engine::Impl {
  std::shared_ptr<const runtime::Engine> engine;
};
struct Session::Impl {
  runtime::Session session;
};

Engine::Engine(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Engine Engine::load(const std::string& path, const EngineOptions& options) {
  if (options.threads < 0 || options.threads > kMaxThreads) fail(Code::kUsage, "{} threads: not in [0, {}]", options.threads, kMaxThreads);
  const auto backend = make_backend(options.device);
  return Engine(std::make_shared<const Impl>(Impl{runtime::Engine::load(
      path, *backend, {.threads = options.threads, .prepack = options.prepack_bf16 ? Prepack::kBf16 : Prepack::kStored})}));
}
const std::vector<TensorInfo>& Engine::inputs() const { return impl_->engine->inputs(); }
const std::vector<TensorInfo>& Engine::outputs() const { return impl_->engine->outputs(); }
const std::string& Engine::name() const { return impl_->engine->plan().name; }
const std::string& Engine::creator() const { return impl_->engine->plan().creator; }
const std::string& Engine::device() const { return impl_->engine->device(); }

Session::Session(const Engine& engine) : impl_(std::make_unique<Impl>(Impl{runtime::Session(engine.impl_->engine)})) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
void Session::reserve(int64_t batch) { impl_->session.reserve(batch); }
void Session::run(int64_t batch, std::span<const TensorView> inputs, std::span<const TensorView> outputs) {
  impl_->session.run(batch, inputs, outputs);
}

std::string_view version() { return build_version(); }

}  // namespace octet
