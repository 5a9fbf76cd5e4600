// Attention with an f64 softmax; probabilities are quantized as the plan says.
#include <algorithm>
#include <cmath>
#include <limits>

#include "numeric/convert.h"
#include "oracle/bound.h"
#include "oracle/short_sums.h"
#include "oracle/step_rows.h"

namespace octet::oracle {
namespace {

// Compiled for several instruction sets, chosen at start; without contraction all give the same bits.
__attribute__((target_clones("avx512f", "avx2", "default"))) void add_scaled(int64_t n, double a, const double* x, double* y) {
  for (int64_t i = 0; i < n; ++i) y[i] += a * x[i];
}
__attribute__((target_clones("avx512f", "avx2", "default"))) void add_magnitudes(int64_t n, double a, const double* x, double* y) {
  for (int64_t i = 0; i < n; ++i) y[i] += std::fabs(a * x[i]);
}

// Keys transposed [cols, tokens] and values [tokens, cols] of one item.
struct Item {
  int64_t index = -1;
  std::vector<double> keys, values;
  std::vector<bool> hidden;  // keys that get no weight; empty without a mask
  bool sees(int64_t key) const { return hidden.empty() || !hidden[static_cast<size_t>(key)]; }
};

class AttentionRows : public StepRows {
 public:
  AttentionRows(const StepInput& in, const plan::Attention& op)
      : in_(in), op_(op), tokens_(op.tokens), cols_(int64_t{op.heads} * op.head_dim), type_(in.type(op.q.buffer)) {}

  void compute(std::span<const int64_t> rows, double* values, double* bounds) const override {
    Item item;
    std::vector<double> query(static_cast<size_t>(cols_));
    for (size_t i = 0; i < rows.size(); ++i) {
      if (item.index != rows[i] / tokens_) load(rows[i] / tokens_, item);
      read(op_.q, rows[i], query.data());
      const int64_t keys = op_.causal ? rows[i] % tokens_ + 1 : tokens_;
      for (int64_t h = 0; h < op_.heads; ++h) {
        const int64_t at = static_cast<int64_t>(i) * cols_ + h * op_.head_dim;
        head(item, query.data(), h, keys, values + at, bounds ? bounds + at : nullptr);
      }
    }
  }

 private:
  // A kernel's probability lies in [low, high]: exact p, quantized if the plan says so, and the same of its error interval.
  struct Probability {
    double p, slack;
  };

  void read(const plan::AttentionInput& input, int64_t row, double* to) const {
    decode(type_, in_.buffers[input.buffer], row * input.row_stride + input.column, cols_, to);
  }
  void load(int64_t index, Item& item) const {
    item.index = index;
    item.keys.resize(static_cast<size_t>(tokens_ * cols_));
    item.values.resize(item.keys.size());
    std::vector<double> row(static_cast<size_t>(cols_));
    for (int64_t t = 0; t < tokens_; ++t) {
      read(op_.k, index * tokens_ + t, row.data());
      for (int64_t c = 0; c < cols_; ++c) item.keys[static_cast<size_t>(c * tokens_ + t)] = row[static_cast<size_t>(c)];
      read(op_.v, index * tokens_ + t, item.values.data() + t * cols_);
    }
    if (op_.mask == plan::kNoId) return;
    item.hidden.resize(static_cast<size_t>(tokens_));
    for (int64_t t = 0; t < tokens_; ++t)
      item.hidden[static_cast<size_t>(t)] = id_at(in_.type(op_.mask), in_.buffers[op_.mask], index * tokens_ + t) == 0;
  }
  // Of the first `keys` ones. Where none is seen, every score is kMaskedScore: no score is large enough to change it by rounding.
  bool sees_none(const Item& item, int64_t keys) const {
    return !item.hidden.empty() && std::find(item.hidden.begin(), item.hidden.begin() + keys, false) == item.hidden.begin() + keys;
  }

  void head(const Item& item, const double* query, int64_t h, int64_t keys, double* value, double* bound) const {
    const double scale = static_cast<double>(op_.q.scale) * op_.k.scale * op_.score_scale,
                 last = static_cast<double>(op_.v.scale) / op_.out_scale;
    std::vector<double> score(static_cast<size_t>(keys)), size(score.size());
    for (int64_t c = h * op_.head_dim; c < (h + 1) * op_.head_dim; ++c) {
      add_scaled(keys, query[c] * scale, item.keys.data() + c * tokens_, score.data());
      if (bound) add_magnitudes(keys, query[c] * scale, item.keys.data() + c * tokens_, size.data());
    }
    const bool none = sees_none(item, keys);
    if (none) std::fill(score.begin(), score.end(), 0.0), std::fill(size.begin(), size.end(), 0.0);
    const double stray = bound && !none ? score_stray(item, query, h, keys) * std::abs(scale) : 0;
    std::vector<bool> seen(score.size());
    for (int64_t j = 0; j < keys; ++j) seen[static_cast<size_t>(j)] = none || item.sees(j);
    const std::vector<Probability> p = softmax(score, size, seen, stray, bound != nullptr);
    std::fill_n(value, op_.head_dim, 0.0);
    for (int64_t j = 0; j < keys; ++j)
      add_scaled(op_.head_dim, p[static_cast<size_t>(j)].p, item.values.data() + j * cols_ + h * op_.head_dim, value);
    for (int64_t d = 0; d < op_.head_dim; ++d) value[d] *= last;
    if (!bound) return;
    // The slack of each p, the second sum in f32, and the roundings of p where it is stored in 16 bits.
    const double stored = op_.p_scale > 0 ? 0 : probability_rounding(type_), tiny = op_.p_scale > 0 ? 0 : 0x1p-25;
    const std::vector<double> strays = value_strays(item, p, h, keys);
    for (int64_t d = 0; d < op_.head_dim; ++d) {
      double error = strays[static_cast<size_t>(d)], magnitude = 0;
      for (int64_t j = 0; j < keys; ++j) {
        const Probability& q = p[static_cast<size_t>(j)];
        const double v = std::abs(item.values[static_cast<size_t>(j * cols_ + h * op_.head_dim + d)]);
        error += (q.slack + tiny) * v;
        magnitude += (q.p + q.slack) * v;
      }
      bound[d] = (error + stored * magnitude + accumulation_bound(keys, magnitude)) * std::abs(last);
    }
  }

  // How far any score of a query, before scaling, and the sums over values may stray where sums are short of bits.
  double score_stray(const Item& item, const double* query, int64_t h, int64_t keys) const {
    if (!is_short(in_.accumulation)) return 0;
    std::vector<double> strays(static_cast<size_t>(keys));
    short_sum_bounds(in_.accumulation, op_.head_dim, keys, query + h * op_.head_dim, item.keys.data() + h * op_.head_dim * tokens_, tokens_,
                     strays.data());
    return *std::max_element(strays.begin(), strays.end());
  }
  std::vector<double> value_strays(const Item& item, const std::vector<Probability>& p, int64_t h, int64_t keys) const {
    std::vector<double> strays(static_cast<size_t>(op_.head_dim)), weights(p.size());
    if (!is_short(in_.accumulation)) return strays;
    const double scale = op_.p_scale > 0 ? op_.p_scale : 1;
    for (size_t j = 0; j < p.size(); ++j)
      weights[j] = op_.p_scale > 0 ? static_cast<double>(decode_e4m3(encode_e4m3(p[j].p / scale))) : p[j].p;
    short_sum_bounds(in_.accumulation, keys, op_.head_dim, weights.data(), item.values.data() + h * op_.head_dim, cols_, strays.data());
    for (double& stray : strays) stray *= scale;
    return strays;
  }

  std::vector<Probability> softmax(const std::vector<double>& score, const std::vector<double>& size, const std::vector<bool>& seen,
                                   double stray, bool bounded) const {
    double most = -std::numeric_limits<double>::infinity(), widest = 0;
    for (size_t j = 0; j < score.size(); ++j)
      if (seen[j]) most = std::max(most, score[j]), widest = std::max(widest, size[j]);
    const double score_bound = bounded ? accumulation_bound(op_.head_dim, widest) + stray : 0;
    std::vector<Probability> p(score.size());
    double sum = 0, sum_slack = 0;
    for (size_t j = 0; j < p.size(); ++j) {
      if (!seen[j]) continue;
      p[j] = {std::exp(score[j] - most), exponential_bound(score_bound, most - score[j])};
      sum += p[j].p;
      sum_slack += p[j].p * p[j].slack;
    }
    const double common = sum_slack / sum + static_cast<double>(p.size() + 8) * kHalfUlp;
    for (Probability& q : p) {
      if (q.p == 0 && q.slack == 0) continue;  // hidden
      const double exact = q.p / sum, low = exact * std::exp(-q.slack - common), high = exact * std::exp(q.slack + common);
      const double stored = quantized(exact);
      q = {stored, bounded ? std::max(quantized(high) - stored, stored - quantized(low)) : 0};
    }
    return p;
  }
  double quantized(double p) const {
    return op_.p_scale > 0 ? static_cast<double>(decode_e4m3(encode_e4m3(p / op_.p_scale))) * op_.p_scale : p;
  }

  StepInput in_;
  const plan::Attention& op_;
  int64_t tokens_, cols_;
  DType type_;
};

}  // namespace

std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::Attention& op) { return std::make_unique<AttentionRows>(in, op); }

}  // namespace octet::oracle
