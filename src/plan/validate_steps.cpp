// What each operation demands of its ids, dtypes, dims and numbers.
#include <cmath>
#include <cstring>

#include "plan/validate_parts.h"

namespace octet::plan {
namespace {

// A set of dtypes, one bit each.
constexpr uint32_t bit(DType dtype) { return 1u << static_cast<int>(dtype); }
constexpr uint32_t kFloats = bit(DType::f16) | bit(DType::bf16) | bit(DType::f32);
constexpr uint32_t kFloatsAndE4m3 = kFloats | bit(DType::e4m3);
constexpr uint32_t kIds = bit(DType::i32) | bit(DType::i64);

// Whole-row softmax works in memory proportional to the tokens; products of two such counts stay below 2^32.
constexpr uint32_t kMaxTokens = 65535;

void check_scale(float scale, const char* what) {
  require(std::isnormal(scale) && scale > 0, "{} is {}, not a positive normal number", what, scale);
}

struct Check {
  const Plan& plan;

  // The buffer `id` as [rows, cols] of one of `dtypes`.
  const Buffer& buffer(Id id, const char* role, uint32_t dtypes, int64_t rows, int64_t cols) const {
    require(id < plan.buffers.size(), "{} is buffer {} of {}", role, id, plan.buffers.size());
    const Buffer& buffer = plan.buffers[id];
    require((bit(buffer.dtype) & dtypes) != 0, "{} `{}` is {}, which this step does not take", role, printable(buffer.name),
            name_of(buffer.dtype));
    int64_t count = 1;
    for (const int64_t dim : buffer.dims) count *= dim;  // below 2^40 by check_dims
    int64_t wanted = 0;
    const bool overflow = __builtin_mul_overflow(rows, cols, &wanted);
    require(!overflow && count == wanted && buffer.dims.back() == cols, "{} `{}` has dims [{}], the step works on {} rows of {}", role,
            printable(buffer.name), fmt::join(buffer.dims, ", "), rows, cols);
    return buffer;
  }
  // The weight `id` of `count` elements and first dim `rows`. kNoId only if `optional`.
  void weight(Id id, const char* role, uint32_t dtypes, int64_t rows, int64_t count, bool optional = false) const {
    if (id == kNoId && optional) return;
    require(id < plan.weights.size(), "{} is weight {} of {}", role, id, plan.weights.size());
    const Weight& weight = plan.weights[id];
    require((bit(weight.dtype) & dtypes) != 0, "{} `{}` is {}, which this step does not take", role, printable(weight.name),
            name_of(weight.dtype));
    int64_t has = 1;
    for (const int64_t dim : weight.dims) has *= dim;
    require(has == count && weight.dims[0] == rows, "{} `{}` has dims [{}], wanted {} rows and {} elements", role, printable(weight.name),
            fmt::join(weight.dims, ", "), rows, count);
  }
  int64_t last_dim(Id id, const char* role) const {
    require(id < plan.buffers.size(), "{} is buffer {} of {}", role, id, plan.buffers.size());
    return plan.buffers[id].dims.back();
  }
  void out_scale(DType out, float scale) const {
    check_scale(scale, "out_scale");
    require(out == DType::e4m3 || scale == 1, "out_scale is {}, but only e4m3 outputs are scaled", scale);
  }

  void operator()(const Embed& op) const {
    const int64_t tokens = last_dim(op.ids, "ids"), cols = last_dim(op.out, "out");
    buffer(op.ids, "ids", kIds, 1, tokens);
    const Buffer& out = buffer(op.out, "out", kFloats, tokens, cols);
    require(op.token < plan.weights.size(), "token is weight {} of {}", op.token, plan.weights.size());
    const Weight& table = plan.weights[op.token];
    int64_t count = 0;
    require(table.dims.size() == 2 && !__builtin_mul_overflow(table.dims[0], cols, &count), "the token table is not [vocabulary, cols]");
    weight(op.token, "token", bit(out.dtype), table.dims[0], count);
    weight(op.position, "position", bit(out.dtype), tokens, tokens * cols);
    require((op.types == kNoId) == (op.type == kNoId), "token types come without a table, or a table without them");
    if (op.types == kNoId) return;
    buffer(op.types, "types", bit(plan.buffers[op.ids].dtype), 1, tokens);
    require(op.types != op.ids, "ids and types are one buffer");
    require(op.type < plan.weights.size(), "type is weight {} of {}", op.type, plan.weights.size());
    const int64_t rows = plan.weights[op.type].dims[0];
    require(!__builtin_mul_overflow(rows, cols, &count), "a table of {} x {}", rows, cols);
    weight(op.type, "type", bit(out.dtype), rows, count);
  }
  void operator()(const PatchEmbed& op) const {
    require(op.patch >= 1 && op.channels >= 1 && op.height >= op.patch && op.width >= op.patch, "{}x{}x{} has no patch of {}", op.channels,
            op.height, op.width, op.patch);
    for (const uint32_t size : {op.channels, op.height, op.width, op.patch}) require(size <= kMaxTokens, "a size of {}", size);
    require(op.height % op.patch == 0 && op.width % op.patch == 0, "patches of {} do not tile {}x{}", op.patch, op.height, op.width);
    const int64_t tokens = int64_t{op.height / op.patch} * (op.width / op.patch) + (op.class_token != kNoId);
    const int64_t k = int64_t{op.channels} * op.patch * op.patch, cols = last_dim(op.out, "out");
    check_pixels(op);
    buffer(op.out, "out", kFloats, tokens, cols);
    int64_t count = 0;
    require(!__builtin_mul_overflow(k, cols, &count), "a weight of {} x {}", cols, k);
    weight(op.weight, "weight", kFloats | bit(DType::e4m3), cols, count);
    weight(op.bias, "bias", kFloats, cols, cols, true);
    weight(op.class_token, "class_token", kFloats, plan_dim(op.class_token), cols, true);
    weight(op.position, "position", kFloats, tokens, tokens * cols, true);
    check_scale(op.scale, "scale");
    require(plan.weights[op.weight].dtype == DType::e4m3 || op.scale == 1, "scale is {}, but only e4m3 weights are scaled", op.scale);
  }
  void check_pixels(const PatchEmbed& op) const {
    const auto is = [&](const Buffer& pixels, uint32_t first, uint32_t second, uint32_t third) {
      require(pixels.dims.size() == 3 && pixels.dims[0] == first && pixels.dims[1] == second, "pixels are not [{}, {}, {}]", first, second,
              third);
    };
    if (op.table == kNoId)
      return is(buffer(op.pixels, "pixels", kFloats, int64_t{op.channels} * op.height, op.width), op.channels, op.height, op.width);
    is(buffer(op.pixels, "pixels", bit(DType::u8), int64_t{op.height} * op.width, op.channels), op.height, op.width, op.channels);
    weight(op.table, "table", kFloats, op.channels, op.channels * kPixelValues);
  }
  int64_t plan_dim(Id id) const { return id < plan.weights.size() ? plan.weights[id].dims[0] : 0; }  // [D] and [1, D] both do
  void operator()(const Norm& op) const {
    const Buffer& in = buffer(op.in, "in", kFloats, op.rows, op.cols);
    const Buffer& out = buffer(op.out, "out", bit(in.dtype) | bit(DType::e4m3), op.rows, op.cols);
    weight(op.gamma, "gamma", kFloats, op.cols, op.cols);
    weight(op.beta, "beta", kFloats, op.cols, op.cols, true);
    require(std::isfinite(op.epsilon) && op.epsilon >= 0, "epsilon is {}", op.epsilon);
    out_scale(out.dtype, op.out_scale);
  }
  void operator()(const Gemm& op) const {
    const Buffer& a = buffer(op.a, "a", kFloatsAndE4m3, op.rows, op.k);
    const Buffer& out = buffer(op.out, "out", kFloatsAndE4m3, op.rows, op.n);
    require(op.n <= INT32_MAX && op.k <= INT32_MAX, "n {}, k {}", op.n, op.k);
    weight(op.weight, "weight", bit(a.dtype), op.n, int64_t{op.n} * op.k);
    weight(op.bias, "bias", kFloats, op.n, op.n, true);
    weight(op.channel_scale, "channel_scale", bit(DType::f32), op.n, op.n, true);
    if (op.residual != kNoId) {
      buffer(op.residual, "residual", bit(out.dtype) & kFloats, op.rows, op.n);
      require(op.residual != op.a, "residual and a are one buffer");
    }
    ranges(op, out.dtype);
    channel_scales(op);
  }
  void ranges(const Gemm& op, DType out) const {
    uint32_t end = 0;
    for (const ColumnRange& range : op.ranges) {
      require(range.begin == end && range.end > range.begin && range.end <= op.n, "column range [{}, {}) does not continue at {} of {}",
              range.begin, range.end, end, op.n);
      end = range.end;
      check_scale(range.alpha, "alpha");
      require(std::isfinite(range.mul), "mul is {}", range.mul);
      out_scale(out, range.out_scale);
    }
    require(end == op.n, "column ranges end at {} of {}", end, op.n);
  }
  void channel_scales(const Gemm& op) const {
    if (op.channel_scale == kNoId) return;
    const auto bytes = plan.weight_bytes[op.channel_scale];
    for (uint32_t n = 0; n < op.n; ++n) {
      float scale;
      std::memcpy(&scale, bytes.data() + size_t{n} * sizeof(float), sizeof(float));
      require(std::isfinite(scale), "channel_scale is {}", scale);
    }
  }
  // One of q, k and v, of dtype `in`.
  void attention_input(const AttentionInput& input, const char* role, DType in, uint32_t tokens, uint64_t cols) const {
    buffer(input.buffer, role, kFloatsAndE4m3 & bit(in), tokens, input.row_stride);
    require(input.column + cols <= input.row_stride, "{} takes columns [{}, {}) of rows of {}", role, input.column, input.column + cols,
            input.row_stride);
    check_scale(input.scale, "the scale of q, k or v");
    require(in == DType::e4m3 || input.scale == 1, "{} is {}, yet has scale {}", role, name_of(in), input.scale);
  }
  // Returns heads * head_dim.
  uint64_t attention_shape(uint32_t tokens, uint32_t heads, uint32_t head_dim, uint8_t causal) const {
    require(tokens >= 1 && tokens <= kMaxTokens, "{} tokens, not 1 to {}", tokens, kMaxTokens);
    const uint64_t cols = uint64_t{heads} * head_dim;
    require(cols >= 1 && cols <= INT32_MAX, "{} heads of {}", heads, head_dim);
    require(causal <= 1, "causal is {}, not 0 or 1", causal);
    return cols;
  }
  DType dtype_of(Id id, const char* role) const {
    require(id < plan.buffers.size(), "{} is buffer {} of {}", role, id, plan.buffers.size());
    return plan.buffers[id].dtype;
  }
  // [heads * tokens, padded_keys]
  const Buffer& weights_of_keys(Id id, const char* role, uint32_t dtypes, uint32_t tokens, uint32_t heads) const {
    return buffer(id, role, dtypes, int64_t{heads} * tokens, padded_keys(tokens));
  }
  void operator()(const Scores& op) const {
    const uint64_t cols = attention_shape(op.tokens, op.heads, op.head_dim, op.causal);
    const DType in = dtype_of(op.q.buffer, "q");
    attention_input(op.q, "q", in, op.tokens, cols);
    attention_input(op.k, "k", in, op.tokens, cols);
    weights_of_keys(op.out, "out", kFloats, op.tokens, op.heads);
    check_scale(op.score_scale, "score_scale");
  }
  void operator()(const Softmax& op) const {
    attention_shape(op.tokens, op.heads, 1, op.causal);
    weights_of_keys(op.in, "in", kFloats, op.tokens, op.heads);
    const Buffer& out = weights_of_keys(op.out, "out", kFloatsAndE4m3, op.tokens, op.heads);
    if (op.mask != kNoId) buffer(op.mask, "mask", kIds, 1, op.tokens);
    out_scale(out.dtype, op.out_scale);
  }
  void operator()(const Values& op) const {
    const uint64_t cols = attention_shape(op.tokens, op.heads, op.head_dim, op.causal);
    const DType in = weights_of_keys(op.in, "in", kFloatsAndE4m3, op.tokens, op.heads).dtype;
    attention_input(op.v, "v", in, op.tokens, cols);
    const Buffer& out = buffer(op.out, "out", kFloatsAndE4m3, op.tokens, static_cast<int64_t>(cols));
    check_scale(op.p_scale, "p_scale");
    require(in == DType::e4m3 || op.p_scale == 1, "the weights are {}, yet have scale {}", name_of(in), op.p_scale);
    out_scale(out.dtype, op.out_scale);
  }
  void operator()(const Attention& op) const {
    const uint64_t cols = attention_shape(op.tokens, op.heads, op.head_dim, op.causal);
    const DType in = dtype_of(op.q.buffer, "q");
    for (const auto& [input, role] : {std::pair{op.q, "q"}, {op.k, "k"}, {op.v, "v"}}) attention_input(input, role, in, op.tokens, cols);
    const Buffer& out = buffer(op.out, "out", kFloatsAndE4m3, op.tokens, static_cast<int64_t>(cols));
    if (op.mask != kNoId) buffer(op.mask, "mask", kIds, 1, op.tokens);
    check_scale(op.score_scale, "score_scale");
    if (op.p_scale != 0) check_scale(op.p_scale, "p_scale");
    out_scale(out.dtype, op.out_scale);
  }
  void operator()(const Pool& op) const {
    const Buffer& in = buffer(op.in, "in", kFloatsAndE4m3, op.rows, op.cols);
    buffer(op.out, "out", bit(in.dtype), 1, op.cols);
    if (op.mode == PoolMode::kIndex) {
      require(op.ids == kNoId, "ids are given, yet the row is fixed");
      require(op.index >= 0 && op.index < op.rows, "row {} of {}", op.index, op.rows);
      return;
    }
    const int64_t tokens = last_dim(op.ids, "ids");
    buffer(op.ids, "ids", kIds, 1, tokens);
    require(tokens <= op.rows, "{} ids choose among {} rows", tokens, op.rows);
    require(op.mode == PoolMode::kFirstEqual || op.index == 0, "index is {}, but argmax has none", op.index);
  }
  void operator()(const L2Normalize& op) const {
    const Buffer& in = buffer(op.in, "in", kFloats, 1, op.cols);
    buffer(op.out, "out", bit(in.dtype), 1, op.cols);
    require(std::isfinite(op.epsilon) && op.epsilon >= 0, "epsilon is {}", op.epsilon);
  }
  void operator()(const FakeQuantize& op) const {
    const Buffer& out = buffer(op.out, "out", kFloats, op.rows, op.cols);
    buffer(op.in, "in", bit(out.dtype) | bit(DType::e4m3), op.rows, op.cols);
    check_scale(op.scale, "scale");
  }
  void operator()(const Pointwise& op) const {
    const Buffer& in = buffer(op.in, "in", kFloatsAndE4m3, op.rows, op.cols);
    const Buffer& out = buffer(op.out, "out", kFloatsAndE4m3, op.rows, op.cols);
    weight(op.bias, "bias", kFloats, op.cols, op.cols, true);
    if (op.residual != kNoId) {
      buffer(op.residual, "residual", bit(out.dtype) & kFloats, op.rows, op.cols);
      require(op.residual != op.in, "residual and in are one buffer");
    }
    check_scale(op.scale, "scale");
    require(in.dtype == DType::e4m3 || op.scale == 1, "scale is {}, but only e4m3 inputs are scaled", op.scale);
    require(std::isfinite(op.mul), "mul is {}", op.mul);
    out_scale(out.dtype, op.out_scale);
  }
};

}  // namespace

void validate_step(const Plan& plan, const Step& step) { std::visit(Check{plan}, step.op); }

}  // namespace octet::plan
