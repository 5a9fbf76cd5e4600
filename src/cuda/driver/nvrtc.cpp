#include "cuda/driver/nvrtc.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>

#include "cuda/driver/api.h"

namespace octet::cuda::nvrtc {
namespace {

using Handle = struct _nvrtcProgram*;
constexpr int kSuccess = 0;

template <class... Args>
struct Call {
  Call(const Library& library, const char* name) : name(name), function(reinterpret_cast<int (*)(Args...)>(library.symbol(name))) {}
  void operator()(Args... args) const {
    if (const int result = function(args...); result != kSuccess) fail(Code::kInternal, "{}: NVRTC error {}", name, result);
  }
  const char* name;
  int (*function)(Args...);
};

struct Api {
  explicit Api(Library opened) : library(std::move(opened)) {}
  Library library;
  Call<int*, int*> version{library, "nvrtcVersion"};
  Call<int*> count{library, "nvrtcGetNumSupportedArchs"}, supported{library, "nvrtcGetSupportedArchs"};
  Call<Handle*, const char*, const char*, int, const char* const*, const char* const*> create{library, "nvrtcCreateProgram"};
  Call<Handle*> destroy{library, "nvrtcDestroyProgram"};
  Call<Handle, int, const char* const*> compile{library, "nvrtcCompileProgram"};
  Call<Handle, size_t*> log_size{library, "nvrtcGetProgramLogSize"}, cubin_size{library, "nvrtcGetCUBINSize"},
      ptx_size{library, "nvrtcGetPTXSize"};
  Call<Handle, char*> log{library, "nvrtcGetProgramLog"}, cubin{library, "nvrtcGetCUBIN"}, ptx{library, "nvrtcGetPTX"};
};

// The driver loads what its own CUDA version and older ones compile: its version goes first.
std::vector<std::string> names() {
  int driver = 0;
  try {
    driver = driver::version() / 1000;
  } catch (const Error&) {  // no driver: compiling alone works all the same
  }
  if (driver == 12) return {"libnvrtc.so.12", "libnvrtc.so.13"};
  return {"libnvrtc.so.13", "libnvrtc.so.12"};
}

// NVRTC opens libnvrtc-builtins by name alone, which fails where the loader does not search (Python's wheels): open it before.
void open_builtins(const Library& library, int major, int minor) {
  Dl_info info{};
  if (::dladdr(library.find("nvrtcVersion"), &info) == 0 || info.dli_fname == nullptr) return;
  const auto path = std::filesystem::path(info.dli_fname).parent_path() / fmt::format("libnvrtc-builtins.so.{}.{}", major, minor);
  ::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
}

struct Opened {
  Api api;
  Version version;
  std::vector<int> supported;
};
Opened open() {
  Opened opened{
      Api(open_library(names(), "pip install nvidia-cuda-nvrtc, or set OCTET_CUDA_PATH to a CUDA toolkit of version 12 or 13")), {}, {}};
  opened.api.version(&opened.version.major, &opened.version.minor);
  open_builtins(opened.api.library, opened.version.major, opened.version.minor);
  int count = 0;
  opened.api.count(&count);
  opened.supported.resize(static_cast<size_t>(count));
  opened.api.supported(opened.supported.data());
  std::ranges::sort(opened.supported);
  return opened;
}
const Opened& opened() {
  static const Opened instance = open();
  return instance;
}

struct Program {
  const Api& api;
  Handle handle = nullptr;
  ~Program() { api.destroy.function(&handle); }
};

std::string log_of(const Api& api, Handle handle) {
  size_t size = 0;
  if (api.log_size.function(handle, &size) != kSuccess || size <= 1) return "(no log)";
  std::string log(size, 0);
  if (api.log.function(handle, log.data()) != kSuccess) return "(no log)";
  log.resize(size - 1);
  return log;
}

}  // namespace

Version version() { return opened().version; }
std::string path() { return opened().api.library.path(); }
std::span<const int> supported() { return opened().supported; }

std::vector<std::byte> compile(const Source& source, std::span<const Source> headers, std::span<const std::string> options) {
  const Api& api = opened().api;
  std::vector<const char*> texts, header_names, flags;
  std::vector<std::string> owned;  // names need their 0 bytes
  for (const Source& header : headers) owned.emplace_back(header.name), texts.push_back(header.text.data());
  for (const std::string& name : owned) header_names.push_back(name.c_str());
  for (const std::string& option : options) flags.push_back(option.c_str());
  Program program{api};
  api.create(&program.handle, source.text.data(), std::string(source.name).c_str(), static_cast<int>(headers.size()), texts.data(),
             header_names.data());
  if (api.compile.function(program.handle, static_cast<int>(flags.size()), flags.data()) != kSuccess)
    throw Error(
        Code::kInternal,
        fmt::format("NVRTC {}.{} does not compile {}:\n{}", version().major, version().minor, source.name, log_of(api, program.handle)),
        "please report this with the lines above");
  size_t size = 0;
  const bool cubin = api.cubin_size.function(program.handle, &size) == kSuccess && size > 0;
  if (!cubin) api.ptx_size(program.handle, &size);
  std::vector<std::byte> image(size);
  (cubin ? api.cubin : api.ptx)(program.handle, reinterpret_cast<char*>(image.data()));
  return image;
}

}  // namespace octet::cuda::nvrtc
