#include "image/resize.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace octet {
namespace {

constexpr int kFraction = 22;  // bits after the point of a weight: 32 less 8 of a pixel less 2 of head room

constexpr int32_t kHalf = 1 << (kFraction - 1);

// Which source pixels make one output pixel, and their weights in units of 2^-kFraction.
struct Taps {
  size_t first;  // counted from Pass::first
  size_t count;
  size_t weights;  // index into Pass::weights
};

struct Pass {
  int64_t first = 0, last = 0;  // the source pixels that any output pixel needs
  std::vector<Taps> taps;
  std::vector<int32_t> weights;
};

// Pixels in memory: rows of RGB bytes, `stride` bytes apart.
struct View {
  const uint8_t* data;
  size_t stride, rows;
};

double bilinear(double x) { return std::max(0.0, 1.0 - std::abs(x)); }

double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

int32_t to_fixed(double weight) {
  const double scaled = weight * (1 << kFraction);
  return static_cast<int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

// The pass from `source` pixels to `target` pixels, for the output pixels [begin, begin + count).
// When the picture shrinks, the filter is stretched by the same factor.
Pass make_pass(int source, int64_t target, Filter filter, int64_t begin, int count) {
  const auto kernel = filter == Filter::kBicubic ? bicubic : bilinear;
  const double scale = static_cast<double>(source) / static_cast<double>(target);
  const double stretch = std::max(scale, 1.0), reach = (filter == Filter::kBicubic ? 2.0 : 1.0) * stretch;
  const auto first_of = [&](double center) { return static_cast<int64_t>(std::max(center - reach + 0.5, 0.0)); };
  Pass pass;
  pass.taps.reserve(static_cast<size_t>(count));
  pass.first = first_of((static_cast<double>(begin) + 0.5) * scale);
  std::vector<double> weights;
  for (int64_t i = begin; i < begin + count; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const int64_t first = first_of(center);
    pass.last = static_cast<int64_t>(std::min(center + reach + 0.5, static_cast<double>(source)));
    weights.clear();
    double sum = 0;
    for (int64_t x = first; x < pass.last; ++x) {
      weights.push_back(kernel((static_cast<double>(x) - center + 0.5) * (1.0 / stretch)));
      sum += weights.back();
    }
    pass.taps.push_back({static_cast<size_t>(first - pass.first), weights.size(), pass.weights.size()});
    for (const double w : weights) pass.weights.push_back(to_fixed(sum != 0 ? w / sum : w));
  }
  return pass;
}

uint8_t round_sum(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kFraction, 0, 255)); }

// Scales rows in width. The view begins at column pass.first.
std::vector<uint8_t> scale_width(const Pass& pass, const View& source) {
  std::vector<uint8_t> out(source.rows * pass.taps.size() * 3);
  uint8_t* target = out.data();
  for (size_t y = 0; y < source.rows; ++y) {
    for (const Taps& taps : pass.taps) {
      int32_t r = kHalf, g = kHalf, b = kHalf;
      const uint8_t* from = source.data + y * source.stride + taps.first * 3;
      const int32_t* weight = &pass.weights[taps.weights];
      for (size_t i = 0; i < taps.count; ++i, from += 3) {
        r += from[0] * weight[i];
        g += from[1] * weight[i];
        b += from[2] * weight[i];
      }
      *target++ = round_sum(r);
      *target++ = round_sum(g);
      *target++ = round_sum(b);
    }
  }
  return out;
}

// Scales in height, `row_bytes` of each row. The view begins at row pass.first.
std::vector<uint8_t> scale_height(const Pass& pass, const View& source, size_t row_bytes) {
  std::vector<uint8_t> out(pass.taps.size() * row_bytes);
  std::vector<int32_t> sums(row_bytes);
  uint8_t* target = out.data();
  for (const Taps& taps : pass.taps) {
    std::fill(sums.begin(), sums.end(), kHalf);
    for (size_t i = 0; i < taps.count; ++i) {
      const uint8_t* row = source.data + (taps.first + i) * source.stride;
      const int32_t weight = pass.weights[taps.weights + i];
      for (size_t x = 0; x < row_bytes; ++x) sums[x] += row[x] * weight;
    }
    for (size_t x = 0; x < row_bytes; ++x) *target++ = round_sum(sums[x]);
  }
  return out;
}

// The pass that copies: what Pillow does with a side that keeps its length.
Pass copying_pass(int64_t begin, int count) {
  Pass pass{begin, begin + count, {}, {}};
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) pass.taps.push_back({i, 1, i});
  pass.weights.assign(static_cast<size_t>(count), 1 << kFraction);
  return pass;
}

}  // namespace

Image resize(const Image& image, int64_t width, int64_t height, Filter filter, const Window& window) {
  if (image.width <= 0 || image.height <= 0) fail(Code::kInvalid, "cannot resize a picture of {} x {} pixels", image.width, image.height);
  OCTET_CHECK(width > 0 && height > 0 && window.x >= 0 && window.y >= 0 && window.width > 0 && window.height > 0, width, height);
  OCTET_CHECK(window.x + window.width <= width && window.y + window.height <= height, width, height);
  const bool same_width = width == image.width, same_height = height == image.height;
  const Pass columns = same_width ? copying_pass(window.x, window.width) : make_pass(image.width, width, filter, window.x, window.width);
  const Pass rows = same_height ? copying_pass(window.y, window.height) : make_pass(image.height, height, filter, window.y, window.height);

  const size_t stride = static_cast<size_t>(image.width) * 3, target_stride = columns.taps.size() * 3;
  const auto source_columns = static_cast<size_t>(columns.last - columns.first), source_rows = static_cast<size_t>(rows.last - rows.first);
  const View source{&image.rgb[static_cast<size_t>(rows.first) * stride + static_cast<size_t>(columns.first) * 3], stride, source_rows};
  Image out{window.width, window.height, {}};
  // Pillow 13 begins with the height when that loses more than twice as many pixels as the width; older ones never.
  if (height < image.height && image.height - height > 2 * (image.width - width)) {
    const auto lower = scale_height(rows, source, source_columns * 3);
    out.rgb = scale_width(columns, {lower.data(), source_columns * 3, rows.taps.size()});
  } else {
    const auto narrower = scale_width(columns, source);
    out.rgb = scale_height(rows, {narrower.data(), target_stride, source_rows}, target_stride);
  }
  return out;
}

Image resize(const Image& image, int width, int height, Filter filter) {
  return resize(image, width, height, filter, {0, 0, width, height});
}

}  // namespace octet
