#include "cuda/driver/api.h"

namespace octet::cuda::driver {
namespace {

constexpr const char* kRemedy = "install an NVIDIA driver for CUDA 12.0 or newer, or use --device cpu";

struct Opened {
  Api api;
  int version = 0;
};

const char* text_of(const Call<Result, const char**>& call, Result result) {
  const char* text = nullptr;
  return call.attempt(result, &text) == kSuccess && text != nullptr ? text : "unknown error";
}

// Fallible steps precede any use of api(): messages must not need what is being opened.
Opened open() {
  const std::string names[] = {"libcuda.so.1"};
  Opened opened{Api(open_library(names, kRemedy))};
  const Api& api = opened.api;
  if (api.driver_version.attempt(&opened.version) != kSuccess) opened.version = 0;
  if (opened.version < 12000)
    throw Error(Code::kUnsupported, fmt::format("the NVIDIA driver is for CUDA {}.{}", opened.version / 1000, opened.version % 1000 / 10),
                kRemedy);
  const Result result = api.init.attempt(0);
  if (result == kNoDevice)
    throw Error(Code::kUnsupported, "the NVIDIA driver finds no GPU", "check nvidia-smi and CUDA_VISIBLE_DEVICES, or use --device cpu");
  if (result != kSuccess)
    throw Error(
        Code::kUnsupported,
        fmt::format("the NVIDIA driver does not start: {} ({})", text_of(api.error_name, result), text_of(api.error_string, result)),
        kRemedy);
  return opened;
}

const Opened& opened() {
  static const Opened instance = open();  // a failure is tried again: environments change in tests
  return instance;
}

}  // namespace

const Api& api() { return opened().api; }
int version() { return opened().version; }

std::string name_of(Result result) {
  const Api& a = api();
  return fmt::format("{} ({})", text_of(a.error_name, result), text_of(a.error_string, result));
}

bool is_sticky(Result result) {
  for (const Result sticky : {kEccUncorrectable, kNvlinkUncorrectable, kIllegalAddress, kLaunchTimeout, kAssert, kHardwareStackError,
                              kIllegalInstruction, kMisalignedAddress, kInvalidAddressSpace, kInvalidPc, kLaunchFailed})
    if (result == sticky) return true;
  return false;
}

void fail_call(const char* name, Result result) {
  const bool memory = result == kOutOfMemory;
  throw CallError(memory ? Code::kUnsupported : Code::kInternal, fmt::format("{}: {}", name, name_of(result)),
                  memory ? "free memory of the GPU (nvidia-smi shows who holds it) or use a smaller batch" : "", result);
}

}  // namespace octet::cuda::driver
