#include "text/normalizer.h"

#include "base/check.h"
#include "text/nfc.h"

namespace kvasir::text {
namespace {

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  out.reserve(text.size());
  size_t start = 0;
  for (size_t at = text.find(from); at != std::string_view::npos; at = text.find(from, start)) {
    out.append(text.substr(start, at - start)).append(to);
    start = at + from.size();
  }
  return out.append(text.substr(start));
}

std::string rewritten(const NormalizerStep& step, std::string text, bool is_first) {
  using Kind = NormalizerStep::Kind;
  switch (step.kind) {
    case Kind::kNfc:
      return to_nfc(text);
    case Kind::kReplace:
      return replaced(text, step.from, step.to);
    case Kind::kPrepend:
      return step.to + text;
    case Kind::kPrependIfMissing:
      return text.starts_with(step.to) ? text : step.to + text;
    case Kind::kPrependToFirst:
      return !is_first || text.starts_with(step.to) ? text : step.to + text;
  }
  KVASIR_CHECK(false, "a known step");
}

}  // namespace

bool Normalizer::grows_little() const {
  size_t growth = 1;
  for (const NormalizerStep& step : steps_) {
    if (step.kind != NormalizerStep::Kind::kReplace) continue;
    growth *= std::max<size_t>(1, (step.to.size() + step.from.size() - 1) / step.from.size());
    if (growth > kGrowthMax) return false;
  }
  return true;
}

std::string Normalizer::apply(std::string_view text, bool is_first) const {
  std::string out(text);
  if (out.empty()) return out;
  for (const NormalizerStep& step : steps_) out = rewritten(step, std::move(out), is_first);
  return out;
}

}  // namespace kvasir::text
