// Lloyd's algorithm goes over all numbers in each of its steps. Here it goes over bins of them: a
// step costs 4,096 additions, however long the text was. A bin belongs to the entry that is nearest
// to the mean of its numbers, and counts there with their exact sum, so entries are off only by
// what the numbers of the bins between two entries would do in the other one.
#include "calibration/codebook.h"

#include <algorithm>
#include <cmath>

namespace kvasir::calibration {
namespace {

constexpr int64_t kBins = 4096;
constexpr int kSteps = 60;

int64_t bin_of(double number) {
  const auto bin = static_cast<int64_t>((number + 1) * (kBins / 2.0));
  return std::clamp<int64_t>(bin, 0, kBins - 1);
}

double even_step(int64_t index, int64_t count) {
  return (2 * static_cast<double>(index) + 1) / static_cast<double>(count) - 1;
}

}  // namespace

NumberHistogram::NumberHistogram() : bins_(kBins) {}

void NumberHistogram::add(double number, double weight) {
  const double clamped = std::clamp(number, -1.0, 1.0);
  Bin& bin = bins_[static_cast<size_t>(bin_of(clamped))];
  bin.weight += weight;
  bin.sum += weight * clamped;
}

std::vector<double> NumberHistogram::first_entries(int64_t count) const {
  double total = 0;
  for (const Bin& bin : bins_) total += bin.weight;
  std::vector<double> entries;
  double below = 0;
  double last = 0;
  for (const Bin& bin : bins_) {
    if (bin.weight == 0) continue;
    below += bin.weight;
    last = bin.mean();
    const auto has_quantile = [&] {
      const auto index = static_cast<double>(entries.size());
      return std::ssize(entries) < count &&
             below >= total * ((index + .5) / static_cast<double>(count));
    };
    while (has_quantile()) entries.push_back(last);
  }
  // The sum of all may be rounded above the sums of parts.
  if (total > 0) entries.resize(static_cast<size_t>(count), last);
  for (int64_t i = 0; total == 0 && i < count; ++i) entries.push_back(even_step(i, count));
  return entries;
}

void NumberHistogram::improve(std::vector<double>& entries) const {
  std::vector<Bin> shares(entries.size());
  size_t nearest = 0;
  for (const Bin& bin : bins_) {
    if (bin.weight == 0) continue;
    const double mean = bin.mean();
    while (nearest + 1 < entries.size() && mean > (entries[nearest] + entries[nearest + 1]) / 2) {
      ++nearest;
    }
    shares[nearest].weight += bin.weight;
    shares[nearest].sum += bin.sum;
  }
  for (size_t i = 0; i < entries.size(); ++i) {
    if (shares[i].weight > 0) entries[i] = shares[i].mean();
  }
}

std::vector<float> NumberHistogram::codebook(int bits) const {
  std::vector<double> entries = first_entries(int64_t{1} << bits);
  for (int step = 0; step < kSteps; ++step) improve(entries);
  std::vector<float> codebook(entries.begin(), entries.end());
  // Entries that are nearly equal may have been rounded past each other.
  std::sort(codebook.begin(), codebook.end());
  return codebook;
}

}  // namespace kvasir::calibration
