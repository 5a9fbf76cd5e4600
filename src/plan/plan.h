// The plan: target-neutral fused steps, the memory plan and the weights, as flat structs. It is what `octet exec
// --saveEngine` writes, what a Session runs, and data only. Shapes are per item (one item = one row of the batch axis):
// B is never stored. Bytes: docs/formats/plan.md. Next: plan/io.h (read, write), plan/validate.h, plan/print.h.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "numeric/dtype.h"

namespace octet {
class MappedFile;  // base/file.h
}
namespace octet::plan {

using Id = uint32_t;  // index into buffers or weights
inline constexpr Id kNoId = 0xffffffff;

// Between the names of the tensors that a step of merged projections writes side by side, in the name of its buffer.
inline constexpr std::string_view kMerged = " + ";

// An activation. Lives at arena + offset * batch (offset and bytes are per item; see lower/memory.h), or is bound by the caller.
struct Buffer {
  std::string name;  // the ONNX tensor it stands for, or several (kMerged)
  DType dtype = DType::f16;
  std::vector<int64_t> dims;  // per item, batch axis dropped: [S, D]
  uint64_t offset = 0;        // bytes per item in the arena; 0 for bound buffers
  uint8_t bound = 0;          // 1: graph input or output, memory given by the caller
};
struct Binding {  // a graph input or output
  std::string name;
  Id buffer = kNoId;
};
struct Weight {
  std::string name;
  DType dtype = DType::f16;
  std::vector<int64_t> dims;
  uint64_t offset = 0;  // in the weights section, 64-byte aligned; set by the writer
};

enum class Activation : uint8_t { kNone = 0, kQuickGelu, kGeluErf, kGeluTanh };
std::string_view name_of(Activation activation);

// x[b,t,:] = round(token[ids[b,t],:] + position[t,:] [+ type[types[b,t],:]]).  ids and types i32 or i64 [T]; an id outside its table is a
// run-time error.
struct Embed {
  Id ids = kNoId, out = kNoId;         // [T] -> [T, D]
  Id token = kNoId, position = kNoId;  // weights [V, D], [T, D]
  Id types = kNoId, type = kNoId;      // [T] and a weight [types, D], or both kNoId
};
// Non-overlapping patches as a GEMM: y[b,s,:] = round(sum_k w[:,k] * patch(b,s-c)[k] * scale + bias + position[s,:]),
// c = 1 when class_token is given: row 0 is class_token + position[0]. k runs over [C, P, P].
// A picture of bytes lies as [H, W, C], as decoders write it; byte b of channel c stands for table[c, b].
struct PatchEmbed {
  Id pixels = kNoId, out = kNoId;  // f16, bf16 or f32 [C, H, W], or u8 [H, W, C] -> [S, D], S = c + (H/P)*(W/P)
  Id weight = kNoId, bias = kNoId, class_token = kNoId, position = kNoId;  // [D, C*P*P] f16/f32/e4m3; [D]; [D]; [S, D]
  uint32_t channels = 0, height = 0, width = 0, patch = 0;
  float scale = 1;   // dequantization scale of an e4m3 weight, else 1
  Id table = kNoId;  // weight [C, 256], f16, bf16 or f32, of u8 pixels; else kNoId
};
inline constexpr int64_t kPixelValues = 256;
// y[r,:] = quantize((x[r,:] - mean) / sqrt(var + epsilon) * gamma + beta), statistics and arithmetic in f32.
// Each of the rows r of [rows, cols]; out e4m3 with out_scale, or a float dtype with out_scale == 1.
struct Norm {
  Id in = kNoId, out = kNoId, gamma = kNoId, beta = kNoId;  // beta may be kNoId
  uint32_t rows = 0, cols = 0;
  float epsilon = 1e-5f, out_scale = 1;
};
// A run of output columns [begin, end) that share scales. y = act((acc * alpha) + bias) * mul; stored as y / out_scale.
struct ColumnRange {
  uint32_t begin = 0, end = 0;
  float alpha = 1;      // a_scale * w_scale
  float mul = 1;        // head scale folded into q and k
  float out_scale = 1;  // of an e4m3 output, else 1
};
// out[m,n] = round((act(sum_k a[m,k] * w[n,k] * alpha[n] + bias[n]) * mul[n] + residual[m,n]) / out_scale[n]).
struct Gemm {
  Id a = kNoId, out = kNoId, residual = kNoId;             // [rows, K], [rows, N], [rows, N] (same dtype as out) or kNoId
  Id weight = kNoId, bias = kNoId, channel_scale = kNoId;  // [N, K]; [N] or kNoId; [N] f32 multiplied into alpha, or kNoId
  uint32_t rows = 0, n = 0, k = 0;                         // rows per item
  Activation activation = Activation::kNone;
  std::vector<ColumnRange> ranges;  // cover [0, n) in order
};
// Where q, k or v lies: element [s, h, d] of an item at column + s * row_stride + h * head_dim + d of `buffer`.
struct AttentionInput {
  Id buffer = kNoId;
  uint32_t column = 0, row_stride = 0;
  float scale = 1;  // dequantization scale of e4m3 codes, else 1
};
// scores = (q . k) * q.scale * k.scale * score_scale, -inf above the diagonal if causal; p = softmax(scores) in f32;
// Where mask[b, j] == 0, kMaskedScore is added to the scores of key j: it is not seen, unless no key is. mask i32 or i64 [T].
// if p_scale > 0: p = e4m3(p / p_scale) * p_scale; out[s, h*head_dim + d] = round((p . v) * v.scale / out_scale).
inline constexpr float kMaskedScore = -0x1p126f;  // a quarter of the least f32: no score changes it by rounding
struct Attention {
  AttentionInput q, k, v;
  Id out = kNoId;  // [tokens, heads * head_dim]
  uint32_t tokens = 0, heads = 0, head_dim = 0;
  uint8_t causal = 0;
  float score_scale = 1, p_scale = 0, out_scale = 1;
  Id mask = kNoId;
};
// Attention unfused, in three steps (--disable-pass=fuse-attention). Scores and weights of an item are [heads * tokens, padded_keys]:
// row h * tokens + i holds what query i gives each key; keys that it does not see (j > i if causal) and columns past `tokens` are 0.
constexpr int64_t padded_keys(int64_t tokens) { return (tokens + 7) / 8 * 8; }  // rows of 16-bit values begin at multiples of 16 bytes
// out[h*tokens + i, j] = round((q . k) * q.scale * k.scale * score_scale).
struct Scores {
  AttentionInput q, k;
  Id out = kNoId;
  uint32_t tokens = 0, heads = 0, head_dim = 0;
  uint8_t causal = 0;
  float score_scale = 1;
};
// out = round(softmax(in) / out_scale) over the keys that a query sees, in f32. mask i32 or i64 [T]: key j has no weight where mask[b, j]
// is 0, unless no key of a query has any: then all have the same.
struct Softmax {
  Id in = kNoId, out = kNoId;
  uint32_t tokens = 0, heads = 0;
  uint8_t causal = 0;
  float out_scale = 1;
  Id mask = kNoId;
};
// out[i, h*head_dim + d] = round((sum_j in[h*tokens + i, j] * p_scale * v[j, h, d]) * v.scale / out_scale).
struct Values {
  Id in = kNoId;
  AttentionInput v;
  Id out = kNoId;  // [tokens, heads * head_dim]
  uint32_t tokens = 0, heads = 0, head_dim = 0;
  uint8_t causal = 0;
  float p_scale = 1, out_scale = 1;
};
enum class PoolMode : uint8_t { kIndex = 0, kArgMax, kFirstEqual };
// out[b,:] = in[b,row,:]; row = index, or argmax(ids[b,:]) (first of equals), or the first t with ids[b,t] == index (else 0).
struct Pool {
  Id in = kNoId, out = kNoId, ids = kNoId;  // [S, D] -> [D]; ids [T] unless kIndex
  uint32_t rows = 0, cols = 0;
  PoolMode mode = PoolMode::kIndex;
  int64_t index = 0;
};
// out[b,:] = in[b,:] / max(||in[b,:]||_2, epsilon).
struct L2Normalize {
  Id in = kNoId, out = kNoId;
  uint32_t cols = 0;
  float epsilon = 0;
};

// out = round(e4m3(in / scale) * scale), the quotient in f32: a quantization that no step around it absorbs. Codes are only multiplied.
struct FakeQuantize {
  Id in = kNoId, out = kNoId;  // both [rows, cols]; in of out's type or e4m3, out a float
  uint32_t rows = 0, cols = 0;
  float scale = 1;
};
// out[r,n] = round((act(in[r,n] * scale + bias[n]) * mul + residual[r,n]) / out_scale): the epilogue of a product whose sum was rounded
// to e4m3 before it, or nothing of it: codes at one scale become codes at another, floats become codes.
struct Pointwise {
  Id in = kNoId, out = kNoId, residual = kNoId;  // [rows, cols]; residual a float of out's dtype, or kNoId
  Id bias = kNoId;                               // [cols] or kNoId
  uint32_t rows = 0, cols = 0;                   // rows per item
  Activation activation = Activation::kNone;
  float scale = 1;      // dequantization scale of e4m3 codes, else 1
  float mul = 1;        // head scale folded into q and k
  float out_scale = 1;  // of an e4m3 output, else 1
};

// The index is stored: append only.
using Operation =
    std::variant<Embed, PatchEmbed, Norm, Gemm, Attention, Pool, L2Normalize, Scores, Softmax, Values, FakeQuantize, Pointwise>;

struct Step {
  std::string name;  // "vision.layers.3.qkv": from the anchor ONNX node
  Operation op;
  std::vector<std::string> notes;  // why not better: one reason a line ("output is f16: no Q follows")
};

// The ONNX graph without tensors: for profile and explain. `steps[i]` lists the source nodes of step i.
struct SourceNode {
  std::string name, op;
  std::vector<std::string> inputs, outputs;
};
struct Source {
  std::vector<SourceNode> nodes;
  std::vector<std::vector<uint32_t>> steps;  // parallel to Plan::steps; every node is in one list or in `folded`
  std::vector<uint32_t> folded;              // constant-folded or dead nodes
};

struct Plan {
  std::string name;              // of the graph
  std::string creator;           // "octet 0.1.0"
  std::string processor_sha256;  // of processor/, "" if none
  std::vector<Binding> inputs, outputs;
  std::vector<Buffer> buffers;
  std::vector<Step> steps;
  std::vector<Weight> weights;
  Source source;
  uint64_t arena_bytes_per_item = 0;
  // Parallel to weights. At build: owned tensors; after load: views of the mapped file, kept alive by `storage`.
  std::vector<std::span<const std::byte>> weight_bytes;
  std::vector<std::shared_ptr<const void>> storage;
  // After load: that file. Whoever has packed a weight into an order of its own may release() its bytes, so that they are not resident
  // twice; they stay readable.
  std::shared_ptr<const MappedFile> file;
};

// "embed patch_embed norm gemm attention pool l2normalize scores softmax values fake_quantize pointwise"
std::string_view kind_of(const Operation& op);
uint64_t bytes_per_item(const Buffer& buffer);
// The problem string of a step at a batch: "gemm:e4m3xe4m3->f16:2056x1024x4096+bias+residual". Test, bench and report share it.
std::string problem_of(const Plan& plan, const Step& step, int64_t batch);

}  // namespace octet::plan
