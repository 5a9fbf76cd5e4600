#include "cuda/program.h"

#include <algorithm>
#include <exception>
#include <thread>

#include "base/cache.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/thread_pool.h"
#include "cuda/sources.h"

namespace octet::cuda {
namespace {

constexpr int kPortable = 89;  // the lowest capability with E4M3 conversions in hardware

std::vector<std::string> options_of(const Program& program, const Gpu& gpu) {
  // Device code has no host functions: lambdas and constexpr helpers need no annotation.
  std::vector<std::string> options{"--std=c++20", "--device-as-default-execution-space",
                                   "--gpu-architecture=" + architecture(program.target, gpu)};
  for (const std::string& define : program.defines) options.push_back("-D" + define);
  return options;
}

std::string title(const Program& program) { return fmt::format("{}:{} {}", program.file, program.entry, join(program.defines, " ")); }

// One compilation at work or done; others that want the same wait for it.
struct Loaded {
  std::mutex mutex;
  std::weak_ptr<const Function> function;
};
struct Registry {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Loaded>> loaded;  // by device and fingerprint
};
Registry& registry() {
  static Registry instance;
  return instance;
}

std::shared_ptr<const Function> load_one(const std::shared_ptr<Device>& device, const Program& program, const Gpu& gpu) {
  std::shared_ptr<Loaded> entry;
  {
    const std::lock_guard lock(registry().mutex);
    auto& known = registry().loaded[fmt::format("{} {}", gpu.ordinal, fingerprint(program, gpu))];
    if (!known) known = std::make_shared<Loaded>();
    entry = known;
  }
  const std::lock_guard lock(entry->mutex);
  if (auto function = entry->function.lock()) return function;
  const Image image = compile(program, gpu);
  const Device::Current current(*device);
  auto function = std::make_shared<const Function>(device, image, program);
  entry->function = function;
  return function;
}

}  // namespace

std::string architecture(Target target, const Gpu& gpu) {
  if (target.exact) return fmt::format("sm_{}a", target.sm);
  const std::span<const int> known = nvrtc::supported();
  if (gpu.portable_code) return fmt::format("compute_{}", std::min(gpu.sm, kPortable));
  if (std::ranges::find(known, gpu.sm) != known.end()) return fmt::format("sm_{}", gpu.sm);
  int newest = kPortable;
  for (const int sm : known)
    if (sm < gpu.sm) newest = std::max(newest, sm);
  return fmt::format("compute_{}", newest);
}

std::string fingerprint(const Program& program, const Gpu& gpu) {
  Hasher128 hasher;
  const auto add = [&](std::string_view text) {
    hasher.update(std::as_bytes(std::span(text)));
    hasher.update(std::as_bytes(std::span("\0", 1)));
  };
  for (const nvrtc::Source& source : sources_of(program.file)) add(source.name), add(source.text);
  for (const std::string& option : options_of(program, gpu)) add(option);
  add(program.entry);
  add(fmt::format("{}.{}", nvrtc::version().major, nvrtc::version().minor));
  return hex(hasher.digest());
}

Image compile(const Program& program, const Gpu& gpu) {
  return with_context([&] { return "compiling " + title(program) + " for " + architecture(program.target, gpu); },
                      [&] {
                        const std::string name = fmt::format("kernel-{}", fingerprint(program, gpu));
                        if (auto bytes = read_cache(name)) return Image{std::move(*bytes), true};
                        const std::vector<nvrtc::Source> all = sources_of(program.file);
                        Image image{nvrtc::compile(all.front(), std::span(all).subspan(1), options_of(program, gpu)), false};
                        write_cache(name, image.bytes);
                        return image;
                      });
}

Function::Function(std::shared_ptr<Device> device, const Image& image, const Program& program)
    : device_(std::move(device)), name_(title(program)) {
  const driver::Result result = driver::api().module_load.attempt(&module_, image.bytes.data());
  if (result == driver::kUnsupportedPtxVersion)
    throw Error(Code::kUnsupported,
                fmt::format("the driver (CUDA {}.{}) does not take code of NVRTC {}.{}", driver::version() / 1000,
                            driver::version() % 1000 / 10, nvrtc::version().major, nvrtc::version().minor),
                "update the NVIDIA driver, or set OCTET_CUDA_PATH to a CUDA toolkit as old as the driver");
  if (result != driver::kSuccess) with_context([&] { return "loading " + name_; }, [&] { driver::fail_call("cuModuleLoadData", result); });
  driver::api().module_function(&handle_, module_, program.entry.c_str());
}
Function::~Function() {
  const Device::Current current(*device_, Device::Current::Unchecked{});
  if (module_ != nullptr) driver::api().module_unload.attempt(module_);
}

void Function::launch(const Launch& launch, const Stream& stream) const {
  const auto& api = driver::api();
  if (launch.shared_bytes > shared_bytes_) {
    const std::lock_guard lock(mutex_);
    const uint32_t most = std::max(launch.shared_bytes, shared_bytes_.load());
    api.function_set(handle_, driver::kMaxDynamicSharedSizeBytes, static_cast<int>(most));
    shared_bytes_ = most;
  }
  driver::LaunchAttribute attributes[2];
  driver::LaunchConfig config{{launch.grid.x, launch.grid.y, launch.grid.z},
                              {launch.block.x, launch.block.y, launch.block.z},
                              launch.shared_bytes,
                              stream.handle(),
                              attributes,
                              0};
  const uint32_t cluster = launch.cluster.x * launch.cluster.y * launch.cluster.z;
  if (cluster > 1) {
    driver::LaunchAttribute& attribute = attributes[config.attribute_count++];
    attribute.id = driver::kClusterDimension;
    attribute.value.cluster[0] = launch.cluster.x, attribute.value.cluster[1] = launch.cluster.y,
    attribute.value.cluster[2] = launch.cluster.z;
    constexpr uint32_t kPortableCluster = 8;
    if (cluster > kPortableCluster) api.function_set(handle_, driver::kNonPortableClusterSizeAllowed, 1);
  }
  constexpr int kCapturesDependence = 12030;  // graphs keep programmatic dependence since CUDA 12.3
  if (launch.dependent && device_->gpu().sm >= 90 && driver::version() >= kCapturesDependence) {
    driver::LaunchAttribute& attribute = attributes[config.attribute_count++];
    attribute.id = driver::kProgrammaticStreamSerialization;
    attribute.value.programmatic_serialization = 1;
  }
  void* params[] = {const_cast<std::byte*>(launch.params.data())};
  with_context([&] { return fmt::format("launching {} ({} bytes of shared memory)", name_, launch.shared_bytes); },
               [&] { api.launch(&config, handle_, params, nullptr); });
}

std::vector<std::shared_ptr<const Function>> load(const std::shared_ptr<Device>& device, std::span<const Program> programs,
                                                  const Gpu& gpu) {
  std::vector<std::shared_ptr<const Function>> functions(programs.size());
  std::vector<std::exception_ptr> errors(programs.size());
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < programs.size(); i = next++) try {
        functions[i] = load_one(device, programs[i], gpu);
      } catch (...) {
        errors[i] = std::current_exception();
      }
  };
  {
    std::vector<std::jthread> helpers;
    const size_t count = std::min(programs.size(), static_cast<size_t>(usable_cores()));
    for (size_t i = 1; i < count; ++i) helpers.emplace_back(work);
    work();
  }
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
  return functions;
}

}  // namespace octet::cuda
