// Our declarations of the driver API against NVIDIA's, where the machine that builds has them. Everything is checked at compile time.
#include "cuda/driver/api.h"

#include <gtest/gtest.h>

#include "cuda/driver/tensor_map.h"

#if __has_include(<cuda.h>)
#include <cuda.h>

namespace octet::cuda::driver {
namespace {

static_assert(sizeof(Result) == sizeof(CUresult) && sizeof(DeviceNumber) == sizeof(CUdevice));
static_assert(sizeof(DevicePointer) == sizeof(CUdeviceptr) && sizeof(Address) == sizeof(CUdeviceptr));
static_assert(kSuccess == CUDA_SUCCESS && kOutOfMemory == CUDA_ERROR_OUT_OF_MEMORY && kNoDevice == CUDA_ERROR_NO_DEVICE);
static_assert(kEccUncorrectable == CUDA_ERROR_ECC_UNCORRECTABLE && kNvlinkUncorrectable == CUDA_ERROR_NVLINK_UNCORRECTABLE);
static_assert(kUnsupportedPtxVersion == CUDA_ERROR_UNSUPPORTED_PTX_VERSION && kIllegalAddress == CUDA_ERROR_ILLEGAL_ADDRESS);
static_assert(kLaunchTimeout == CUDA_ERROR_LAUNCH_TIMEOUT && kAssert == CUDA_ERROR_ASSERT);
static_assert(kHardwareStackError == CUDA_ERROR_HARDWARE_STACK_ERROR && kIllegalInstruction == CUDA_ERROR_ILLEGAL_INSTRUCTION);
static_assert(kMisalignedAddress == CUDA_ERROR_MISALIGNED_ADDRESS && kInvalidAddressSpace == CUDA_ERROR_INVALID_ADDRESS_SPACE);
static_assert(kInvalidPc == CUDA_ERROR_INVALID_PC && kLaunchFailed == CUDA_ERROR_LAUNCH_FAILED);
static_assert(kClockRate == CU_DEVICE_ATTRIBUTE_CLOCK_RATE && kMemoryClockRate == CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE &&
              kMemoryBusWidth == CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH);
static_assert(kMultiprocessorCount == CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT && kL2CacheSize == CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
static_assert(kComputeCapabilityMajor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
static_assert(kComputeCapabilityMinor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
static_assert(kMaxSharedMemoryPerBlockOptin == CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
static_assert(kMaxDynamicSharedSizeBytes == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
static_assert(kNonPortableClusterSizeAllowed == CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED);
static_assert(kClusterDimension == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION);
static_assert(kProgrammaticStreamSerialization == CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION);
static_assert(kStreamNonBlocking == CU_STREAM_NON_BLOCKING && kCaptureModeThreadLocal == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
static_assert(kTensorUint8 == CU_TENSOR_MAP_DATA_TYPE_UINT8 && kTensorFloat16 == CU_TENSOR_MAP_DATA_TYPE_FLOAT16);
static_assert(kTensorFloat32 == CU_TENSOR_MAP_DATA_TYPE_FLOAT32 && kTensorBfloat16 == CU_TENSOR_MAP_DATA_TYPE_BFLOAT16);
static_assert(kPromote256 == CU_TENSOR_MAP_L2_PROMOTION_L2_256B);
static_assert(int(Swizzle::kNone) == CU_TENSOR_MAP_SWIZZLE_NONE && int(Swizzle::k32) == CU_TENSOR_MAP_SWIZZLE_32B);
static_assert(int(Swizzle::k64) == CU_TENSOR_MAP_SWIZZLE_64B && int(Swizzle::k128) == CU_TENSOR_MAP_SWIZZLE_128B);
static_assert(CU_TENSOR_MAP_INTERLEAVE_NONE == 0 && CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE == 0);
static_assert(sizeof(TensorMap) == sizeof(CUtensorMap) && alignof(CUtensorMap) <= 128);

static_assert(sizeof(LaunchAttribute) == sizeof(CUlaunchAttribute) && alignof(LaunchAttribute) == alignof(CUlaunchAttribute));
static_assert(offsetof(LaunchAttribute, value) == offsetof(CUlaunchAttribute, value));
static_assert(sizeof(CUlaunchAttributeValue::clusterDim) == sizeof(LaunchAttribute::Value::cluster));
static_assert(offsetof(CUlaunchAttributeValue, clusterDim) == 0 &&
              offsetof(CUlaunchAttributeValue, programmaticStreamSerializationAllowed) == 0);
static_assert(sizeof(LaunchConfig) == sizeof(CUlaunchConfig));
static_assert(offsetof(LaunchConfig, block) == offsetof(CUlaunchConfig, blockDimX));
static_assert(offsetof(LaunchConfig, shared_bytes) == offsetof(CUlaunchConfig, sharedMemBytes));
static_assert(offsetof(LaunchConfig, stream) == offsetof(CUlaunchConfig, hStream));
static_assert(offsetof(LaunchConfig, attributes) == offsetof(CUlaunchConfig, attrs));
static_assert(offsetof(LaunchConfig, attribute_count) == offsetof(CUlaunchConfig, numAttrs));

// Signatures: our parameter lists have the sizes and order of cuda.h's. Pointers and handles count as pointers, enums as int.
template <class T>
struct Plain {
  using type = T;
};
template <class T>
requires std::is_pointer_v<T>
struct Plain<T> {
  using type = void*;
};
template <class T>
requires std::is_enum_v<T>
struct Plain<T> {
  using type = int;
};
template <class T>
requires std::is_integral_v<T>
struct Plain<T> {
  using type = std::conditional_t<sizeof(T) == 8, long long, int>;
};
template <class... A, class... B>
constexpr bool same_call(const Call<A...>*, CUresult (*)(B...)) {
  if constexpr (sizeof...(A) != sizeof...(B)) return false;
  else return (std::is_same_v<typename Plain<A>::type, typename Plain<B>::type> && ...);
}
#define SAME(member, function) static_assert(same_call(static_cast<const decltype(Api::member)*>(nullptr), function))
SAME(init, cuInit);
SAME(driver_version, cuDriverGetVersion);
SAME(error_name, cuGetErrorName);
SAME(device_count, cuDeviceGetCount);
SAME(device_get, cuDeviceGet);
SAME(device_name, cuDeviceGetName);
SAME(device_attribute, cuDeviceGetAttribute);
SAME(device_memory, cuDeviceTotalMem);
SAME(primary_retain, cuDevicePrimaryCtxRetain);
SAME(primary_release, cuDevicePrimaryCtxRelease);
SAME(push, cuCtxPushCurrent);
SAME(pop, cuCtxPopCurrent);
SAME(current, cuCtxGetCurrent);
SAME(memory_info, cuMemGetInfo);
SAME(memory_alloc, cuMemAlloc);
SAME(memory_free, cuMemFree);
SAME(host_alloc, cuMemHostAlloc);
SAME(host_free, cuMemFreeHost);
SAME(copy_to_device, cuMemcpyHtoDAsync);
SAME(copy_to_host, cuMemcpyDtoHAsync);
SAME(copy_on_device, cuMemcpyDtoDAsync);
SAME(stream_create, cuStreamCreate);
SAME(stream_destroy, cuStreamDestroy);
SAME(stream_synchronize, cuStreamSynchronize);
SAME(begin_capture, cuStreamBeginCapture);
SAME(end_capture, cuStreamEndCapture);
SAME(event_create, cuEventCreate);
SAME(event_destroy, cuEventDestroy);
SAME(event_record, cuEventRecord);
SAME(event_elapsed, cuEventElapsedTime);
SAME(module_load, cuModuleLoadData);
SAME(module_unload, cuModuleUnload);
SAME(module_function, cuModuleGetFunction);
SAME(function_set, cuFuncSetAttribute);
SAME(launch, cuLaunchKernelEx);
SAME(graph_instantiate, cuGraphInstantiateWithFlags);
SAME(graph_launch, cuGraphLaunch);
SAME(graph_exec_destroy, cuGraphExecDestroy);
SAME(graph_destroy, cuGraphDestroy);
SAME(tensor_map_tiled, cuTensorMapEncodeTiled);
#undef SAME

TEST(Driver, DeclarationsAgreeWithCudaHeader) { SUCCEED() << "checked by the compiler"; }

}  // namespace
}  // namespace octet::cuda::driver

#else
TEST(Driver, DeclarationsAgreeWithCudaHeader) { GTEST_SKIP() << "no <cuda.h> where this was built"; }
#endif

#if __has_include(<cublasLt.h>)
#include <cublasLt.h>

#include "cuda/driver/cublaslt.h"

static_assert(sizeof(octet::cuda::cublaslt::Algorithm) == sizeof(cublasLtMatmulAlgo_t));
static_assert(sizeof(octet::cuda::cublaslt::Heuristic) == sizeof(cublasLtMatmulHeuristicResult_t));
static_assert(offsetof(octet::cuda::cublaslt::Heuristic, state) == offsetof(cublasLtMatmulHeuristicResult_t, state));
static_assert(CUBLAS_COMPUTE_32F == 68 && CUBLAS_OP_T == 1 && CUBLASLT_MATMUL_DESC_TRANSA == 3 &&
              CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES == 1);
static_assert(CUDA_R_32F == 0 && CUDA_R_16F == 2 && CUDA_R_16BF == 14 && CUDA_R_8F_E4M3 == 28);
#endif
