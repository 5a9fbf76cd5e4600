#include "cuda/driver/cublaslt.h"

#include <map>

namespace octet::cuda::cublaslt {
namespace {

// cublasComputeType_t, cublasOperation_t, attributes of descriptions and preferences
constexpr int kCompute32F = 68, kTransposed = 1, kDescriptionTransA = 3, kPreferenceWorkspace = 1;

int data_type(DType type) {  // cudaDataType
  switch (type) {
    case DType::f32:
      return 0;
    case DType::f16:
      return 2;
    case DType::bf16:
      return 14;
    case DType::e4m3:
      return 28;
    default:
      throw Error(Code::kUnsupported, fmt::format("cuBLASLt is not used for {}", type));
  }
}

template <class... Args>
struct Call {
  Call(const Library& library, const char* name) : name(name), function(reinterpret_cast<int (*)(Args...)>(library.symbol(name))) {}
  void operator()(Args... args) const {
    if (const int status = function(args...); status != 0) throw Error(Code::kUnsupported, fmt::format("{}: status {}", name, status));
  }
  const char* name;
  int (*function)(Args...);
};

struct Api {
  explicit Api(Library opened) : library(std::move(opened)) {}
  Library library;
  Call<void**> create{library, "cublasLtCreate"};
  Call<void**, int, int> description{library, "cublasLtMatmulDescCreate"};
  Call<void*, int, const void*, size_t> describe{library, "cublasLtMatmulDescSetAttribute"},
      prefer{library, "cublasLtMatmulPreferenceSetAttribute"};
  Call<void*> description_free{library, "cublasLtMatmulDescDestroy"}, layout_free{library, "cublasLtMatrixLayoutDestroy"},
      preference_free{library, "cublasLtMatmulPreferenceDestroy"};
  Call<void**, int, uint64_t, uint64_t, int64_t> layout{library, "cublasLtMatrixLayoutCreate"};
  Call<void**> preference{library, "cublasLtMatmulPreferenceCreate"};
  Call<void*, void*, void*, void*, void*, void*, void*, int, Heuristic*, int*> heuristic{library, "cublasLtMatmulAlgoGetHeuristic"};
  Call<void*, void*, const void*, const void*, void*, const void*, void*, const void*, const void*, void*, void*, void*, const Algorithm*,
       void*, size_t, driver::StreamHandle>
      multiply{library, "cublasLtMatmul"};
};

const Api& api() {
  static const Api instance = [] {
    const bool older = driver::version() < 13000;
    const std::string names[] = {older ? "libcublasLt.so.12" : "libcublasLt.so.13", older ? "libcublasLt.so.13" : "libcublasLt.so.12"};
    return Api(open_library(names, "pip install nvidia-cublas, or leave gemm_cublaslt out of OCTET_CUDA_ROWS"));
  }();
  return instance;
}

// One a context, for the life of the process: creating it loads the library's kernels.
void* handle() {
  static std::mutex mutex;
  static std::map<driver::ContextHandle, void*> handles;
  driver::ContextHandle current = nullptr;
  driver::api().current(&current);
  const std::lock_guard lock(mutex);
  void*& known = handles[current];
  if (known == nullptr) api().create(&known);
  return known;
}

}  // namespace

// Column-major as the library sees it: sums^T [n, m] = (w as [k, n])^T * (a as [k, m]).
Product::Product(DType in, int64_t m, int64_t n, int64_t k) {
  const Api& lt = api();
  const auto rows = static_cast<uint64_t>(m), cols = static_cast<uint64_t>(n), depth = static_cast<uint64_t>(k);
  const int type = data_type(in), sums = data_type(DType::f32);
  lt.description(&description_, kCompute32F, sums);
  lt.describe(description_, kDescriptionTransA, &kTransposed, sizeof kTransposed);
  lt.layout(&layouts_[0], type, depth, cols, k);
  lt.layout(&layouts_[1], type, depth, rows, k);
  lt.layout(&layouts_[2], sums, cols, rows, n);
  void* preference = nullptr;
  lt.preference(&preference);
  const uint64_t workspace = kWorkspace;
  lt.prefer(preference, kPreferenceWorkspace, &workspace, sizeof workspace);
  Heuristic best{};
  int found = 0;
  const int status =
      lt.heuristic.function(handle(), description_, layouts_[0], layouts_[1], layouts_[2], layouts_[2], preference, 1, &best, &found);
  lt.preference_free.function(preference);
  if (status != 0 || found == 0)
    throw Error(Code::kUnsupported, fmt::format("cuBLASLt has no product of {} for {}x{}x{} (status {})", in, m, n, k, status));
  algorithm_ = best.algorithm;
}
Product::~Product() {
  for (void* layout : layouts_)
    if (layout != nullptr) api().layout_free.function(layout);
  if (description_ != nullptr) api().description_free.function(description_);
}

void Product::enqueue(const Stream& stream, Address a, Address w, Address sums, Address workspace) const {
  const float one = 1, zero = 0;
  const auto at = [](Address address) { return reinterpret_cast<void*>(address); };
  api().multiply(handle(), description_, &one, at(w), layouts_[0], at(a), layouts_[1], &zero, at(sums), layouts_[2], at(sums), layouts_[2],
                 &algorithm_, at(workspace), kWorkspace, stream.handle());
}

}  // namespace octet::cuda::cublaslt
