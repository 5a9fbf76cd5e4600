// The few calls of the CUDA driver that octet makes, declared here so that nothing of CUDA is needed to build it. Source: CUDA 13.0
// driver API reference; api_test.cpp compares every constant and layout with cuda.h where there is one. A symbol's _v2 is the
// name that cuda.h's macros map to since CUDA 3.2 (11.0 for the primary context). The newest call here is of CUDA 12.0.
#pragma once
#include <cstddef>
#include <cstdint>

#include "cuda/driver/library.h"

namespace octet::cuda::driver {

using Result = int;              // CUresult
using DeviceNumber = int;        // CUdevice
using DevicePointer = uint64_t;  // CUdeviceptr
using ContextHandle = struct CUctx_st*;
using ModuleHandle = struct CUmod_st*;
using FunctionHandle = struct CUfunc_st*;
using StreamHandle = struct CUstream_st*;
using EventHandle = struct CUevent_st*;
using GraphHandle = struct CUgraph_st*;
using GraphExecHandle = struct CUgraphExec_st*;

// CUresult
inline constexpr Result kSuccess = 0, kOutOfMemory = 2, kNoDevice = 100, kEccUncorrectable = 214, kNvlinkUncorrectable = 220,
                        kUnsupportedPtxVersion = 222, kIllegalAddress = 700, kLaunchTimeout = 702, kAssert = 710, kHardwareStackError = 714,
                        kIllegalInstruction = 715, kMisalignedAddress = 716, kInvalidAddressSpace = 717, kInvalidPc = 718,
                        kLaunchFailed = 719;
// CUdevice_attribute
inline constexpr int kClockRate = 13, kMultiprocessorCount = 16, kMemoryClockRate = 36, kMemoryBusWidth = 37, kL2CacheSize = 38,
                     kComputeCapabilityMajor = 75, kComputeCapabilityMinor = 76, kMaxSharedMemoryPerBlockOptin = 97;
// CUfunction_attribute
inline constexpr int kMaxDynamicSharedSizeBytes = 8, kNonPortableClusterSizeAllowed = 14;
// CUlaunchAttributeID
inline constexpr int kClusterDimension = 4, kProgrammaticStreamSerialization = 6;
inline constexpr unsigned kStreamNonBlocking = 1;  // CU_STREAM_NON_BLOCKING
inline constexpr int kCaptureModeThreadLocal = 1;  // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
// CUtensorMapDataType, CUtensorMapL2promotion
inline constexpr int kTensorUint8 = 0, kTensorFloat16 = 6, kTensorFloat32 = 7, kTensorBfloat16 = 9, kPromote256 = 3;

struct alignas(8) LaunchAttribute {  // CUlaunchAttribute
  int id = 0;
  char pad[4] = {};
  union Value {
    char bytes[64];
    uint32_t cluster[3];  // blocks in x, y, z
    int programmatic_serialization;
  } value = {};
};
struct LaunchConfig {  // CUlaunchConfig
  uint32_t grid[3], block[3], shared_bytes;
  StreamHandle stream;
  LaunchAttribute* attributes;
  uint32_t attribute_count;
};

// A function of the driver with its signature. Calling it throws what fail_call makes of a result other than success.
[[noreturn]] void fail_call(const char* name, Result result);
template <class... Args>
class Call {
 public:
  Call(const Library& library, const char* name) : name_(name), function_(reinterpret_cast<Result (*)(Args...)>(library.symbol(name))) {}
  void operator()(Args... args) const {
    if (const Result result = function_(args...); result != kSuccess) fail_call(name_, result);
  }
  Result attempt(Args... args) const { return function_(args...); }  // for destructors and expected failures

 private:
  const char* name_;
  Result (*function_)(Args...);
};

struct Api {
  explicit Api(Library opened) : library(std::move(opened)) {}
  Library library;
  Call<unsigned> init{library, "cuInit"};
  Call<int*> driver_version{library, "cuDriverGetVersion"};
  Call<Result, const char**> error_name{library, "cuGetErrorName"}, error_string{library, "cuGetErrorString"};
  Call<int*> device_count{library, "cuDeviceGetCount"};
  Call<DeviceNumber*, int> device_get{library, "cuDeviceGet"};
  Call<char*, int, DeviceNumber> device_name{library, "cuDeviceGetName"};
  Call<int*, int, DeviceNumber> device_attribute{library, "cuDeviceGetAttribute"};
  Call<size_t*, DeviceNumber> device_memory{library, "cuDeviceTotalMem_v2"};
  Call<ContextHandle*, DeviceNumber> primary_retain{library, "cuDevicePrimaryCtxRetain"};
  Call<DeviceNumber> primary_release{library, "cuDevicePrimaryCtxRelease_v2"};
  Call<ContextHandle> push{library, "cuCtxPushCurrent_v2"};
  Call<ContextHandle*> pop{library, "cuCtxPopCurrent_v2"}, current{library, "cuCtxGetCurrent"};
  Call<size_t*, size_t*> memory_info{library, "cuMemGetInfo_v2"};
  Call<DevicePointer*, size_t> memory_alloc{library, "cuMemAlloc_v2"};
  Call<DevicePointer> memory_free{library, "cuMemFree_v2"};
  Call<void**, size_t, unsigned> host_alloc{library, "cuMemHostAlloc"};
  Call<void*> host_free{library, "cuMemFreeHost"};
  Call<DevicePointer, const void*, size_t, StreamHandle> copy_to_device{library, "cuMemcpyHtoDAsync_v2"};
  Call<void*, DevicePointer, size_t, StreamHandle> copy_to_host{library, "cuMemcpyDtoHAsync_v2"};
  Call<DevicePointer, DevicePointer, size_t, StreamHandle> copy_on_device{library, "cuMemcpyDtoDAsync_v2"};
  Call<StreamHandle*, unsigned> stream_create{library, "cuStreamCreate"};
  Call<StreamHandle> stream_destroy{library, "cuStreamDestroy_v2"}, stream_synchronize{library, "cuStreamSynchronize"};
  Call<StreamHandle, int> begin_capture{library, "cuStreamBeginCapture_v2"};
  Call<StreamHandle, GraphHandle*> end_capture{library, "cuStreamEndCapture"};
  Call<EventHandle*, unsigned> event_create{library, "cuEventCreate"};
  Call<EventHandle> event_destroy{library, "cuEventDestroy_v2"};
  Call<EventHandle, StreamHandle> event_record{library, "cuEventRecord"};
  Call<float*, EventHandle, EventHandle> event_elapsed{library, "cuEventElapsedTime"};
  Call<ModuleHandle*, const void*> module_load{library, "cuModuleLoadData"};
  Call<ModuleHandle> module_unload{library, "cuModuleUnload"};
  Call<FunctionHandle*, ModuleHandle, const char*> module_function{library, "cuModuleGetFunction"};
  Call<FunctionHandle, int, int> function_set{library, "cuFuncSetAttribute"};
  Call<const LaunchConfig*, FunctionHandle, void**, void**> launch{library, "cuLaunchKernelEx"};
  Call<GraphExecHandle*, GraphHandle, unsigned long long> graph_instantiate{library, "cuGraphInstantiateWithFlags"};
  Call<GraphExecHandle, StreamHandle> graph_launch{library, "cuGraphLaunch"};
  Call<GraphExecHandle> graph_exec_destroy{library, "cuGraphExecDestroy"};
  Call<GraphHandle> graph_destroy{library, "cuGraphDestroy"};
  Call<void*, int, uint32_t, void*, const uint64_t*, const uint64_t*, const uint32_t*, const uint32_t*, int, int, int, int>
      tensor_map_tiled{library, "cuTensorMapEncodeTiled"};
};

// The driver of this machine, opened and initialised once. Throws Error{kUnsupported} with the reason and a remedy where there is none
// or it is older than CUDA 12.
const Api& api();
int version();  // of the CUDA API that the driver has: 13000 for 13.0

// A failed call: Error{kInternal}, or kUnsupported when memory ran out. `result` tells a lost context (is_sticky) from the rest.
class CallError : public Error {
 public:
  CallError(Code code, std::string message, std::string fix, Result result)
      : Error(code, std::move(message), std::move(fix)), result(result) {}
  Result result;
};
// After these the process can do nothing more on that GPU: every later call returns the same.
bool is_sticky(Result result);
std::string name_of(Result result);  // "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered)"

}  // namespace octet::cuda::driver
