#include "store/tier.h"

#include <memory>
#include <utility>

namespace kvasir::store {

std::vector<bool> find_now(Tier& tier, std::span<const RecordId> ids, Deadline deadline) {
  const auto found = std::make_shared<std::promise<std::vector<bool>>>();
  tier.find(ids, deadline,
            [found](std::vector<bool> is_here) { found->set_value(std::move(is_here)); });
  return found->get_future().get();
}

std::vector<Arrival> read_now(Tier& tier, std::vector<WantedRecord> wanted, Deadline deadline) {
  const auto arrived = std::make_shared<std::promise<std::vector<Arrival>>>();
  tier.read(std::move(wanted), deadline,
            [arrived](std::vector<Arrival> arrivals) { arrived->set_value(std::move(arrivals)); });
  return arrived->get_future().get();
}

}  // namespace kvasir::store
