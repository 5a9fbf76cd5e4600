// Field numbers of the ONNX messages octet reads or writes (github.com/onnx/onnx, IR version 14), and the versions it knows.
#pragma once
#include <cstddef>
#include <cstdint>

namespace octet::onnx {

inline constexpr int64_t kMaxIrVersion = 14, kMaxOpset = 25;
inline constexpr size_t kMaxRank = 64;  // ours; ONNX has no limit

namespace model {
enum : uint32_t { kIrVersion = 1, kProducerName, kProducerVersion, kGraph = 7, kOpsetImport, kMetadata = 14, kFunctions = 25 };
}
namespace opset_id {
enum : uint32_t { kDomain = 1, kVersion };
}
namespace entry {
enum : uint32_t { kKey = 1, kValue };
}
namespace graph {
enum : uint32_t { kNode = 1, kName, kInitializer = 5, kInput = 11, kOutput, kValueInfo, kSparseInitializer = 15 };
}
namespace node {
enum : uint32_t { kInput = 1, kOutput, kName, kOpType, kAttribute, kDomain = 7, kOverload };
}
namespace attribute {
enum : uint32_t { kName = 1, kFloat, kInt, kString, kTensor, kGraph, kFloats, kInts, kStrings, kTensors, kGraphs };
enum : uint32_t { kTypeProto = 14, kTypeProtos, kType = 20, kRefName, kSparseTensor, kSparseTensors };
}  // namespace attribute
namespace tensor {
enum : uint32_t { kDims = 1, kDataType, kSegment, kFloatData, kInt32Data, kStringData, kInt64Data, kName, kRawData, kDoubleData };
enum : uint32_t { kUint64Data = 11, kExternalData = 13, kDataLocation };
}  // namespace tensor
namespace value_info {
enum : uint32_t { kName = 1, kType };
}
namespace type {
enum : uint32_t { kTensor = 1 };
}
namespace tensor_type {
enum : uint32_t { kElemType = 1, kShape };
}
namespace shape {
enum : uint32_t { kDim = 1 };
}
namespace dim {
enum : uint32_t { kValue = 1, kParam };
}

}  // namespace octet::onnx
