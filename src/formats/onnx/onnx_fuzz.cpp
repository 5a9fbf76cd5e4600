// libFuzzer: any bytes are read, or refused with a typed Error; what is read can be printed and sorted.
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "formats/onnx/read.h"
#include "ir/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    octet::Graph graph = octet::read_onnx(std::as_bytes(std::span(data, size)), nullptr);
    graph.sort();
    octet::print(graph);
  } catch (const octet::Error& error) {
    if (error.code() != octet::Code::kInvalid && error.code() != octet::Code::kUnsupported) __builtin_trap();
  }
  return 0;
}
