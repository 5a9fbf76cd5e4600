// GEMM and patch embedding: products with a weight matrix, and what follows them, alone too.
#include <cmath>

#include "oracle/bound.h"
#include "oracle/panels.h"
#include "oracle/step_rows.h"

namespace octet::oracle {
namespace {

double activate(plan::Activation activation, double x) {
  switch (activation) {
    case plan::Activation::kQuickGelu:
      return x / (1 + std::exp(-1.702 * x));
    case plan::Activation::kGeluErf:
      return 0.5 * x * std::erfc(-x * M_SQRT1_2);
    case plan::Activation::kGeluTanh:
      return x / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case plan::Activation::kNone:
      break;
  }
  return x;
}

// Left operands of a block of rows, padded with zero rows to whole Panels::kRows.
class Block {
 public:
  Block(int64_t rows, int64_t k) : k_(k), values_(static_cast<size_t>((rows + Panels::kRows - 1) / Panels::kRows * Panels::kRows * k)) {}
  double* row(int64_t i) { return values_.data() + i * k_; }

 private:
  int64_t k_;
  std::vector<double> values_;
};

// finish(i, column, sum, sum of magnitudes or 0, bound of a short sum or 0) for every row i < rows and column < n.
template <class Finish>
void multiply(const Panels& w, Block& a, int64_t rows, int64_t n, bool magnitudes, const Accumulation& how, Finish&& finish) {
  double sums[Panels::kRows * Panels::kCols], sizes[Panels::kRows * Panels::kCols] = {}, strays[Panels::kRows * Panels::kCols] = {};
  for (int64_t panel = 0; panel < w.count(); ++panel)
    for (int64_t begin = 0; begin < rows; begin += Panels::kRows) {
      w.multiply(a.row(begin), panel, false, sums);
      if (magnitudes) w.multiply(a.row(begin), panel, true, sizes);
      for (int64_t r = 0; magnitudes && is_short(how) && r < std::min(Panels::kRows, rows - begin); ++r)
        w.short_bounds(how, a.row(begin + r), panel, strays + r * Panels::kCols);
      for (int64_t r = 0; r < std::min(Panels::kRows, rows - begin); ++r)
        for (int64_t c = 0; c < std::min(Panels::kCols, n - panel * Panels::kCols); ++c)
          finish(begin + r, panel * Panels::kCols + c, sums[r * Panels::kCols + c], sizes[r * Panels::kCols + c],
                 strays[r * Panels::kCols + c]);
    }
}

class GemmRows : public StepRows {
 public:
  GemmRows(const StepInput& in, const plan::Gemm& op)
      : in_(in),
        op_(op),
        w_(in.plan.weights.at(op.weight).dtype, in.plan.weight_bytes.at(op.weight).data(), op.n, op.k),
        alpha_(weight_values(in.plan, op.channel_scale, op.n, 1)),
        bias_(weight_values(in.plan, op.bias, op.n, 0)),
        mul_(op.n),
        out_scale_(op.n) {
    for (const plan::ColumnRange& range : op.ranges)
      for (uint32_t n = range.begin; n < range.end; ++n) alpha_[n] *= range.alpha, mul_[n] = range.mul, out_scale_[n] = range.out_scale;
  }

  void compute(std::span<const int64_t> rows, double* values, double* bounds) const override {
    const auto count = static_cast<int64_t>(rows.size()), n = static_cast<int64_t>(op_.n);
    Block a(count, op_.k);
    std::vector<double> residual(static_cast<size_t>(count * n));
    for (int64_t i = 0; i < count; ++i) {
      decode(in_.type(op_.a), in_.buffers[op_.a], rows[static_cast<size_t>(i)] * op_.k, op_.k, a.row(i));
      if (op_.residual != plan::kNoId)
        decode(in_.type(op_.residual), in_.buffers[op_.residual], rows[static_cast<size_t>(i)] * n, n, residual.data() + i * n);
    }
    multiply(w_, a, count, n, bounds != nullptr, in_.accumulation, [&](int64_t i, int64_t c, double sum, double size, double stray) {
      const auto col = static_cast<size_t>(c);
      const double x = sum * alpha_[col] + bias_[col], y = activate(op_.activation, x) * mul_[col],
                   rest = residual[static_cast<size_t>(i * n + c)];
      values[i * n + c] = (y + rest) / out_scale_[col];
      if (!bounds) return;
      const double before = accumulation_bound(op_.k, size * std::abs(alpha_[col]) + std::abs(bias_[col])) + stray * std::abs(alpha_[col]);
      const double after = activation_bound(op_.activation, x, before) * std::abs(mul_[col]);
      bounds[i * n + c] = (after + 4 * kHalfUlp * (std::abs(y) + std::abs(rest))) / out_scale_[col];
    });
  }

 private:
  StepInput in_;
  const plan::Gemm& op_;
  Panels w_;
  std::vector<double> alpha_, bias_, mul_, out_scale_;
};

class PatchEmbedRows : public StepRows {
 public:
  PatchEmbedRows(const StepInput& in, const plan::PatchEmbed& op)
      : in_(in),
        op_(op),
        cols_(in.plan.buffers.at(op.out).dims.back()),
        k_(int64_t{op.channels} * op.patch * op.patch),
        class_(op.class_token != plan::kNoId),
        tokens_(int64_t{op.height / op.patch} * (op.width / op.patch) + class_),
        w_(in.plan.weights.at(op.weight).dtype, in.plan.weight_bytes.at(op.weight).data(), cols_, k_),
        bias_(weight_values(in.plan, op.bias, static_cast<size_t>(cols_), 0)),
        class_token_(weight_values(in.plan, op.class_token, static_cast<size_t>(cols_), 0)),
        position_(weight_values(in.plan, op.position, static_cast<size_t>(tokens_ * cols_), 0)),
        table_(weight_values(in.plan, op.table, static_cast<size_t>(op.channels * plan::kPixelValues), 0)) {}

  void compute(std::span<const int64_t> rows, double* values, double* bounds) const override {
    Block a(static_cast<int64_t>(rows.size()), k_);  // the class token's row stays zero
    for (size_t i = 0; i < rows.size(); ++i) {
      const int64_t token = rows[i] % tokens_;
      if (!class_ || token > 0) gather(rows[i] / tokens_, token - class_, a.row(static_cast<int64_t>(i)));
    }
    multiply(w_, a, static_cast<int64_t>(rows.size()), cols_, bounds != nullptr, in_.accumulation,
             [&](int64_t i, int64_t c, double sum, double size, double stray) {
               const int64_t token = rows[static_cast<size_t>(i)] % tokens_;
               const bool is_class = class_ && token == 0;
               const double start = is_class ? class_token_[static_cast<size_t>(c)] : sum * op_.scale + bias_[static_cast<size_t>(c)];
               const double position = position_[static_cast<size_t>(token * cols_ + c)];
               values[i * cols_ + c] = start + position;
               if (!bounds) return;
               const double before =
                   is_class ? 0 : accumulation_bound(k_, size * op_.scale + std::abs(bias_[static_cast<size_t>(c)])) + stray * op_.scale;
               bounds[i * cols_ + c] = before + 2 * kHalfUlp * (std::abs(start) + std::abs(position));
             });
  }

 private:
  // patch[c, y, x] of one item, in the order of the weight's k.
  void gather(int64_t item, int64_t patch, double* to) const {
    const int64_t p = op_.patch, across = op_.width / op_.patch, top = patch / across * p, left = patch % across * p;
    if (op_.table != plan::kNoId) return look_up((item * op_.height + top) * op_.width + left, to);
    for (int64_t c = 0; c < op_.channels; ++c)
      for (int64_t y = 0; y < p; ++y)
        decode(in_.type(op_.pixels), in_.buffers[op_.pixels], ((item * op_.channels + c) * op_.height + top + y) * op_.width + left, p,
               to + (c * p + y) * p);
  }
  // The same of bytes [H, W, C]; `first` is the patch's first pixel.
  void look_up(int64_t first, double* to) const {
    const std::byte* bytes = in_.buffers[op_.pixels];
    const int64_t p = op_.patch, channels = op_.channels;
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t i = 0; i < p * p; ++i) {
        const auto byte = std::to_integer<int64_t>(bytes[(first + i / p * op_.width + i % p) * channels + c]);
        to[c * p * p + i] = table_[static_cast<size_t>(c * plan::kPixelValues + byte)];
      }
  }

  StepInput in_;
  const plan::PatchEmbed& op_;
  int64_t cols_, k_;
  bool class_;
  int64_t tokens_;
  Panels w_;
  std::vector<double> bias_, class_token_, position_, table_;
};

// What follows a product, alone. A quotient of a stored value by a scale is what the format defines: no bound.
class PointwiseRows : public StepRows {
 public:
  PointwiseRows(const StepInput& in, const plan::Pointwise& op) : in_(in), op_(op), bias_(weight_values(in.plan, op.bias, op.cols, 0)) {}

  void compute(std::span<const int64_t> rows, double* values, double* bounds) const override {
    const auto n = static_cast<int64_t>(op_.cols);
    std::vector<double> residual(op_.cols);
    for (size_t i = 0; i < rows.size(); ++i) {
      double* y = values + static_cast<int64_t>(i) * n;
      decode(in_.type(op_.in), in_.buffers[op_.in], rows[i] * n, n, y);
      if (op_.residual != plan::kNoId) decode(in_.type(op_.residual), in_.buffers[op_.residual], rows[i] * n, n, residual.data());
      for (int64_t c = 0; c < n; ++c) {
        const double bound = finish(y[c], bias_[static_cast<size_t>(c)], residual[static_cast<size_t>(c)]);
        if (bounds) bounds[static_cast<int64_t>(i) * n + c] = bound;
      }
    }
  }

 private:
  double finish(double& y, double bias, double residual) const {
    const double product = y * op_.scale, x = product + bias, after = activate(op_.activation, x) * op_.mul;
    y = (after + residual) / op_.out_scale;
    if (op_.bias == plan::kNoId && op_.residual == plan::kNoId && op_.activation == plan::Activation::kNone && op_.mul == 1 &&
        op_.scale == 1)
      return kHalfUlp * std::abs(y);
    const double before = 3 * kHalfUlp * (std::abs(product) + std::abs(bias));
    return (activation_bound(op_.activation, x, before) * std::abs(op_.mul) + 4 * kHalfUlp * (std::abs(after) + std::abs(residual))) /
           op_.out_scale;
  }
  StepInput in_;
  const plan::Pointwise& op_;
  std::vector<double> bias_;
};

}  // namespace

std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::Pointwise& op) { return std::make_unique<PointwiseRows>(in, op); }
std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::Gemm& op) { return std::make_unique<GemmRows>(in, op); }
std::unique_ptr<StepRows> rows_of(const StepInput& in, const plan::PatchEmbed& op) { return std::make_unique<PatchEmbedRows>(in, op); }

}  // namespace octet::oracle
