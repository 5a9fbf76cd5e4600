// For the oracle's tests: memory for every buffer of a plan, filled with values that fit the step that reads it; and a second,
// independent statement of each operation: one element at a time, straight from the comments of plan.h.
#pragma once
#include <cmath>
#include <cstring>
#include <random>

#include "numeric/convert.h"
#include "oracle/exact.h"
#include "plan/testing.h"
#include "plan/uses.h"

namespace octet::oracle::testing {

using plan::Plan;

struct Memory {
  Memory(const Plan& plan, int64_t batch, uint32_t seed) : data(plan.buffers.size()) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal(0, 1);
    for (size_t id = 0; id < data.size(); ++id) {
      const plan::Buffer& buffer = plan.buffers[id];
      HostTensor tensor(buffer.dtype, {batch, element_count(buffer.dims)});
      for (int64_t i = 0; i < tensor.count(); ++i)
        is_integer(buffer.dtype) ? tensor.set_int(i, static_cast<int64_t>(random() % (buffer.dtype == DType::u8 ? 256 : 11)))
                                 : tensor.set(i, normal(random) * (buffer.dtype == DType::e4m3 ? 60 : 1));
      data[id].assign(tensor.bytes().begin(), tensor.bytes().end());
      pointers.push_back(data[id].data());
    }
  }
  std::vector<std::vector<std::byte>> data;
  std::vector<const std::byte*> pointers;
};

// Element i of memory of a dtype.
inline double element(DType dtype, const std::byte* data, int64_t i) {
  uint8_t b;
  uint16_t h;
  float f;
  switch (dtype) {
    case DType::e4m3:
      return std::memcpy(&b, data + i, 1), decode_e4m3(b);
    case DType::f16:
      return std::memcpy(&h, data + 2 * i, 2), decode_f16(h);
    case DType::bf16:
      return std::memcpy(&h, data + 2 * i, 2), decode_bf16(h);
    default:
      return std::memcpy(&f, data + 4 * i, 4), f;
  }
}

struct Naive {
  const Plan& plan;
  const Memory& memory;

  double at(plan::Id buffer, int64_t i) const { return element(plan.buffers[buffer].dtype, memory.pointers[buffer], i); }
  double weight(plan::Id id, int64_t i, double fallback = 0) const {
    return id == plan::kNoId ? fallback : element(plan.weights[id].dtype, plan.weight_bytes[id].data(), i);
  }
  int64_t id(plan::Id buffer, int64_t i) const {
    int64_t value;
    std::memcpy(&value, memory.pointers[buffer] + 8 * i, 8);
    return value;
  }

  double operator()(const plan::Embed& op, int64_t row, int64_t c) const {
    const int64_t tokens = plan.buffers[op.ids].dims[0], cols = plan.buffers[op.out].dims[1];
    return weight(op.token, id(op.ids, row) * cols + c) + weight(op.position, row % tokens * cols + c) +
           (op.types == plan::kNoId ? 0 : weight(op.type, id(op.types, row) * cols + c));
  }
  double pixel(const plan::PatchEmbed& op, int64_t item, int64_t channel, int64_t y, int64_t x) const {
    if (op.table == plan::kNoId) return at(op.pixels, ((item * op.channels + channel) * op.height + y) * op.width + x);
    const std::byte* bytes = memory.pointers[op.pixels];
    return weight(op.table,
                  channel * 256 + std::to_integer<int64_t>(bytes[((item * op.height + y) * op.width + x) * op.channels + channel]));
  }
  double operator()(const plan::PatchEmbed& op, int64_t row, int64_t c) const {
    const int64_t tokens = plan.buffers[op.out].dims[0], cols = plan.buffers[op.out].dims[1], p = op.patch;
    const int64_t item = row / tokens, token = row % tokens, patch = token - (op.class_token != plan::kNoId);
    const double position = weight(op.position, token * cols + c);
    if (patch < 0) return weight(op.class_token, c) + position;
    long double sum = 0;
    for (int64_t ch = 0; ch < op.channels; ++ch)
      for (int64_t y = 0; y < p; ++y)
        for (int64_t x = 0; x < p; ++x) {
          const int64_t py = patch / (op.width / p) * p + y, px = patch % (op.width / p) * p + x;
          sum += static_cast<long double>(weight(op.weight, ((c * op.channels + ch) * p + y) * p + x)) * pixel(op, item, ch, py, px);
        }
    return static_cast<double>(sum) * op.scale + weight(op.bias, c) + position;
  }
  double operator()(const plan::Norm& op, int64_t row, int64_t c) const {
    long double mean = 0, square = 0;
    for (int64_t i = 0; i < op.cols; ++i) mean += at(op.in, row * op.cols + i);
    mean /= op.cols;
    for (int64_t i = 0; i < op.cols; ++i) square += std::pow(at(op.in, row * op.cols + i) - mean, 2);
    const long double n = (at(op.in, row * op.cols + c) - mean) / std::sqrt(square / op.cols + op.epsilon);
    return static_cast<double>((n * weight(op.gamma, c, 1) + weight(op.beta, c)) / op.out_scale);
  }
  static long double activated(plan::Activation activation, long double y) {
    if (activation == plan::Activation::kQuickGelu) return y / (1 + std::exp(-1.702L * y));
    if (activation == plan::Activation::kGeluErf) return y * (1 + std::erf(y / std::sqrt(2.0L))) / 2;
    if (activation == plan::Activation::kGeluTanh)
      return y * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0L)) * (y + 0.044715L * y * y * y))) / 2;
    return y;
  }
  double operator()(const plan::Gemm& op, int64_t row, int64_t n) const {
    long double sum = 0;
    for (int64_t k = 0; k < op.k; ++k) sum += static_cast<long double>(at(op.a, row * op.k + k)) * weight(op.weight, n * op.k + k);
    const plan::ColumnRange& range = *std::ranges::find_if(op.ranges, [n](const auto& r) { return n < r.end; });
    long double y = activated(op.activation, sum * range.alpha * weight(op.channel_scale, n, 1) + weight(op.bias, n)) * range.mul;
    if (op.residual != plan::kNoId) y += at(op.residual, row * op.n + n);
    return static_cast<double>(y / range.out_scale);
  }
  double operator()(const plan::Attention& op, int64_t row, int64_t c) const {
    const int64_t item = row / op.tokens, token = row % op.tokens, h = c / op.head_dim, keys = op.causal ? token + 1 : op.tokens;
    const auto value = [&](const plan::AttentionInput& x, int64_t t, int64_t d) {
      return at(x.buffer, (item * op.tokens + t) * x.row_stride + x.column + h * op.head_dim + d);
    };
    std::vector<long double> p;
    long double sum = 0;
    for (int64_t j = 0; j < keys; ++j) {
      long double score = 0;
      for (int64_t d = 0; d < op.head_dim; ++d) score += static_cast<long double>(value(op.q, token, d)) * value(op.k, j, d);
      score = score * op.q.scale * op.k.scale * op.score_scale;
      if (op.mask != plan::kNoId && id(op.mask, item * op.tokens + j) == 0) score = -std::numeric_limits<long double>::infinity();
      sum += p.emplace_back(std::exp(score));  // small scores: no maximum is needed
    }
    long double out = 0;
    for (int64_t j = 0; j < keys; ++j) {
      double weight = static_cast<double>(p[static_cast<size_t>(j)] / sum);
      if (op.p_scale > 0) weight = static_cast<double>(decode_e4m3(encode_e4m3(weight / op.p_scale))) * op.p_scale;
      out += weight * static_cast<long double>(value(op.v, j, c % op.head_dim));
    }
    return static_cast<double>(out * op.v.scale / op.out_scale);
  }
  double operator()(const plan::Scores& op, int64_t row, int64_t key) const {
    const int64_t item = row / op.tokens / op.heads, head = row / op.tokens % op.heads, query = row % op.tokens;
    if (key >= (op.causal ? query + 1 : op.tokens)) return 0;
    const auto value = [&](const plan::AttentionInput& x, int64_t t, int64_t d) {
      return static_cast<long double>(at(x.buffer, (item * op.tokens + t) * x.row_stride + x.column + head * op.head_dim + d));
    };
    long double sum = 0;
    for (int64_t d = 0; d < op.head_dim; ++d) sum += value(op.q, query, d) * value(op.k, key, d);
    return static_cast<double>(sum * op.q.scale * op.k.scale * op.score_scale);
  }
  double operator()(const plan::Softmax& op, int64_t row, int64_t key) const {
    const int64_t keys = op.causal ? row % op.tokens + 1 : op.tokens, cols = plan::padded_keys(op.tokens);
    if (key >= keys) return 0;
    long double sum = 0;
    for (int64_t j = 0; j < keys; ++j) sum += std::exp(static_cast<long double>(at(op.in, row * cols + j)));  // small: no maximum is needed
    return static_cast<double>(std::exp(static_cast<long double>(at(op.in, row * cols + key))) / sum / op.out_scale);
  }
  double operator()(const plan::Values& op, int64_t row, int64_t c) const {
    const int64_t item = row / op.tokens, query = row % op.tokens, head = c / op.head_dim, keys = op.causal ? query + 1 : op.tokens;
    long double sum = 0;
    for (int64_t j = 0; j < keys; ++j)
      sum += static_cast<long double>(at(op.in, ((item * op.heads + head) * op.tokens + query) * plan::padded_keys(op.tokens) + j)) *
             at(op.v.buffer, (item * op.tokens + j) * op.v.row_stride + op.v.column + c);
    return static_cast<double>(sum * op.p_scale * op.v.scale / op.out_scale);
  }
  double operator()(const plan::Pool& op, int64_t item, int64_t c) const {
    int64_t row = op.index;
    if (op.mode != plan::PoolMode::kIndex) {
      const int64_t tokens = plan.buffers[op.ids].dims[0];
      row = 0;
      for (int64_t t = tokens - 1; t >= 0; --t) {
        if (op.mode == plan::PoolMode::kFirstEqual ? id(op.ids, item * tokens + t) == op.index
                                                   : id(op.ids, item * tokens + t) >= id(op.ids, item * tokens + row))
          row = t;
      }
    }
    return at(op.in, (item * op.rows + row) * op.cols + c);
  }
  double operator()(const plan::FakeQuantize& op, int64_t row, int64_t c) const {
    const double x = at(op.in, row * op.cols + c);
    const bool codes = plan.buffers[op.in].dtype == DType::e4m3;
    return (codes ? x : static_cast<double>(decode_e4m3(encode_e4m3(static_cast<float>(x) / op.scale)))) * op.scale;
  }
  double operator()(const plan::Pointwise& op, int64_t row, int64_t c) const {
    const long double x = static_cast<long double>(at(op.in, row * op.cols + c)) * op.scale + weight(op.bias, c);
    const double rest = op.residual == plan::kNoId ? 0 : at(op.residual, row * op.cols + c);
    return static_cast<double>((activated(op.activation, x) * op.mul + rest) / op.out_scale);
  }
  double operator()(const plan::L2Normalize& op, int64_t item, int64_t c) const {
    long double squares = 0;
    for (int64_t i = 0; i < op.cols; ++i) squares += std::pow(at(op.in, item * op.cols + i), 2.0L);
    return static_cast<double>(at(op.in, item * op.cols + c) / std::max<long double>(std::sqrt(squares), op.epsilon));
  }
};

}  // namespace octet::oracle::testing
