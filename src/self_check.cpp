// The plan is cut down to one step a distinct problem; the backend prepares that, and each step runs on random inputs.
// Judging: oracle/compare.h.
#include "self_check.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <set>

#include "base/error.h"
#include "cpu/backend.h"
#include "numeric/convert.h"
#include "oracle/compare.h"
#include "plan/uses.h"

namespace octet {
namespace {

// Output rows judged a step: the first, the last (where a kernel's remainder lies) and some between; the oracle multiplies four at
// a time. ViT-L/14: 0.08 s of the image tower's 0.93 s build, 0.04 s of the text tower's 0.27 s (2026-11-24, two cores of a Xeon
// with AMX); packing and decoding the weights take most of it, so fewer rows would save little.
constexpr int64_t kRows = 8;
constexpr double kCodeDeviation = 60, kLargestCode = 240;  // as codes are spread when scale = amax / 448

// The weights' types and a pool's mode are not in the problem, but choose what runs.
std::string key_of(const plan::Plan& plan, const plan::Step& step) {
  std::string key = plan::problem_of(plan, step, 1);
  for (const plan::Id id : plan::weights_of(step.op)) key.append(" ").append(name_of(plan.weights.at(id).dtype));
  if (const auto* pool = std::get_if<plan::Pool>(&step.op)) key += fmt::format(" mode {}", static_cast<int>(pool->mode));
  return key;
}

// The same buffers and weights, the first step of each problem, no source.
std::shared_ptr<const plan::Plan> distinct_steps(const plan::Plan& plan) {
  auto out = std::make_shared<plan::Plan>();
  out->name = plan.name;
  out->inputs = plan.inputs, out->outputs = plan.outputs, out->buffers = plan.buffers;
  out->arena_bytes_per_item = plan.arena_bytes_per_item;
  out->weights = plan.weights, out->weight_bytes = plan.weight_bytes, out->storage = plan.storage;
  std::set<std::string> seen;
  for (const plan::Step& step : plan.steps)
    if (seen.insert(key_of(plan, step)).second) out->steps.push_back(step);
  return out;
}

// Random values of one type, drawn once and laid out again and again. The period is a prime: no two rows are alike.
class Values {
 public:
  explicit Values(DType dtype) : size_(size_of(dtype)), bytes_(kPeriod * size_) {
    std::mt19937_64 random;  // the default seed: every build checks the same
    std::normal_distribution<float> normal;
    std::vector<float> values(kPeriod);
    for (float& value : values) value = normal(random);
    if (dtype == DType::e4m3)
      for (float& value : values) value = static_cast<float>(std::clamp(value * kCodeDeviation, -kLargestCode, kLargestCode));
    encode_many(dtype, values.data(), kPeriod, bytes_.data());
  }
  void fill(std::span<std::byte> out) {
    for (size_t at = 0; at < out.size();) {
      const size_t count = std::min(out.size() - at, bytes_.size() - begin_);
      std::memcpy(out.data() + at, bytes_.data() + begin_, count);
      at += count;
      begin_ = (begin_ + count) % bytes_.size();
    }
  }

 private:
  static constexpr size_t kPeriod = 65521;
  size_t size_;
  std::vector<std::byte> bytes_;
  size_t begin_ = 0;
};

class Checker {
 public:
  Checker(const plan::Plan& plan, const Backend& backend, int threads)
      : plan_(distinct_steps(plan)),
        executable_(backend.prepare(plan_, {.threads = threads, .chunk = -1})),
        context_(executable_->new_context()),
        pool_(threads > 0 ? threads : usable_cores()),
        on_gpu_(backend.name().starts_with("cuda")) {
    context_->reserve(1);
  }
  int run() {
    for (size_t step = 0; step < plan_->steps.size(); ++step)
      with_context([&] { return "checking step `" + plan_->steps[step].name + "`"; }, [&] { check(step); });
    return static_cast<int>(plan_->steps.size());
  }

 private:
  void check(size_t step) {
    const plan::Operation& op = plan_->steps[step].op;
    std::vector<const std::byte*> buffers(plan_->buffers.size());
    for (const plan::Id id : plan::reads_of(op)) {
      const std::span<std::byte> memory = context_->buffer(id, 1);
      if (buffers[id] == nullptr) fill(step, id, memory);
      buffers[id] = memory.data();
    }
    const plan::Id out = plan::out_of(op);
    const std::span<std::byte> result = context_->buffer(out, 1);
    const bool in_place = std::ranges::find(buffers, result.data()) != buffers.end();
    if (!in_place) std::memset(result.data(), 0xff, result.size());  // NaN: what a kernel leaves out shows
    const auto exact = oracle::exact_step(*plan_, step, buffers, 1, rows(step), &pool_, executable_->choices()[step].accumulation);
    context_->run_step(step, 1);
    const auto verdict = oracle::judge(*plan_, step, exact, context_->buffer(out, 1));
    if (verdict.unexplained > 0) refuse(step, exact, verdict);
  }

  std::vector<int64_t> rows(size_t step) const {
    const int64_t all = oracle::rows_per_item(*plan_, plan_->steps[step]), count = std::min(all, kRows);
    std::vector<int64_t> rows;
    for (int64_t i = 0; i < count; ++i) rows.push_back(count == 1 ? 0 : i * (all - 1) / (count - 1));
    return rows;
  }

  void fill(size_t step, plan::Id id, std::span<std::byte> memory) {
    const DType dtype = plan_->buffers[id].dtype;
    if (!is_integer(dtype)) return values_.try_emplace(dtype, dtype).first->second.fill(memory);
    const int64_t rows = plan::table_rows(*plan_, plan_->steps[step].op, id), vocabulary = rows > 0 ? rows : 1000;
    for (size_t at = 0; at < memory.size(); at += size_of(dtype)) {
      const auto value = static_cast<int64_t>(random_() % static_cast<uint64_t>(vocabulary));
      std::memcpy(memory.data() + at, &value, size_of(dtype));
    }
  }

  [[noreturn]] void refuse(size_t step, const oracle::ExactOutput& exact, const oracle::StepVerdict& verdict) {
    const StepChoice& choice = executable_->choices()[step];
    const plan::Id out = plan::out_of(plan_->steps[step].op);
    const int64_t row = verdict.first_unexplained / exact.cols, col = verdict.first_unexplained % exact.cols;
    const auto at = static_cast<size_t>((std::ranges::find(exact.rows, row) - exact.rows.begin()) * exact.cols + col);
    double actual = 0;
    oracle::decode(plan_->buffers[out].dtype, context_->buffer(out, 1).data(), verdict.first_unexplained, 1, &actual);
    throw Error(
        Code::kInternal,
        fmt::format("self-check: kernel {} is wrong on this machine for {}: {} of {} elements; the first, row {} column {}, is {} where {} "
                    "+- {:.3g} is "
                    "rounded to {}",
                    choice.kernel, choice.problem, verdict.unexplained, verdict.elements, row, col,
                    std::isnan(actual) ? "NaN" : fmt::to_string(actual), exact.value[at], exact.bound[at], plan_->buffers[out].dtype),
        fmt::format("please report this; {} runs other kernels, --no-self-check builds regardless",
                    on_gpu_ ? "OCTET_CUDA_ROWS=mma or simt" : "OCTET_ISA=avx512, avx2 or portable"));
  }

  std::shared_ptr<const plan::Plan> plan_;
  std::shared_ptr<const Executable> executable_;
  std::unique_ptr<Context> context_;
  ThreadPool pool_;
  bool on_gpu_;
  std::map<DType, Values> values_;
  std::mt19937_64 random_;
};

}  // namespace

int self_check(const std::shared_ptr<const plan::Plan>& plan, int threads) { return self_check(*plan, *cpu::make_backend(), threads); }

int self_check(const plan::Plan& plan, const Backend& backend, int threads) { return Checker(plan, backend, threads).run(); }

}  // namespace octet
