// For *_fuzz.cpp only: one libFuzzer input as a Blob of its exact size, so that a read past its end is seen. An octet::Error is
// the expected answer to a bad input; an internal one is a defect, and stops the fuzzer like a crash.
#pragma once
#include <cstdlib>
#include <cstring>

#include "formats/blob.h"

namespace octet {

template <class Parse>
int fuzz_blob(const uint8_t* data, size_t size, Parse&& parse) {
  const std::shared_ptr<std::byte[]> copy(new std::byte[size]);
  if (size > 0) std::memcpy(copy.get(), data, size);
  try {
    parse(Blob{{copy.get(), size}, copy, "fuzz"});
  } catch (const Error& error) {
    if (error.code() == Code::kInternal) std::abort();
    error.render();
  }
  return 0;
}

// Keeps a read of every byte from being optimised away.
inline void fuzz_touch(std::span<const std::byte> bytes) {
  volatile unsigned sum = 0;
  for (const std::byte b : bytes) sum = sum + static_cast<unsigned>(b);
}

}  // namespace octet
