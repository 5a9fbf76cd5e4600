#include "quant/observer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "numeric/convert.h"
#include "quant/scale.h"

namespace octet {
namespace {

constexpr uint32_t kShift = 16, kBuckets = 0x7f80;  // below the exponent of infinity and NaN
constexpr uint32_t kLowBits = (1u << kShift) - 1;
constexpr float kClipped = 464;  // from here on the error is more than half of E4M3's last step
constexpr int kNarrowest = -48, kWidest = 16, kStepsPerOctave = 16;

float edge(uint32_t bucket) { return std::bit_cast<float>(bucket << kShift); }

}  // namespace

void QuantError::add(const QuantError& other) {
  count += other.count, clipped += other.clipped;
  signal += other.signal, noise += other.noise;
}
double QuantError::clipped_percent() const { return count == 0 ? 0 : 100.0 * static_cast<double>(clipped) / static_cast<double>(count); }
double QuantError::sqnr_db() const { return noise == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(signal / noise); }

RangeMethod parse_range_method(const std::string& name) {
  if (name == "max") return RangeMethod::kMax;
  if (name == "percentile") return RangeMethod::kPercentile;
  if (name == "mse") return RangeMethod::kMse;
  throw Error(Code::kUsage, fmt::format("method `{}` is not one of max, percentile, mse", name));
}

void Observer::add(std::span<const float> values) {
  buckets_.resize(kBuckets);
  for (const float value : values) {
    const uint32_t bits = std::bit_cast<uint32_t>(value) & 0x7fffffff, bucket = bits >> kShift;
    if (bucket >= kBuckets) fail(Code::kInvalid, "a value is {}: ranges are taken of finite values only", value);
    ++buckets_[bucket].count;
    buckets_[bucket].low_bits += bits & kLowBits;
    first_ = std::min(first_, bucket);
    last_ = std::max(last_, bucket);
    greatest_ = std::max(greatest_, bits);
  }
  count_ += static_cast<int64_t>(values.size());
}

void Observer::clear() {
  if (count_ > 0) std::fill(buckets_.begin() + first_, buckets_.begin() + last_ + 1, Bucket{});
  first_ = UINT32_MAX, last_ = greatest_ = 0, count_ = 0;
}

// Floats of one bucket lie evenly: the mean of their bits is that of their values.
double Observer::mean(uint32_t bucket) const {
  const Bucket& b = buckets_[bucket];
  const double width = double{edge(bucket + 1)} - edge(bucket);
  return edge(bucket) + width * static_cast<double>(b.low_bits) / static_cast<double>(b.count) / (kLowBits + 1);
}

float Observer::amax() const { return std::bit_cast<float>(greatest_); }

float Observer::percentile(double percent) const {
  const double rank = percent / 100 * static_cast<double>(count_);  // so many values lie at or below the result
  uint64_t below = 0;
  for (uint32_t b = first_; count_ > 0 && b <= last_; ++b) {
    const uint64_t here = buckets_[b].count;
    if (here > 0 && static_cast<double>(below + here) >= rank) {
      const double part = std::max(0.0, rank - static_cast<double>(below)) / static_cast<double>(here);
      return std::min(amax(), static_cast<float>(edge(b) + part * (double{edge(b + 1)} - edge(b))));
    }
    below += here;
  }
  return amax();
}

float Observer::mse_amax() const {
  float best = amax();
  double least = std::numeric_limits<double>::infinity();
  for (int i = kNarrowest; i <= kWidest; ++i) {
    const float candidate = amax() * std::exp2(static_cast<float>(i) / kStepsPerOctave);
    const float scale = e4m3_scale(candidate);
    if (!(scale > 0) || !std::isfinite(scale)) continue;
    const double noise = error_at(scale).noise;
    if (noise < least) least = noise, best = candidate;
  }
  return best;
}

float Observer::range(RangeMethod method) const {
  switch (method) {
    case RangeMethod::kPercentile:
      return percentile(kCalibrationPercentile);
    case RangeMethod::kMse:
      return mse_amax();
    default:
      return amax();
  }
}

QuantError Observer::error_at(float scale) const {
  QuantError error;
  error.count = count_;
  for (uint32_t b = first_; count_ > 0 && b <= last_; ++b) {
    if (buckets_[b].count == 0) continue;
    const auto here = static_cast<double>(buckets_[b].count);
    const double x = mean(b), q = double{decode_e4m3(encode_e4m3(static_cast<float>(x / scale)))} * scale;
    if (x > double{kClipped} * scale) error.clipped += static_cast<int64_t>(buckets_[b].count);
    error.signal += here * x * x;
    error.noise += here * (x - q) * (x - q);
  }
  return error;
}

}  // namespace octet
