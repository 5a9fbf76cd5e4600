// A driver without a GPU, for tests of everything but kernels: device memory is host memory, copies copy, launches are only
// checked. It is strict where the real one is: handles must live, addresses must lie in allocations, a stream that captures must
// not be waited for. FAKE_CUDA_SM is its compute capability (90), FAKE_CUDA_MEMORY its bytes; with FAKE_CUDA_LOSE=CODE the next launch
// fails with CODE, and every later call too, as after an illegal address.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

enum : int { kOk = 0, kInvalid = 1, kNoMemory = 2, kBadContext = 201, kBadHandle = 400, kCaptureForbids = 900 };

struct Event {
  std::chrono::steady_clock::time_point time;
  bool recorded = false;
};
struct Config {
  uint32_t grid[3], block[3], shared_bytes;
  void* stream;
  void* attributes;
  uint32_t attribute_count;
};

std::mutex mutex;
std::map<uintptr_t, size_t> allocations, pinned;
std::set<void*> streams, events, modules, graphs, executables, capturing;
std::map<void*, int> shared;  // by function: what it may ask for
size_t used = 0;
int lost = 0;
thread_local int contexts = 0;

size_t total() {
  const char* text = std::getenv("FAKE_CUDA_MEMORY");
  return text ? std::strtoull(text, nullptr, 10) : size_t{8} << 30;
}

int usable() { return lost ? lost : contexts > 0 ? kOk : kBadContext; }

bool inside(const std::map<uintptr_t, size_t>& all, uintptr_t at, size_t bytes) {
  auto it = all.upper_bound(at);
  if (it == all.begin()) return false;
  --it;
  return at + bytes <= it->first + it->second;
}

void* make(std::set<void*>& all, size_t bytes = 1) {
  void* handle = std::calloc(1, bytes);
  all.insert(handle);
  return handle;
}
int destroy(std::set<void*>& all, void* handle) {
  if (all.erase(handle) == 0) return kBadHandle;
  std::free(handle);
  return kOk;
}

int launched() {
  const char* code = std::getenv("FAKE_CUDA_LOSE");
  return lost = code ? std::atoi(code) : kOk;
}

}  // namespace

#define GUARD                         \
  const std::lock_guard guard(mutex); \
  if (const int bad = usable()) return bad

EXPORT int cuInit(unsigned) { return kOk; }
EXPORT int cuGetExportTable(const void**, const void*) { return kInvalid; }  // NVRTC asks
EXPORT int cuDriverGetVersion(int* version) { return *version = 13000, kOk; }
EXPORT int cuGetErrorName(int code, const char** text) {
  return *text = code == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_FAKE", kOk;
}
EXPORT int cuGetErrorString(int, const char** text) { return *text = "said by the fake driver", kOk; }
EXPORT int cuDeviceGetCount(int* count) { return *count = 1, kOk; }
EXPORT int cuDeviceGet(int* device, int ordinal) { return *device = ordinal, ordinal == 0 ? kOk : kInvalid; }
EXPORT int cuDeviceGetName(char* name, int size, int) { return std::snprintf(name, static_cast<size_t>(size), "Fake GPU"), kOk; }
EXPORT int cuDeviceGetAttribute(int* value, int which, int) {
  const char* text = std::getenv("FAKE_CUDA_SM");
  const int sm = text ? std::atoi(text) : 90;
  *value = which == 75 ? sm / 10 : which == 76 ? sm % 10 : which == 16 ? 132 : which == 97 ? 232448 : which == 38 ? 50 << 20 : 0;
  return kOk;
}
EXPORT int cuDeviceTotalMem_v2(size_t* bytes, int) { return *bytes = total(), kOk; }
EXPORT int cuDevicePrimaryCtxRetain(void** context, int) { return *context = &contexts, kOk; }
EXPORT int cuDevicePrimaryCtxRelease_v2(int) { return kOk; }
EXPORT int cuCtxPushCurrent_v2(void*) { return ++contexts, kOk; }
EXPORT int cuCtxPopCurrent_v2(void**) { return contexts-- > 0 ? kOk : kBadContext; }
EXPORT int cuCtxGetCurrent(void** context) { return *context = contexts > 0 ? &contexts : nullptr, kOk; }
EXPORT int cuMemGetInfo_v2(size_t* free, size_t* all) {
  GUARD;
  return *all = total(), *free = total() - used, kOk;
}
EXPORT int cuMemAlloc_v2(uint64_t* address, size_t bytes) {
  GUARD;
  if (bytes == 0) return kInvalid;
  if (used + bytes > total()) return kNoMemory;
  void* memory = std::aligned_alloc(512, (bytes + 511) / 512 * 512);
  if (!memory) return kNoMemory;
  std::memset(memory, 0xcd, bytes);  // never read as zeros by luck
  used += bytes;
  allocations[reinterpret_cast<uintptr_t>(memory)] = bytes;
  return *address = reinterpret_cast<uint64_t>(memory), kOk;
}
EXPORT int cuMemFree_v2(uint64_t address) {
  GUARD;
  const auto it = allocations.find(address);
  if (it == allocations.end()) return kInvalid;
  used -= it->second;
  allocations.erase(it);
  return std::free(reinterpret_cast<void*>(address)), kOk;
}
EXPORT int cuMemHostAlloc(void** memory, size_t bytes, unsigned) {
  GUARD;
  *memory = std::malloc(bytes);
  return pinned[reinterpret_cast<uintptr_t>(*memory)] = bytes, kOk;
}
EXPORT int cuMemFreeHost(void* memory) {
  GUARD;
  if (pinned.erase(reinterpret_cast<uintptr_t>(memory)) == 0) return kInvalid;
  return std::free(memory), kOk;
}
EXPORT int cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void* stream) {
  GUARD;
  if (!streams.count(stream) || !inside(allocations, to, bytes)) return kInvalid;
  return std::memcpy(reinterpret_cast<void*>(to), from, bytes), kOk;
}
EXPORT int cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, void* stream) {
  GUARD;
  if (!streams.count(stream) || !inside(allocations, from, bytes)) return kInvalid;
  return std::memcpy(to, reinterpret_cast<void*>(from), bytes), kOk;
}
EXPORT int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void* stream) {
  GUARD;
  if (!streams.count(stream) || !inside(allocations, from, bytes) || !inside(allocations, to, bytes)) return kInvalid;
  return std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), bytes), kOk;
}
EXPORT int cuStreamCreate(void** stream, unsigned) {
  GUARD;
  return *stream = make(streams), kOk;
}
EXPORT int cuStreamDestroy_v2(void* stream) {
  GUARD;
  return destroy(streams, stream);
}
EXPORT int cuStreamSynchronize(void* stream) {
  GUARD;
  return !streams.count(stream) ? kBadHandle : capturing.count(stream) ? kCaptureForbids : kOk;
}
EXPORT int cuStreamBeginCapture_v2(void* stream, int) {
  GUARD;
  return capturing.insert(stream).second ? kOk : kCaptureForbids;
}
EXPORT int cuStreamEndCapture(void* stream, void** graph) {
  GUARD;
  if (capturing.erase(stream) == 0) return kInvalid;
  return *graph = make(graphs), kOk;
}
EXPORT int cuEventCreate(void** event, unsigned) {
  GUARD;
  return *event = make(events, sizeof(Event)), kOk;
}
EXPORT int cuEventDestroy_v2(void* event) {
  GUARD;
  return destroy(events, event);
}
EXPORT int cuEventRecord(void* event, void* stream) {
  GUARD;
  if (!events.count(event) || !streams.count(stream)) return kBadHandle;
  *static_cast<Event*>(event) = {std::chrono::steady_clock::now(), true};
  return kOk;
}
EXPORT int cuEventElapsedTime(float* ms, void* begin, void* end) {
  GUARD;
  const auto *a = static_cast<Event*>(begin), *b = static_cast<Event*>(end);
  if (!events.count(begin) || !events.count(end) || !a->recorded || !b->recorded) return kBadHandle;
  return *ms = std::chrono::duration<float, std::milli>(b->time - a->time).count(), kOk;
}
EXPORT int cuModuleLoadData(void** module, const void* image) {
  GUARD;
  return image ? (*module = make(modules), kOk) : kInvalid;
}
EXPORT int cuModuleUnload(void* module) {
  GUARD;
  return destroy(modules, module);
}
EXPORT int cuModuleGetFunction(void** function, void* module, const char*) {
  GUARD;
  if (!modules.count(module)) return kBadHandle;
  return shared.emplace(module, 48 << 10), *function = module, kOk;
}
EXPORT int cuFuncSetAttribute(void* function, int attribute, int value) {
  GUARD;
  if (attribute == 8 && value > 232448) return kInvalid;
  if (attribute == 8) shared[function] = value;
  return kOk;
}
EXPORT int cuLaunchKernelEx(const Config* config, void* function, void** params, void**) {
  GUARD;
  if (!modules.count(function) || !streams.count(config->stream) || !params || !params[0]) return kBadHandle;
  if (reinterpret_cast<uintptr_t>(params[0]) % 64 != 0) return kInvalid;
  for (int i = 0; i < 3; ++i)
    if (config->grid[i] == 0 || config->block[i] == 0 || (i > 0 && config->grid[i] > 65535)) return kInvalid;
  if (config->block[0] * config->block[1] * config->block[2] > 1024) return kInvalid;
  if (static_cast<int>(config->shared_bytes) > shared[function]) return kInvalid;
  return launched();
}
EXPORT int cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) {
  GUARD;
  if (!graphs.count(graph)) return kBadHandle;
  return *executable = make(executables), kOk;
}
EXPORT int cuGraphLaunch(void* executable, void* stream) {
  GUARD;
  return executables.count(executable) && streams.count(stream) && !capturing.count(stream) ? kOk : kBadHandle;
}
EXPORT int cuGraphExecDestroy(void* executable) {
  GUARD;
  return destroy(executables, executable);
}
EXPORT int cuGraphDestroy(void* graph) {
  GUARD;
  return destroy(graphs, graph);
}
// The rules of the reference for a tiled map without interleave.
EXPORT int cuTensorMapEncodeTiled(void* map, int type, uint32_t rank, void* base, const uint64_t* dims, const uint64_t* strides,
                                  const uint32_t* box, const uint32_t* steps, int interleave, int swizzle, int, int) {
  const uint64_t size = type == 0 ? 1 : type == 7 ? 4 : 2, inner = box[0] * size;
  if (reinterpret_cast<uintptr_t>(map) % 64 || reinterpret_cast<uintptr_t>(base) % 16 || rank < 1 || rank > 5 || interleave != 0)
    return kInvalid;
  for (uint32_t i = 0; i < rank; ++i)
    if (dims[i] == 0 || dims[i] > uint64_t{1} << 32 || box[i] == 0 || box[i] > 256 || steps[i] != 1) return kInvalid;
  for (uint32_t i = 0; i + 1 < rank; ++i)
    if (strides[i] % 16 || strides[i] >= uint64_t{1} << 40) return kInvalid;
  if (inner % 16 || (swizzle > 0 && inner > (16u << swizzle))) return kInvalid;
  const std::lock_guard guard(mutex);
  return inside(allocations, reinterpret_cast<uintptr_t>(base), rank > 1 ? strides[rank - 2] * (dims[rank - 1] - 1) : dims[0] * size)
             ? kOk
             : kInvalid;
}
