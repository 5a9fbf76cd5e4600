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
  // Whole ones only: a last one that is touched in part would be resident as a whole (1 MiB of the 4 for a weight of 3).
  if (alignment == kHugePage) ::madvise(data_.get(), size / kHugePage * kHugePage, MADV_HUGEPAGE);
  std::memset(data_.get(), 0, size);
}

void AlignedBytes::Free::operator()(std::byte* data) const { std::free(data); }

}  // namespace octet
