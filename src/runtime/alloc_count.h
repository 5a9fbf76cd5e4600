// For tests: counts every allocation of the process. Include in exactly one file of a test binary: it defines malloc's family.
// Off under sanitizers, which have their own malloc: counting() is then false.
#pragma once
#include <atomic>
#include <cstddef>

namespace octet::testing {
inline std::atomic<size_t> allocations{0};
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool counting() { return false; }
#else
constexpr bool counting() { return true; }
#endif
}  // namespace octet::testing

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void* malloc(size_t size) { return ++octet::testing::allocations, __libc_malloc(size); }
void* calloc(size_t count, size_t size) { return ++octet::testing::allocations, __libc_calloc(count, size); }
void* realloc(void* old, size_t size) { return ++octet::testing::allocations, __libc_realloc(old, size); }
void* aligned_alloc(size_t alignment, size_t size) { return ++octet::testing::allocations, __libc_memalign(alignment, size); }
}
#endif
