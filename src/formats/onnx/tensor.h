// TensorProto <-> HostTensor. Next: onnx/external.h for data in other files.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "formats/onnx/external.h"
#include "formats/onnx/wire.h"
#include "numeric/host_tensor.h"

namespace octet::onnx {

// from_onnx_number (ops/quantize.h), but Error{kUnsupported} naming a type octet lacks; `what` says whose type it is.
DType dtype_of_onnx(int64_t data_type, std::string_view what);

// Where a tensor's bytes may lie.
struct Source {
  std::shared_ptr<const void> owner;  // of the model's bytes
  ExternalData external;
};

struct NamedTensor {
  std::string_view name;
  HostTensor tensor;
};
// raw_data and external data become views; typed data (float_data, int32_data, ...) is decoded. Dims, type and the number
// of bytes must agree exactly, and only one kind of data may be there, else Error{kInvalid}.
NamedTensor read_tensor(const WireReader& message, Source& source);

// A tensor's data as a view, or as a place in an external file.
struct ExternalPlace {
  std::string location;
  uint64_t offset;
};
void write_tensor(const HostTensor& tensor, std::string_view name, const std::optional<ExternalPlace>& place, WireWriter& out);

}  // namespace octet::onnx
