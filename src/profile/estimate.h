// Medians of few, noisy times, and how sure they are.
#pragma once
#include <vector>

#include "profile/report.h"

namespace octet::profile {

double median_of(std::vector<double> values);  // of an even number, the mean of the middle two; 0 of none
// The median and the narrowest pair of order statistics (k-th smallest, k-th largest) between which the true median lies with a
// probability of at least 95 %: exact by the binomial distribution, whatever the times' own. Below 6 values: the extremes.
Estimate estimate(std::vector<double> values);
bool meet(const Estimate& a, const Estimate& b);  // whether the intervals overlap

}  // namespace octet::profile
