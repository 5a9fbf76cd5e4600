// cuBLASLt's matrix product, as a peer of our GEMM kernels. Opened at run time. Source: cuBLAS 13.0 documentation, cublasLt.
#pragma once
#include <array>

#include "cuda/device.h"

namespace octet::cuda::cublaslt {

struct Algorithm {  // cublasLtMatmulAlgo_t
  uint64_t data[8];
};
struct Heuristic {  // cublasLtMatmulHeuristicResult_t
  Algorithm algorithm;
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};

inline constexpr size_t kWorkspace = 32 << 20;  // bytes that a product may use, as NVIDIA recommends for Hopper

// sums[m,n] = sum_k a[m,k] * w[n,k], f32; a and w e4m3, f16 or bf16, row-major, n and k multiples of 16. FP8 sums move to f32 every few
// products (no fast accumulation). Created and used with the device current; launches are thread-safe.
class Product {
 public:
  Product(DType in, int64_t m, int64_t n, int64_t k);  // throws Error{kUnsupported}: no cuBLASLt, or it has no such product
  ~Product();
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;
  void enqueue(const Stream& stream, Address a, Address w, Address sums, Address workspace) const;

 private:
  void* description_ = nullptr;
  std::array<void*, 3> layouts_{};  // w, a, sums
  Algorithm algorithm_{};
};

}  // namespace octet::cuda::cublaslt
