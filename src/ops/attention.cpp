// Attention.
#include "ops/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/rules.h"

namespace octet {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kInputs = 4;
constexpr int64_t kMaxScores = int64_t{1} << 28;  // of the reference: 2 GiB

// One of q, k and v as [B, heads, rows, size].
struct Heads {
  Dim batch, heads, rows, size;
};

// nullopt where neither form fits.
std::optional<Heads> split(const Shape& shape, int64_t heads) {
  if (shape.size() == 4) return Heads{shape[0], shape[1], shape[2], shape[3]};
  if (shape.size() != 3 || heads <= 0) return std::nullopt;
  const auto size = ops::missing_factor(*ops::count_of({shape[2]}), {heads, {}});
  return size ? std::optional(Heads{shape[0], Dim(heads), shape[1], *size}) : std::nullopt;
}

bool may_equal(const Dim& a, const Dim& b) { return a == b || !a.is_static() || !b.is_static(); }

bool agree(const Heads& q, const Heads& k, const Heads& v) {
  const bool grouped = !q.heads.is_static() || !k.heads.is_static() || (k.heads.value > 0 && q.heads.value % k.heads.value == 0);
  return grouped && may_equal(q.batch, k.batch) && may_equal(q.batch, v.batch) && may_equal(k.heads, v.heads) &&
         may_equal(k.rows, v.rows) && may_equal(q.size, k.size);
}

// Whether the mask lies over [B, heads, S, T]; its last axis may be shorter.
bool covers(const Shape& mask, const Shape& scores) {
  if (mask.size() > 4) return false;
  for (size_t i = 0; i < mask.size(); ++i) {
    const Dim &m = mask[mask.size() - 1 - i], &s = scores[3 - i];
    const bool shorter = i == 0 && m.is_static() && s.is_static() && m.value < s.value;
    if (m != Dim(1) && !may_equal(m, s) && !shorter) return false;
  }
  return true;
}

void check_attributes(InferContext& context, const Attention& op) {
  const int64_t known[] = {0, 1, 10, 11, 16};
  ops::check(context, op.is_causal == 0 || op.is_causal == 1, "A1", fmt::format("is_causal is {}", op.is_causal));
  ops::check(context, op.softcap >= 0, "A1", fmt::format("softcap is {}", op.softcap));
  ops::check(context, std::find(std::begin(known), std::end(known), op.softmax_precision) != std::end(known), "A1",
             fmt::format("softmax_precision is {}", op.softmax_precision));
}

using Dims = std::vector<int64_t>;

// Row-major strides of [B, heads, rows, size] in a tensor of rank 4 or 3.
Dims head_strides(const HostTensor& tensor, int64_t heads) {
  Dims strides = ops::strides_of(tensor.dims());
  if (tensor.rank() == 4) return strides;
  return {strides[0], tensor.dims()[2] / heads, strides[1], 1};
}

// The product, or kMaxScores + 1 where it is larger.
int64_t count_of(const Dims& dims) {
  int64_t count = 1;
  for (const int64_t dim : dims) count = dim > kMaxScores || (dim > 0 && count > kMaxScores / dim) ? kMaxScores + 1 : count * dim;
  return std::find(dims.begin(), dims.end(), 0) != dims.end() ? 0 : count;
}

// What is added to the scores [B, heads, S, T].
std::vector<double> bias_of(const HostTensor* mask, bool causal, const Dims& scores) {
  std::vector<double> bias(static_cast<size_t>(ops::product_of(scores, 0, 4)));
  if (mask != nullptr) {
    Dims dims(4 - static_cast<size_t>(mask->rank()), 1), seen = scores;
    dims.insert(dims.end(), mask->dims().begin(), mask->dims().end());
    if (dims[3] != 1 && dims[3] < scores[3]) {
      seen[3] = dims[3];
      std::fill(bias.begin(), bias.end(), -kInfinity);
    }
    const ops::Reader read(*mask);
    const bool boolean = mask->dtype() == DType::boolean;
    ops::walk(seen, std::array{ops::broadcast_strides(dims, seen), ops::strides_of(scores)},
              [&](int64_t, const std::array<int64_t, 2>& at) {
                const double value = read[at[0]];
                bias[static_cast<size_t>(at[1])] = boolean ? (value != 0 ? 0 : -kInfinity) : value;
              });
  }
  for (size_t i = 0; causal && i < bias.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    if (at % scores[3] > at / scores[3] % scores[2]) bias[i] = -kInfinity;
  }
  return bias;
}

// In place; a row of hidden keys alone becomes zeros.
void softmax(std::vector<double>& row) {
  const double largest = row.empty() ? 0 : *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (double& x : row) sum += x = std::isinf(largest) && largest < 0 ? 0 : std::exp(x - largest);
  for (double& x : row) x = sum == 0 ? 0 : x / sum;
}

}  // namespace

double Attention::scale_of(int64_t head_size) const {
  const bool given = std::bit_cast<uint32_t>(scale) != std::bit_cast<uint32_t>(Constant::kNoFloat);
  return given ? static_cast<double>(scale) : 1 / std::sqrt(static_cast<double>(head_size));
}

std::vector<Inferred> Attention::infer(InferContext& context) const {
  for (int i = kInputs; i < context.input_count(); ++i)
    if (context.input(i)) fail(Code::kUnsupported, "Attention with {}: a cache of past keys is not supported", context.input_name(i));
  if (context.output_count() > 1) fail(Code::kUnsupported, "Attention with more outputs than one: a cache of keys is not supported");
  const TensorType &q = context.in(0).type, &k = context.in(1).type, &v = context.in(2).type;
  ops::same_dtype(context, "T1", 0, 3);
  ops::float_input(context, "T2", 0);
  const Operand* mask = context.input(3);
  if (mask && mask->type.dtype != DType::boolean)
    ops::check_dtype(context, "T3", 3, mask->type.dtype == q.dtype, "boolean or q's type", q.dtype);
  check_attributes(context, *this);
  const auto heads = split(q.shape, q_num_heads), keys = split(k.shape, kv_num_heads), values = split(v.shape, kv_num_heads);
  const bool same_rank = q.shape.size() == k.shape.size() && q.shape.size() == v.shape.size();
  const std::string shapes = fmt::format("q {}, k {}, v {}", to_string(q.shape), to_string(k.shape), to_string(v.shape));
  if (!ops::check(context, same_rank && heads && keys && values, "S1",
                  shapes + ": not of rank 4, nor of rank 3 with fitting counts of heads"))
    return {ops::like_input(context)};
  if (!ops::check(context, agree(*heads, *keys, *values), "S2", shapes + " do not agree")) return {ops::like_input(context)};
  const Shape scores{heads->batch, heads->heads, heads->rows, keys->rows};
  if (mask)
    ops::check(context, covers(mask->type.shape, scores), "S3",
               fmt::format("the mask {} does not broadcast to {}", to_string(mask->type.shape), to_string(scores)));
  Shape out = q.shape;
  out.back() = q.shape.size() == 4 ? values->size : values->size * heads->heads;
  return {ops::output(context, q.dtype, std::move(out))};
}

std::vector<HostTensor> Attention::reference(std::span<const HostTensor* const> in) const {
  auto out = ops::make_outputs(*this, in);
  const HostTensor &q = *in[0], &k = *in[1], &v = *in[2];
  const Heads of_q = *split(to_shape(q.dims()), q_num_heads), of_v = *split(to_shape(v.dims()), kv_num_heads);
  const int64_t size = of_q.size.value, width = of_v.size.value, group = of_q.heads.value / of_v.heads.value;
  const Dims scores{of_q.batch.value, of_q.heads.value, of_q.rows.value, of_v.rows.value};
  if (count_of(scores) > kMaxScores)
    fail(Code::kUnsupported, "the plain interpreter makes no more than {} scores of an Attention", kMaxScores);
  const auto bias = bias_of(ops::optional_input(in, 3), is_causal != 0, scores);
  const Dims qs = head_strides(q, scores[1]), ks = head_strides(k, of_v.heads.value), vs = head_strides(v, of_v.heads.value),
             ys = head_strides(out[0], scores[1]);
  const ops::Reader read_q(q), read_k(k), read_v(v);
  const ops::Writer write(out[0]);
  const double factor = scale_of(size);
  std::vector<double> row(static_cast<size_t>(scores[3]));
  for (int64_t i = 0; i < ops::product_of(scores, 0, 3); ++i) {
    const int64_t b = i / (scores[1] * scores[2]), h = i / scores[2] % scores[1], s = i % scores[2];
    for (int64_t t = 0; t < scores[3]; ++t) {
      double sum = 0;
      for (int64_t d = 0; d < size; ++d)
        sum += read_q[b * qs[0] + h * qs[1] + s * qs[2] + d * qs[3]] * read_k[b * ks[0] + h / group * ks[1] + t * ks[2] + d * ks[3]];
      sum *= factor;
      if (softcap > 0) sum = softcap * std::tanh(sum / softcap);
      row[static_cast<size_t>(t)] = sum + bias[static_cast<size_t>(i * scores[3] + t)];
    }
    softmax(row);
    for (int64_t d = 0; d < width; ++d) {
      double sum = 0;
      for (int64_t t = 0; t < scores[3]; ++t)
        sum += row[static_cast<size_t>(t)] * read_v[b * vs[0] + h / group * vs[1] + t * vs[2] + d * vs[3]];
      write(b * ys[0] + h * ys[1] + s * ys[2] + d * ys[3], sum);
    }
  }
  return out;
}

}  // namespace octet
