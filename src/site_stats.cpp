#include "site_stats.h"

#include <algorithm>
#include <cmath>

#include "compare.h"
#include "numeric/convert.h"
#include "oracle/compare.h"
#include "oracle/exact.h"
#include "plan/uses.h"

namespace octet {
namespace {

constexpr double kLargest = 448;  // of e4m3
constexpr uint8_t kMagnitude = 0x7f, kLargestCode = 0x7e, kNanCode = 0x7f;

// The column ranges of an output that have scales of their own.
std::vector<profile::SiteStats> sites_of(const plan::Plan& plan, size_t index) {
  const plan::Step& step = plan.steps[index];
  const plan::Buffer& out = plan.buffers[plan::out_of(step.op)];
  profile::SiteStats site;
  site.step = static_cast<int64_t>(index);
  site.tensor = out.name;
  std::vector<profile::SiteStats> sites;
  const auto add = [&](uint32_t begin, uint32_t end) {
    site.column_begin = begin, site.column_end = end;
    site.scale = oracle::out_scale_of(step, begin);
    sites.push_back(site);
  };
  if (const auto* gemm = std::get_if<plan::Gemm>(&step.op))
    for (const plan::ColumnRange& range : gemm->ranges) add(range.begin, range.end);
  else add(0, static_cast<uint32_t>(out.dims.back()));
  return sites;
}

void count_codes(std::span<const std::byte> codes, int64_t cols, profile::SiteStats& site) {
  uint8_t most = 0;
  for (size_t row = 0; row < codes.size(); row += static_cast<size_t>(cols))
    for (uint32_t c = site.column_begin; c < site.column_end; ++c) {
      const auto magnitude = static_cast<uint8_t>(std::to_integer<uint8_t>(codes[row + c]) & kMagnitude);
      site.zeros += magnitude == 0;
      site.saturated += magnitude == kLargestCode;
      site.nan += magnitude == kNanCode;
      if (magnitude != kNanCode) most = std::max(most, magnitude);
    }
  site.elements = static_cast<int64_t>(codes.size()) / cols * (site.column_end - site.column_begin);
  site.largest = decode_e4m3(most);
}

// Beyond 448 before saturation: nothing rounds there but from above.
void count_clipped(const oracle::ExactOutput& exact, profile::SiteStats& site) {
  for (size_t row = 0; row < exact.rows.size(); ++row)
    for (uint32_t c = site.column_begin; c < site.column_end; ++c)
      site.clipped += std::abs(exact.value[row * static_cast<size_t>(exact.cols) + c]) > kLargest;
  site.judged = static_cast<int64_t>(exact.rows.size()) * (site.column_end - site.column_begin);
}

std::vector<int64_t> spread(int64_t all, int64_t wanted) {
  const int64_t count = std::min(all, wanted);
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < count; ++i) rows.push_back(i * all / count);
  return rows;
}

}  // namespace

std::vector<profile::SiteStats> site_stats(const plan::Plan& plan, Context& context, std::span<const void* const> inputs, int64_t batch,
                                           int64_t rows, int threads) {
  ThreadPool pool(threads > 0 ? threads : usable_cores());
  std::vector<profile::SiteStats> all;
  walk_steps(plan, context, inputs, batch, [&](size_t index, std::span<const std::byte> codes) {
    const plan::Operation& op = plan.steps[index].op;
    const plan::Buffer& out = plan.buffers[plan::out_of(op)];
    if (out.dtype != DType::e4m3) return;
    std::vector<const std::byte*> buffers(plan.buffers.size());
    for (const plan::Id id : plan::reads_of(op)) buffers[id] = context.buffer(id, batch).data();
    const auto judged = spread(batch * oracle::rows_per_item(plan, plan.steps[index]), rows);
    const oracle::ExactOutput exact = oracle::exact_step(plan, index, buffers, batch, judged, &pool);
    for (profile::SiteStats& site : sites_of(plan, index)) {
      count_codes(codes, out.dims.back(), site);
      count_clipped(exact, site);
      all.push_back(std::move(site));
    }
  });
  return all;
}

}  // namespace octet
