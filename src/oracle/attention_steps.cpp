// The steps of unfused attention in f64.
#include <algorithm>
#include <cmath>
#include <limits>

#include "oracle/bound.h"
#include "oracle/short_sums.h"
#include "oracle/step_rows.h"

namespace octet::oracle {
namespace {

// Where output row `row` of scores and weights lies: [item][head][query].
struct Place {
  int64_t item, head, query, keys;
  Place(int64_t row, int64_t tokens, int64_t heads, bool causal)
      : item(row / tokens / heads), head(row / tokens % heads), query(row % tokens), keys(causal ? query + 1 : tokens) {}
};

// head_dim values of one token and head of q, k or v.
void read_head(const StepInput& in, const plan::AttentionInput& input, int64_t token, int64_t head, int64_t head_dim, double* to) {
  decode(in.type(input.buffer), in.buffers[input.buffer], token * input.row_stride + input.column + head * head_dim, head_dim, to);
}

class ScoresRows : public StepRows {
 public:
  ScoresRows(const StepInput& in, const plan::Scores& op) : in_(in), op_(op), cols_(plan::padded_keys(op.tokens)) {}

  void compute(std::span<const int64_t> rows, double* values, double* bounds) const override {
    const int64_t tokens = op_.tokens, dim = op_.head_dim;
    std::vector<double> keys(static_cast<size_t>(tokens * dim)), query(static_cast<size_t>(dim));
    int64_t loaded = -1;
    for (size_t i = 0; i < rows.size(); ++i) {
      const Place at(rows[i], tokens, op_.heads, op_.causal != 0);
      if (loaded != rows[i] / tokens)
        for (int64_t t = 0; t < tokens; ++t) read_head(in_, op_.k, at.item * tokens + t, at.head, dim, keys.data() + t * dim);
      loaded = rows[i] / tokens;
      read_head(in_, op_.q, at.item * tokens + at.query, at.head, dim, query.data());
      const auto row = static_cast<int64_t>(i) * cols_;
      std::fill_n(values + row, cols_, 0.0);
      if (bounds) std::fill_n(bounds + row, cols_, 0.0);
      for (int64_t j = 0; j < at.keys; ++j)
        score(query.data(), keys.data() + j * dim, values + row + j, bounds ? bounds + row + j : nullptr);
    }
  }

 private:
  void score(const double* query, const double* key, double* value, double* bound) const {
    const double scale = static_cast<double>(op_.q.scale) * op_.k.scale * op_.score_scale;
    double sum = 0, magnitude = 0;
    for (int64_t d = 0; d < op_.head_dim; ++d) sum += query[d] * key[d], magnitude += std::abs(query[d] * key[d]);
    *value = sum * scale;
    if (!bound) return;
    double stray = 0;
    if (is_short(in_.accumulation)) short_sum_bounds(in_.accumulation, op_.head_dim, 1, query, key, 1, &stray);
    *bound = accumulation_bound(op_.head_dim, magnitude * std::abs(scale)) + stray * std::abs(scale);
  }

  StepInput in_;
  const plan::Scores& op_;
  int64_t cols_;
};

// A kernel's exponential may end here instead of at 0.
constexpr double kLeastExponential = 0x1p-126;

class SoftmaxRows : public StepRows {
 public:
  SoftmaxRows(const StepInput& in, const plan::Softmax& op) : in_(in), op_(op), cols_(plan::padded_keys(op.tokens)) {}

  void compute(std::span<const int64_t> rows, double* values, double* bounds) const override {
    for (size_t i = 0; i < rows.size(); ++i) {
      const Place at(rows[i], op_.tokens, op_.heads, op_.causal != 0);
      const auto row = static_cast<int64_t>(i) * cols_;
      std::fill_n(values + row, cols_, 0.0);
      if (bounds) std::fill_n(bounds + row, cols_, 0.0);
      softmax(at, rows[i], values + row, bounds ? bounds + row : nullptr);
    }
  }

 private:
  void softmax(const Place& at, int64_t row, double* value, double* bound) const {
    std::vector<double> score(static_cast<size_t>(at.keys));
    decode(in_.type(op_.in), in_.buffers[op_.in], row * cols_, at.keys, score.data());
    hide(at.item, score);
    const double most = *std::max_element(score.begin(), score.end());
    double sum = 0, sum_slack = 0;
    for (size_t j = 0; j < score.size(); ++j) {
      value[j] = std::exp(score[j] - most);
      sum += value[j];
      if (std::isfinite(score[j])) sum_slack += value[j] * exponential_bound(0, most - score[j]);
    }
    // As for the fused step: the sum's own error, its terms', and a few roundings of the division and the scale.
    const double common = sum_slack / sum + static_cast<double>(score.size() + 8) * kHalfUlp;
    for (size_t j = 0; j < score.size(); ++j) {
      value[j] /= sum * op_.out_scale;
      if (!bound) continue;
      bound[j] = kLeastExponential / op_.out_scale;
      if (std::isfinite(score[j])) bound[j] += value[j] * std::expm1(exponential_bound(0, most - score[j]) + common);
    }
  }
  // Hidden keys have no weight; where all are hidden, all are equal.
  void hide(int64_t item, std::vector<double>& score) const {
    if (op_.mask == plan::kNoId) return;
    std::vector<bool> seen(score.size());
    for (size_t j = 0; j < score.size(); ++j)
      seen[j] = id_at(in_.type(op_.mask), in_.buffers[op_.mask], item * op_.tokens + static_cast<int64_t>(j)) != 0;
    const bool none = std::find(seen.begin(), seen.end(), true) == seen.end();
    for (size_t j = 0; j < score.size(); ++j)
      if (!seen[j]) score[j] = none ? 0 : -std::numeric_limits<double>::infinity();
  }

  StepInput in_;
  const plan::Softmax& op_;
  int64_t cols_;
};

class ValuesRows : public StepRows {
 public:
  ValuesRows(const StepInput& in, const plan::Values& op) : in_(in), op_(op), cols_(int64_t{op.heads} * op.head_dim) {}

  void compute(std::span<const int64_t> rows, double* values, double* bounds) const override {
    for (size_t i = 0; i < rows.size(); ++i)
      for (int64_t h = 0; h < op_.heads; ++h) {
        const int64_t to = static_cast<int64_t>(i) * cols_ + h * op_.head_dim;
        head(rows[i], h, values + to, bounds ? bounds + to : nullptr);
      }
  }

 private:
  void head(int64_t row, int64_t h, double* value, double* bound) const {
    const int64_t tokens = op_.tokens, item = row / tokens, query = row % tokens, keys = op_.causal ? query + 1 : tokens,
                  dim = op_.head_dim;
    std::vector<double> p(static_cast<size_t>(keys)), v(static_cast<size_t>(keys * dim)), magnitude(static_cast<size_t>(dim));
    decode(in_.type(op_.in), in_.buffers[op_.in], ((item * op_.heads + h) * tokens + query) * plan::padded_keys(tokens), keys, p.data());
    for (int64_t j = 0; j < keys; ++j) read_head(in_, op_.v, item * tokens + j, h, dim, v.data() + j * dim);
    const double scale = static_cast<double>(op_.p_scale) * op_.v.scale / op_.out_scale;
    std::fill_n(value, dim, 0.0);
    for (int64_t j = 0; j < keys; ++j)
      for (int64_t d = 0; d < dim; ++d) {
        const double product = p[static_cast<size_t>(j)] * v[static_cast<size_t>(j * dim + d)];
        value[d] += product, magnitude[static_cast<size_t>(d)] += std::abs(product);
      }
    std::vector<double> strays(static_cast<size_t>(dim));
    if (bound && is_short(in_.accumulation)) short_sum_bounds(in_.accumulation, keys, dim, p.data(), v.data(), dim, strays.data());
    for (int64_t d = 0; d < dim; ++d) {
      const auto at = static_cast<size_t>(d);
      value[d] *= scale;
      if (bound) bound[d] = accumulation_bound(keys, magnitude[at] * std::abs(scale)) + strays[at] * std::abs(scale);
    }
  }

  StepInput in_;
  const plan::Values& op_;
  int64_t cols_;
};

}  // namespace

std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::Scores& op) { return std::make_unique<ScoresRows>(in, op); }
std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::Softmax& op) { return std::make_unique<SoftmaxRows>(in, op); }
std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::Values& op) { return std::make_unique<ValuesRows>(in, op); }

}  // namespace octet::oracle
