#include "base/aligned.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace octet {
namespace {
constexpr size_t kHugePage = size_t{2} << 20;
}

AlignedBytes::AlignedBytes(size_t size) : size_(size) {
  if (size == 0) return;
  const size_t alignment = size >= kHugePage ? kHugePage : 64;
  data_.reset(static_cast<std::byte*>(std::aligned_alloc(alignment, round_up(size, alignment))));
  if (!data_) throw std::bad_alloc();
  if (alignment == kHugePage) ::madvise(data_.get(), round_up(size, alignment), MADV_HUGEPAGE);
  std::memset(data_.get(), 0, size);
}

void AlignedBytes::Free::operator()(std::byte* data) const { std::free(data); }

}  // namespace octet
