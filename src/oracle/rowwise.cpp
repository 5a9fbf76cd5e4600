// The operations that work on one row at a time: embed, norm, pool, l2normalize, fake_quantize.
#include <cmath>

#include "base/error.h"
#include "numeric/convert.h"
#include "oracle/bound.h"
#include "oracle/step_rows.h"

namespace octet::oracle {
namespace {

class EmbedRows : public StepRows {
 public:
  EmbedRows(const StepInput& in, const plan::Embed& op)
      : in_(in), op_(op), tokens_(in.plan.buffers.at(op.ids).dims.back()), cols_(in.plan.buffers.at(op.out).dims.back()) {
    check(op.ids, op.token, "token id");
    if (op.types != plan::kNoId) check(op.types, op.type, "token type");
  }
  void compute(std::span<const int64_t> rows, double* values, double* bounds) const override {
    const DType dtype = in_.plan.weights[op_.token].dtype;
    std::vector<double> position(static_cast<size_t>(cols_)), type(position.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      double* y = values + static_cast<int64_t>(i) * cols_;
      decode(dtype, in_.plan.weight_bytes[op_.token].data(), id_at(in_.type(op_.ids), in_.buffers[op_.ids], rows[i]) * cols_, cols_, y);
      decode(dtype, in_.plan.weight_bytes[op_.position].data(), rows[i] % tokens_ * cols_, cols_, position.data());
      if (op_.types != plan::kNoId)
        decode(dtype, in_.plan.weight_bytes[op_.type].data(), id_at(in_.type(op_.types), in_.buffers[op_.types], rows[i]) * cols_, cols_,
               type.data());
      for (int64_t c = 0; c < cols_; ++c) {
        const double first = y[c] + position[static_cast<size_t>(c)];
        y[c] = first + type[static_cast<size_t>(c)];
        if (bounds)
          bounds[static_cast<int64_t>(i) * cols_ + c] = kHalfUlp * (std::abs(y[c]) + (op_.types != plan::kNoId) * std::abs(first));
      }
    }
  }

 private:
  void check(plan::Id ids, plan::Id table, const char* what) const {
    const int64_t rows = in_.plan.weights.at(table).dims[0];
    for (int64_t i = 0; i < in_.batch * tokens_; ++i)
      if (const int64_t id = id_at(in_.type(ids), in_.buffers[ids], i); id < 0 || id >= rows)
        fail(Code::kInvalid, "item {}, position {}: {} {} is outside the vocabulary [0, {})", i / tokens_, i % tokens_, what, id, rows);
  }
  StepInput in_;
  const plan::Embed& op_;
  int64_t tokens_, cols_;
};

class NormRows : public StepRows {
 public:
  NormRows(const StepInput& in, const plan::Norm& op)
      : in_(in), op_(op), gamma_(weight_values(in.plan, op.gamma, op.cols, 1)), beta_(weight_values(in.plan, op.beta, op.cols, 0)) {}

  void compute(std::span<const int64_t> rows, double* values, double* bounds) const override {
    const auto cols = static_cast<int64_t>(op_.cols);
    for (size_t i = 0; i < rows.size(); ++i) {
      double* y = values + static_cast<int64_t>(i) * cols;
      decode(in_.type(op_.in), in_.buffers[op_.in], rows[i] * cols, cols, y);
      double sum = 0, squares = 0;
      for (int64_t c = 0; c < cols; ++c) sum += y[c];
      const double mean = sum / static_cast<double>(cols);
      for (int64_t c = 0; c < cols; ++c) squares += (y[c] - mean) * (y[c] - mean);
      const double deviation = std::sqrt(squares / static_cast<double>(cols) + op_.epsilon);
      for (int64_t c = 0; c < cols; ++c) {
        const double n = (y[c] - mean) / deviation, gamma = gamma_[static_cast<size_t>(c)], beta = beta_[static_cast<size_t>(c)];
        y[c] = (n * gamma + beta) / op_.out_scale;
        if (bounds) bounds[static_cast<int64_t>(i) * cols + c] = norm_bound(cols, n, gamma, beta) / op_.out_scale;
      }
    }
  }

 private:
  StepInput in_;
  const plan::Norm& op_;
  std::vector<double> gamma_, beta_;
};

class PoolRows : public StepRows {
 public:
  PoolRows(const StepInput& in, const plan::Pool& op) : in_(in), op_(op) {}

  void compute(std::span<const int64_t> rows, double* values, double* bounds) const override {
    for (size_t i = 0; i < rows.size(); ++i)
      decode(in_.type(op_.in), in_.buffers[op_.in], (rows[i] * op_.rows + chosen(rows[i])) * op_.cols, op_.cols, values + i * op_.cols);
    if (bounds) std::fill_n(bounds, rows.size() * op_.cols, 0.0);  // a copy
  }

 private:
  int64_t chosen(int64_t item) const {
    if (op_.mode == plan::PoolMode::kIndex) return op_.index;
    const int64_t tokens = in_.plan.buffers[op_.ids].dims.back();
    const auto id = [&](int64_t t) { return id_at(in_.type(op_.ids), in_.buffers[op_.ids], item * tokens + t); };
    int64_t best = 0;
    for (int64_t t = 0; t < tokens; ++t) {
      if (op_.mode == plan::PoolMode::kFirstEqual && id(t) == op_.index) return t;
      if (op_.mode == plan::PoolMode::kArgMax && id(t) > id(best)) best = t;
    }
    return best;
  }
  StepInput in_;
  const plan::Pool& op_;
};

class L2NormalizeRows : public StepRows {
 public:
  L2NormalizeRows(const StepInput& in, const plan::L2Normalize& op) : in_(in), op_(op) {}

  void compute(std::span<const int64_t> rows, double* values, double* bounds) const override {
    for (size_t i = 0; i < rows.size(); ++i) {
      double* y = values + i * op_.cols;
      decode(in_.type(op_.in), in_.buffers[op_.in], rows[i] * op_.cols, op_.cols, y);
      double squares = 0;
      for (uint32_t c = 0; c < op_.cols; ++c) squares += y[c] * y[c];
      const double norm = std::sqrt(squares) < op_.epsilon ? op_.epsilon : std::sqrt(squares);  // NaN stays NaN
      for (uint32_t c = 0; c < op_.cols; ++c) {
        y[c] /= norm;
        if (bounds) bounds[i * op_.cols + c] = accumulation_bound(op_.cols / 16, std::abs(y[c]));
      }
    }
  }

 private:
  StepInput in_;
  const plan::L2Normalize& op_;
};

// The quotient is rounded to f32, as the format says: so the code is the same everywhere, and the product is exact in f64.
class FakeQuantizeRows : public StepRows {
 public:
  FakeQuantizeRows(const StepInput& in, const plan::FakeQuantize& op) : in_(in), op_(op) {}

  void compute(std::span<const int64_t> rows, double* values, double* bounds) const override {
    const bool codes = in_.type(op_.in) == DType::e4m3;
    for (size_t i = 0; i < rows.size(); ++i) {
      double* y = values + i * op_.cols;
      decode(in_.type(op_.in), in_.buffers[op_.in], rows[i] * op_.cols, op_.cols, y);
      for (uint32_t c = 0; c < op_.cols; ++c) {
        if (!codes) y[c] = decode_e4m3(encode_e4m3(static_cast<float>(y[c]) / op_.scale));
        y[c] *= op_.scale;
      }
    }
    if (bounds) std::fill_n(bounds, rows.size() * op_.cols, 0.0);
  }

 private:
  StepInput in_;
  const plan::FakeQuantize& op_;
};

}  // namespace

std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::FakeQuantize& op) { return std::make_unique<FakeQuantizeRows>(in, op); }
std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::Embed& op) { return std::make_unique<EmbedRows>(in, op); }
std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::Norm& op) { return std::make_unique<NormRows>(in, op); }
std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::Pool& op) { return std::make_unique<PoolRows>(in, op); }
std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::L2Normalize& op) { return std::make_unique<L2NormalizeRows>(in, op); }

}  // namespace octet::oracle
