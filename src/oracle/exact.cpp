#include "oracle/exact.h"

#include <cstring>
#include <exception>
#include <numeric>

#include "base/error.h"
#include "numeric/convert.h"
#include "numeric/host_tensor.h"
#include "oracle/step_rows.h"
#include "plan/uses.h"

namespace octet::oracle {
namespace {

// Rows handed to an operation at a time.
constexpr int64_t kRowBlock = 32;

// body(begin, end) over blocks of [0, count), shared by the pool's threads. The first exception comes out here.
template <class Body>
void each_block(int64_t count, ThreadPool* pool, Body&& body) {
  const int threads = pool ? pool->threads() : 1;
  std::vector<std::exception_ptr> errors(static_cast<size_t>(threads));
  auto work = [&](int thread) {
    try {
      const Range mine = share(count, thread, threads);
      for (int64_t begin = mine.begin; begin < mine.end; begin += kRowBlock) body(begin, std::min(begin + kRowBlock, mine.end));
    } catch (...) {
      errors[static_cast<size_t>(thread)] = std::current_exception();
    }
  };
  pool ? pool->run(work) : work(0);
  for (const auto& error : errors)
    if (error) std::rethrow_exception(error);
}

int64_t cols_of(const plan::Plan& plan, const plan::Step& step) { return plan.buffers.at(plan::out_of(step.op)).dims.back(); }

std::unique_ptr<StepRows> rows_of_step(const plan::Plan& plan, size_t step, std::span<const std::byte* const> buffers, int64_t batch,
                                       const Accumulation& accumulation) {
  const StepInput input{plan, buffers, batch, accumulation};
  return std::visit([&](const auto& op) { return rows_of(input, op); }, plan.steps.at(step).op);
}

}  // namespace

int64_t rows_per_item(const plan::Plan& plan, const plan::Step& step) {
  return element_count(plan.buffers.at(plan::out_of(step.op)).dims) / cols_of(plan, step);
}

ExactOutput exact_step(const plan::Plan& plan, size_t step, std::span<const std::byte* const> buffers, int64_t batch,
                       std::span<const int64_t> rows, ThreadPool* pool, const Accumulation& accumulation) {
  ExactOutput out;
  out.cols = cols_of(plan, plan.steps.at(step));
  const int64_t all = batch * rows_per_item(plan, plan.steps[step]);
  if (rows.empty()) {
    out.rows.resize(static_cast<size_t>(all));
    std::iota(out.rows.begin(), out.rows.end(), int64_t{0});
  } else {
    out.rows.assign(rows.begin(), rows.end());
    for (const int64_t row : rows) OCTET_CHECK(row >= 0 && row < all, row, all);
  }
  const auto source = rows_of_step(plan, step, buffers, batch, accumulation);
  out.value.resize(out.rows.size() * static_cast<size_t>(out.cols));
  out.bound.resize(out.value.size());
  each_block(static_cast<int64_t>(out.rows.size()), pool, [&](int64_t begin, int64_t end) {
    source->compute(std::span(out.rows).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)),
                    out.value.data() + begin * out.cols, out.bound.data() + begin * out.cols);
  });
  return out;
}

void run_exact(const plan::Plan& plan, size_t step, std::span<const std::byte* const> buffers, int64_t batch, std::byte* out,
               ThreadPool* pool) {
  const int64_t cols = cols_of(plan, plan.steps.at(step));
  const DType dtype = plan.buffers[plan::out_of(plan.steps[step].op)].dtype;
  const auto source = rows_of_step(plan, step, buffers, batch, {});
  each_block(batch * rows_per_item(plan, plan.steps[step]), pool, [&](int64_t begin, int64_t end) {
    std::vector<int64_t> rows(static_cast<size_t>(end - begin));
    std::iota(rows.begin(), rows.end(), begin);
    std::vector<double> values(rows.size() * static_cast<size_t>(cols));
    source->compute(rows, values.data(), nullptr);
    encode(dtype, values.data(), static_cast<int64_t>(values.size()), out, begin * cols);
  });
}

void decode(DType dtype, const std::byte* data, int64_t begin, int64_t count, double* to) {
  constexpr int64_t kChunk = 256;
  float values[kChunk];
  for (int64_t i = 0; i < count; i += kChunk) {
    const int64_t n = std::min(kChunk, count - i);
    decode_many(dtype, data + static_cast<int64_t>(size_of(dtype)) * (begin + i), n, values);
    std::copy(values, values + n, to + i);
  }
}

void encode(DType dtype, const double* from, int64_t count, std::byte* data, int64_t begin) {
  const size_t size = size_of(dtype);
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits = 0;
    if (dtype == DType::e4m3) bits = encode_e4m3(from[i]);
    else if (dtype == DType::f16) bits = encode_f16(from[i]);
    else if (dtype == DType::bf16) bits = encode_bf16(from[i]);
    else bits = std::bit_cast<uint32_t>(encode_f32(from[i]));
    std::memcpy(data + static_cast<size_t>(begin + i) * size, &bits, size);
  }
}

std::vector<double> weight_values(const plan::Plan& plan, plan::Id id, size_t count, double fallback) {
  std::vector<double> values(count, fallback);
  if (id != plan::kNoId) decode(plan.weights.at(id).dtype, plan.weight_bytes.at(id).data(), 0, static_cast<int64_t>(count), values.data());
  return values;
}

int64_t id_at(DType dtype, const std::byte* ids, int64_t i) {
  if (dtype == DType::i64) {
    int64_t id;
    std::memcpy(&id, ids + i * 8, 8);
    return id;
  }
  int32_t id;
  std::memcpy(&id, ids + i * 4, 4);
  return id;
}

}  // namespace octet::oracle
