#include "cuda/backend.h"

#include <charconv>
#include <cstdlib>

#include "base/error.h"
#include "base/text.h"
#include "cuda/driver/nvrtc.h"
#include "cuda/executable.h"

namespace octet::cuda {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

class CudaBackend : public Backend {
 public:
  CudaBackend(int ordinal, const CudaOptions& options) : device_(Device::open(ordinal)), options_(options) { nvrtc::version(); }
  std::string name() const override { return describe(device_->gpu()); }
  std::shared_ptr<const Executable> prepare(std::shared_ptr<const plan::Plan> plan, const PrepareOptions& options) const override {
    if (options.prepack != Prepack::kStored)
      throw Error(Code::kUsage, "prepack=bf16 is for the CPU: a GPU multiplies FP8 weights as they are", "leave it out, or choose the CPU");
    return std::make_shared<CudaExecutable>(std::move(plan), device_, options_);
  }

 private:
  std::shared_ptr<Device> device_;
  CudaOptions options_;
};

}  // namespace

CudaOptions from_environment(CudaOptions base) {
  if (environment("OCTET_CUDA_PORTABLE") == "1") base.portable_code = true;
  if (environment("OCTET_CUDA_TUNE") == "0") base.tune = false;
  if (const std::string rows = environment("OCTET_CUDA_ROWS"); !rows.empty()) base.rows = split(rows, ',');
  return base;
}

std::unique_ptr<Backend> make_backend(int ordinal, const CudaOptions& options) { return std::make_unique<CudaBackend>(ordinal, options); }

int ordinal_of(const std::string& device) {
  if (device == "cuda") return 0;
  constexpr std::string_view kPrefix = "cuda:";
  if (!device.starts_with(kPrefix)) return -1;
  int ordinal = -1;
  const char* begin = device.data() + kPrefix.size();
  const char* end = device.data() + device.size();
  const auto [stop, error] = std::from_chars(begin, end, ordinal);
  return error == std::errc() && stop == end && begin != end ? ordinal : -1;
}

}  // namespace octet::cuda
