// Kernels from source to a launchable function: NVRTC, a cache of machine code per user (base/cache.h) and process, modules.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "cuda/device.h"

namespace octet::cuda {

// NVRTC's name of what a program is compiled to on a GPU: "sm_90a" if its target is exact, else "sm_90", else (the GPU is newer than
// NVRTC, or portable code is asked for) "compute_89": PTX, which the driver compiles.
std::string architecture(Target target, const Gpu& gpu);

struct Image {
  std::vector<std::byte> bytes;  // a cubin, or PTX with its 0 byte
  bool cached = false;
};
// Needs NVRTC but no GPU. Throws Error{kUnsupported} (no NVRTC), Error{kInternal} with the compiler's log.
Image compile(const Program& program, const Gpu& gpu);

// A loaded kernel. Launches are thread-safe.
class Function {
 public:
  Function(std::shared_ptr<Device> device, const Image& image, const Program& program);
  ~Function();
  Function(const Function&) = delete;
  Function& operator=(const Function&) = delete;
  void launch(const Launch& launch, const Stream& stream) const;

 private:
  std::shared_ptr<Device> device_;
  std::string name_;
  driver::ModuleHandle module_ = nullptr;
  driver::FunctionHandle handle_ = nullptr;
  mutable std::mutex mutex_;
  mutable std::atomic<uint32_t> shared_bytes_{48 << 10};  // what launches may ask for so far
};

// Compiles (in parallel) and loads programs, each distinct one once a process and device. The device must be current.
std::vector<std::shared_ptr<const Function>> load(const std::shared_ptr<Device>& device, std::span<const Program> programs, const Gpu& gpu);

// Identifies a compilation, its sources and NVRTC: for cache keys.
std::string fingerprint(const Program& program, const Gpu& gpu);

}  // namespace octet::cuda
