#include "cuda/steps/gemm_kernels.h"

#include <algorithm>
#include <limits>
#include <random>

#include "base/aligned.h"
#include "base/log.h"
#include "numeric/convert.h"

namespace octet::cuda {
namespace {

// "..._128x256": the row's name ends in its tile.
bool has_tile(std::string_view name) {
  const size_t last = name.rfind('_');
  if (last == std::string_view::npos) return false;
  const std::string_view tile = name.substr(last + 1);
  const size_t x = tile.find('x');
  const auto digits = [](std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos; };
  return x != std::string_view::npos && digits(tile.substr(0, x)) && digits(tile.substr(x + 1));
}

// The first row, and if it is a tile the other tiles for its target that add up alike: those give the same bits.
std::vector<const GemmKernel*> competitors(const std::vector<const GemmKernel*>& rows, const CudaOptions& options) {
  const GemmKernel& first = *rows.front();
  std::vector<const GemmKernel*> out{&first};
  if (!options.tune || !has_tile(first.name)) return out;
  for (const GemmKernel* row : rows)
    if (row != &first && has_tile(row->name) && row->target.sm == first.target.sm && row->target.exact == first.target.exact &&
        row->accumulation == first.accumulation && is_preferred(options, row->name) == is_preferred(options, first.name))
      out.push_back(row);
  return out;
}

// Operands like those of a real run: their values decide the power drawn, and with it the clock.
void fill(const Stream& stream, DType type, Address to, size_t bytes) {
  constexpr size_t kPeriod = 1 << 18;
  static const std::vector<float> normal = [] {
    std::mt19937 random;
    std::normal_distribution<float> draw;
    std::vector<float> values(kPeriod);
    for (float& value : values) value = draw(random);
    return values;
  }();
  constexpr float kCodeDeviation = 60;
  std::vector<float> values = normal;
  if (type == DType::e4m3)
    for (float& value : values) value *= kCodeDeviation;
  std::vector<std::byte> pattern(kPeriod * size_of(type));
  encode_many(type, values.data(), kPeriod, pattern.data());
  size_t done = std::min(bytes, pattern.size());
  stream.upload(to, std::span(pattern).first(done));
  for (; done < bytes; done += std::min(done, bytes - done)) stream.copy(to + done, to, std::min(done, bytes - done));
  stream.synchronize();  // `pattern` ends here
}

// The first and last bytes of a result: the rows of whole tiles and of the one that is cut.
std::vector<std::byte> ends(const Stream& stream, Address address, size_t bytes) {
  const size_t part = std::min<size_t>(bytes, 1 << 20);
  std::vector<std::byte> sample(2 * part);
  stream.download(std::span(sample).first(part), address);
  stream.download(std::span(sample).last(part), address + bytes - part);
  stream.synchronize();
  return sample;
}

}  // namespace

GemmKernels::GemmKernels(Preparation& with, const GemmProblem& problem, StepChoice& choice) : problem_(problem) {
  if (is_preferred(with.options, kGemmLibrary)) {
    const Refusal no = GemmLibrary::accepts(problem, with.gpu);
    if (!no) {
      library_ = std::make_unique<GemmLibrary>(with, problem);
      choice.kernel = kGemmLibrary;
      if (problem.in == DType::e4m3) choice.accumulation = {kFp8TensorCore.bits, kFp8TensorCore.terms, 128};
      return;
    }
    choice.refused.push_back(fmt::format("{}: {}", kGemmLibrary, no.reason));
  }
  const auto rows = competitors(accepting(gemm_kernels(), problem, with.gpu, with.options, choice), with.options);
  for (const GemmKernel* row : rows) {
    kernels_.emplace_back(with, *row, problem);
    Program program = row->program(problem, with.gpu);
    program.target = row->target;
    candidates_.push_back({std::string(row->name), fingerprint(program, with.gpu)});
  }
}

std::string GemmKernels::key(int64_t m) const {
  return fmt::format("gemm:{0}x{0}->{1}:{2}x{3}x{4} act {5} residual {6}", problem_.in, problem_.out, m, problem_.n, problem_.k,
                     static_cast<int>(problem_.act), problem_.residual);
}

std::string GemmKernels::name(const Resident& resident, int64_t m) const {
  if (library_) return std::string(kGemmLibrary);
  return candidates_[kernels_.size() == 1 ? 0 : resident.tuning->chosen(key(m))].name;
}

void GemmKernels::enqueue(const Resident& resident, const Stream& stream, const GemmArgs& args, Address scratch) const {
  if (library_) return library_->enqueue(resident, stream, args, scratch);
  const size_t index = kernels_.size() == 1 ? 0 : resident.tuning->chosen(key(args.m));
  kernels_[index].enqueue(resident, stream, args);
}

// Times candidates one after another on operands of its own, which are had only if there is something to measure.
class GemmKernels::Trial {
 public:
  Trial(const GemmKernels& of, const Resident& resident, const Stream& stream, const GemmArgs& args)
      : of_(of), resident_(resident), stream_(stream), args_(args) {}

  // Infinity for a tile that is not to be used: it cannot be launched here, or gives other bits than the first.
  double operator()(size_t i) {
    if (memory_.address() == 0) prepare();
    try {
      const double ms = milliseconds(resident_.device, stream_, [&] { of_.kernels_[i].enqueue(resident_, stream_, args_); });
      const auto result = ends(stream_, args_.out, out_bytes_);
      if (i == 0) first_ = result;
      if (result == first_) return ms;
      refuse(i, "its bits differ from those of " + of_.candidates_[0].name);
    } catch (const driver::CallError& error) {
      if (i == 0 || driver::is_sticky(error.result)) throw;
      refuse(i, error.message());
    }
    return std::numeric_limits<double>::infinity();
  }

 private:
  void prepare() {
    const GemmProblem& problem = of_.problem_;
    const auto bytes = [&](int64_t cols, DType type) { return round_up(static_cast<size_t>(args_.m * cols) * size_of(type), 256); };
    const size_t a = bytes(problem.k, problem.in);
    out_bytes_ = bytes(problem.n, problem.out);
    memory_ = DeviceBytes(resident_.device, a + (problem.residual ? 2 : 1) * out_bytes_, "the buffers for timing GEMM kernels");
    args_.a = memory_.address(), args_.out = args_.a + a;
    fill(stream_, problem.in, args_.a, a);
    if (!problem.residual) return;
    args_.residual = args_.out + out_bytes_;
    fill(stream_, problem.out, args_.residual, out_bytes_);
  }
  void refuse(size_t i, const std::string& why) const {
    log(Level::kWarning, "{}: {} is not used: {}", of_.key(args_.m), of_.candidates_[i].name, why);
  }
  const GemmKernels& of_;
  const Resident& resident_;
  const Stream& stream_;
  GemmArgs args_;
  DeviceBytes memory_;
  size_t out_bytes_ = 0;
  std::vector<std::byte> first_;
};

void GemmKernels::tune(const Resident& resident, const Stream& stream, const GemmArgs& args) const {
  if (kernels_.size() < 2 || resident.tuning->knows(key(args.m))) return;
  try {
    Trial trial(*this, resident, stream, args);
    resident.tuning->choose(resident.gpu, key(args.m), candidates_, [&](size_t i) { return trial(i); });
  } catch (const Error& error) {
    if (error.code() != Code::kUnsupported) throw;
    log(Level::kWarning, "{} runs untimed as {}: {}", key(args.m), candidates_.front().name, error.message());
  }
}

}  // namespace octet::cuda
