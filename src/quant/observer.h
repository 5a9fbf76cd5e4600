// What calibration learns of a tensor: a histogram of |x| over all floats at once, from which every range is chosen. A bucket is
// one value of the exponent and the leading seven bits of the mantissa, 1/128 of an octave's lower end wide: sixteen to each step
// of E4M3; it stands for the mean of what it holds, so that a lone outlier is exact. So one pass over the data serves every method, no
// range need be known beforehand, and counts do not depend on the order. Next: calibrate.h feeds it.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace octet {

// What quantizing at one scale costs, with each value at the mean of its bucket: within 0.05 dB.
struct QuantError {
  int64_t count = 0, clipped = 0;  // clipped: beyond 464 * scale, what still rounds to 448
  double signal = 0, noise = 0;    // sums of x^2 and of (x - q(x))^2
  void add(const QuantError& other);
  double clipped_percent() const;
  double sqnr_db() const;  // infinite where nothing is lost
};

enum class RangeMethod { kMax, kPercentile, kMse };
RangeMethod parse_range_method(const std::string& name);  // max percentile mse; throws Error{kUsage}
inline constexpr double kCalibrationPercentile = 99.99;

class Observer {
 public:
  void add(std::span<const float> values);  // Error{kInvalid} for a value that is not finite
  void clear();                             // as new, in the time of the buckets that were used
  int64_t count() const { return count_; }
  float amax() const;                      // exact
  float percentile(double percent) const;  // of |x|; exact to its bucket, 1/128
  // The range of least squared error among amax * 2^(i/16), i = -48 ... 16. Wider than amax can pay: it moves the steps.
  float mse_amax() const;
  float range(RangeMethod method) const;
  QuantError error_at(float scale) const;

 private:
  struct Bucket {
    uint64_t count = 0, low_bits = 0;  // how many, and the sum of the lower 16 bits of each
  };
  double mean(uint32_t bucket) const;
  std::vector<Bucket> buckets_;             // by the upper 16 bits of |x|; empty until the first value
  uint32_t first_ = UINT32_MAX, last_ = 0;  // the buckets in use
  uint32_t greatest_ = 0;                   // bits of the greatest |x|
  int64_t count_ = 0;
};

}  // namespace octet
