// One byte of choices, then bytes as a server of Redis's protocol would send them: read whole and
// in pieces they are the same answers, or the same damage; no more is kept than was allowed; and a
// table of slots, a redirection or facts are found in them or refused.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "store/remote/redis/cluster_map.h"
#include "store/remote/redis/redis_facts.h"
#include "store/remote/redis/resp_reader.h"

namespace {

using namespace kvasir;
using namespace kvasir::store::remote;

constexpr RespLimits kLimits = {
    .text_bytes_max = 4096, .elements_max = 256, .depth_max = 5, .passed_over_bytes_max = 1 << 16};

struct Held {
  int64_t text_bytes = 0;
  int64_t elements = 0;
  int depth = 0;
};

void count(const RespValue& value, int depth, Held& held) {
  held.text_bytes += static_cast<int64_t>(value.text.size());
  held.elements += static_cast<int64_t>(value.elements.size());
  held.depth = std::max(held.depth, depth);
  for (const RespValue& one : value.elements) count(one, depth + 1, held);
}

bool are_equal(const RespValue& a, const RespValue& b) {
  return a.kind == b.kind && a.text == b.text && a.integer == b.integer &&
         a.is_in_memory == b.is_in_memory &&
         std::equal(a.elements.begin(), a.elements.end(), b.elements.begin(), b.elements.end(),
                    are_equal);
}

struct Outcome {
  bool is_damaged = false;
  std::vector<RespValue> answers;
  std::vector<std::byte> into;
};

Outcome read(std::span<const std::byte> bytes, size_t piece, size_t into_bytes) {
  Outcome outcome;
  outcome.into.resize(into_bytes);
  RespReader reader;
  reader.begin(kLimits, outcome.into);
  while (!bytes.empty()) {
    const auto next = bytes.first(std::min(piece, bytes.size()));
    const std::span<std::byte> place = reader.place();
    if (!place.empty() && piece % 2 == 0) {
      const size_t size = std::min(next.size(), place.size());
      std::copy_n(next.begin(), size, place.begin());
      reader.received(size);
      bytes = bytes.subspan(size);
    } else {
      const auto taken = reader.take(next);
      outcome.is_damaged = !taken.ok();
      if (!taken.ok()) return outcome;
      KVASIR_CHECK(*taken <= next.size() && (*taken == next.size() || reader.is_done()),
                   "all bytes of an answer are taken");
      bytes = bytes.subspan(*taken);
    }
    if (!reader.is_done()) continue;
    outcome.answers.push_back(std::move(reader.value()));
    reader.begin(kLimits, outcome.into);
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t into_bytes = data[0] & 15U;
  const size_t piece = 1 + (data[0] >> 4);
  const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
  const Outcome whole = read(bytes, size, into_bytes);
  const Outcome pieces = read(bytes, piece, into_bytes);
  KVASIR_CHECK(whole.is_damaged == pieces.is_damaged && whole.into == pieces.into &&
                   std::equal(whole.answers.begin(), whole.answers.end(), pieces.answers.begin(),
                              pieces.answers.end(), are_equal),
               "pieces make no difference");
  const HostPort asked{"asked", 1};
  for (const RespValue& answer : whole.answers) {
    Held held;
    count(answer, 0, held);
    KVASIR_CHECK(held.text_bytes <= kLimits.text_bytes_max &&
                     held.elements <= kLimits.elements_max && held.depth <= kLimits.depth_max,
                 "no more than was allowed");
    const auto map = ClusterMap::read(answer, asked);
    if (map.ok()) {
      for (const HostPort& place : map->places()) {
        KVASIR_CHECK(!place.host.empty() && place.port > 0, "a place is one");
      }
    }
    const std::optional<Redirection> there = redirection_of(answer, asked);
    KVASIR_CHECK(!there || (there->slot >= 0 && there->slot < kSlots && !there->place.host.empty()),
                 "a redirection leads somewhere");
    (void)facts_of_info(answer.text, "asked");
  }
  return 0;
}
