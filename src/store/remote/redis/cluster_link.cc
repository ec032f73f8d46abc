#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "base/check.h"
#include "store/remote/redis/cluster_map.h"
#include "store/remote/redis/redis_link.h"
#include "store/remote/socket_stream.h"

namespace kvasir::store::remote {
namespace {

using std::chrono::seconds;

// A server that failed is left alone for so long, then twice as long, at most the second time:
// every call would wait for it.
constexpr seconds kRestS{1};
constexpr seconds kRestMaxS{8};
// After a failure the table of slots is asked for anew, at most so often: another server may have
// taken over.
constexpr seconds kMapAgeMinS{1};
// A slot may move while it is asked for, and answer ASK once more at its new place.
constexpr int kRoundsMax = 3;
constexpr size_t kPartFailuresMax = 64;
// So often in a row a server may have been late for a deadline before that counts as a failure.
constexpr int kLateMax = 2;

struct Node {
  Node(const HostPort& at, const RedisAccess& access) : place(at), connection(at, access) {}

  HostPort place;
  RedisConnection connection;
  Clock::time_point rests_until;
  seconds rest = kRestS;
  int late = 0;
};

class ClusterLink final : public RedisLink {
 public:
  ClusterLink(const std::vector<HostPort>& seeds, RedisAccess access)
      : seeds_(seeds), access_(std::move(access)) {}

  Status exchange(std::span<RedisCommand> commands, Deadline deadline) override;
  Result<std::vector<std::string>> servers(Deadline deadline) override;
  Status exchange_at(const std::string& server, std::span<RedisCommand> commands,
                     Deadline deadline) override;
  void drop(const std::string& server, const Error& why) override;
  bool has_parts() const override { return true; }
  std::vector<Error> take_part_failures() override { return std::exchange(failures_, {}); }

 private:
  // For each server, what it is to be asked.
  using Shares = std::map<Node*, std::vector<RedisCommand*>>;

  Node& node_at(const HostPort& place);
  void note_failure(Error error);
  void rest(Node& node, Error why);
  Status ensure_map(Deadline deadline);
  Status learn_map(Deadline deadline);
  Result<ClusterMap> ask_for_map(Node& node, Deadline deadline);
  std::vector<HostPort> whom_to_ask() const;
  void forget_nodes_without_slots();
  Shares shares_of(std::span<RedisCommand> commands);
  void run(Shares shares, bool may_wait_for_all, Deadline deadline);
  void finish(std::vector<Node*> begun);
  std::vector<RedisCommand*> redirected(std::span<RedisCommand> commands) const;
  std::optional<Redirection> redirection_of(const RedisCommand& command) const;
  void follow(const std::vector<RedisCommand*>& commands, Deadline deadline);

  std::vector<HostPort> seeds_;
  RedisAccess access_;
  std::optional<ClusterMap> map_;
  Clock::time_point map_since_;
  bool is_map_doubtful_ = false;
  std::map<std::string, std::unique_ptr<Node>> nodes_;  // by where()
  std::vector<Error> failures_;
  std::optional<Error> last_failure_;  // of the exchange under way
};

std::string key_of(const HostPort& place) { return place.host + "\n" + std::to_string(place.port); }

Node& ClusterLink::node_at(const HostPort& place) {
  std::unique_ptr<Node>& node = nodes_[key_of(place)];
  if (!node) node = std::make_unique<Node>(place, access_);
  return *node;
}

void ClusterLink::note_failure(Error error) {
  last_failure_ = error;
  if (failures_.size() < kPartFailuresMax) failures_.push_back(std::move(error));
}

void ClusterLink::rest(Node& node, Error why) {
  node.connection.close();
  is_map_doubtful_ = true;
  const bool is_late = why.kind == ErrorKind::kInterrupted;
  if (!is_late || ++node.late > kLateMax) {
    node.rests_until = Clock::now() + node.rest;
    node.rest = std::min(2 * node.rest, kRestMaxS);
  }
  note_failure(std::move(why));
}

void ClusterLink::drop(const std::string& server, const Error& why) {
  for (const auto& [key, node] : nodes_) {
    if (node->connection.where() == server) rest(*node, why);
  }
}

// Servers that are well first, then those that were named, last those that rest.
std::vector<HostPort> ClusterLink::whom_to_ask() const {
  std::vector<HostPort> places;
  std::vector<HostPort> resting;
  const Clock::time_point now = Clock::now();
  for (const auto& [key, node] : nodes_) {
    (node->rests_until <= now ? places : resting).push_back(node->place);
  }
  for (const HostPort& seed : seeds_) {
    if (!nodes_.contains(key_of(seed))) places.push_back(seed);
  }
  places.insert(places.end(), resting.begin(), resting.end());
  return places;
}

Result<ClusterMap> ClusterLink::ask_for_map(Node& node, Deadline deadline) {
  RedisCommand command = redis_command({"CLUSTER", "SLOTS"});
  command.limits = ClusterMap::limits();
  KVASIR_RETURN_IF_ERROR(node.connection.exchange({&command}, deadline));
  if (command.answer.error_code() == "ERR" && command.answer.is(RespValue::Kind::kError)) {
    Error error = refusal(command.answer, node.connection.where());
    error.remedy = "is it a cluster? One server is redis://";
    return error;
  }
  KVASIR_RETURN_IF_ERROR(expect(command, RespValue::Kind::kArray));
  return ClusterMap::read(command.answer, node.place);
}

Status ClusterLink::learn_map(Deadline deadline) {
  std::optional<Error> first;
  for (const HostPort& place : whom_to_ask()) {
    if (first && Clock::now() >= deadline) break;
    Node& node = node_at(place);
    Result<ClusterMap> map = ask_for_map(node, deadline);
    if (!map.ok()) {
      if (!first) first = map.error();
      rest(node, map.error());
      continue;
    }
    map_ = std::move(*map);
    map_since_ = Clock::now();
    is_map_doubtful_ = false;
    forget_nodes_without_slots();
    return ok_status();
  }
  return std::move(*first);
}

void ClusterLink::forget_nodes_without_slots() {
  std::erase_if(nodes_, [&](const auto& one) {
    return std::ranges::count(map_->places(), one.second->place) == 0;
  });
}

// An old table is better than none.
Status ClusterLink::ensure_map(Deadline deadline) {
  if (!map_) return learn_map(deadline);
  const bool is_due = is_map_doubtful_ && Clock::now() - map_since_ >= kMapAgeMinS;
  if (is_due) {
    map_since_ = Clock::now();
    (void)learn_map(deadline);
  }
  return ok_status();
}

ClusterLink::Shares ClusterLink::shares_of(std::span<RedisCommand> commands) {
  Shares shares;
  bool is_owned = true;
  for (RedisCommand& command : commands) {
    command.is_answered = false;
    const HostPort* owner = map_->owner(command.slot);
    if (owner != nullptr) shares[&node_at(*owner)].push_back(&command);
    is_owned &= owner != nullptr;
  }
  if (!is_owned) {
    is_map_doubtful_ = true;
    note_failure({.kind = ErrorKind::kIo,
                  .what = "no server of the cluster has some of its slots",
                  .where = seeds_.front().host});
  }
  return shares;
}

// All servers work at once: each has its first commands before any is waited for.
void ClusterLink::run(Shares shares, bool may_wait_for_all, Deadline deadline) {
  const Clock::time_point now = Clock::now();
  const bool all_rest = std::ranges::all_of(
      shares, [&](const auto& share) { return share.first->rests_until > now; });
  std::vector<Node*> begun;
  for (auto& [node, commands] : shares) {
    if (node->rests_until > now && !(all_rest && may_wait_for_all)) {
      note_failure({.kind = ErrorKind::kIo,
                    .what = "a server of the cluster failed and is left alone for a while",
                    .where = node->connection.where()});
      continue;
    }
    const Status status = node->connection.begin(std::move(commands), deadline);
    if (status.ok()) {
      begun.push_back(node);
    } else {
      rest(*node, status.error());
    }
  }
  finish(std::move(begun));
}

// Those whose answers have begun first: one that hangs takes no time from the others.
void ClusterLink::finish(std::vector<Node*> begun) {
  while (!begun.empty()) {
    std::vector<int> descriptors;
    descriptors.reserve(begun.size());
    for (const Node* node : begun) descriptors.push_back(node->connection.descriptor());
    const auto hastiest = std::ranges::min_element(
        begun, {}, [](const Node* node) { return node->connection.patience(); });
    const std::optional<size_t> ready =
        wait_for_any(descriptors, (*hastiest)->connection.patience());
    const auto next = ready ? begun.begin() + static_cast<ptrdiff_t>(*ready) : hastiest;
    Node& node = **next;
    begun.erase(next);
    const Status status = ready ? node.connection.finish() : Status(node.connection.give_up());
    if (status.ok()) {
      node.rest = kRestS;
      node.late = 0;
    } else {
      rest(node, status.error());
    }
  }
}

std::vector<RedisCommand*> ClusterLink::redirected(std::span<RedisCommand> commands) const {
  std::vector<RedisCommand*> found;
  for (RedisCommand& command : commands) {
    const std::string_view code = command.answer.error_code();
    const bool is_error = command.is_answered && command.answer.is(RespValue::Kind::kError);
    if (is_error && (code == "MOVED" || code == "ASK")) found.push_back(&command);
  }
  return found;
}

std::optional<Redirection> ClusterLink::redirection_of(const RedisCommand& command) const {
  for (const auto& [key, node] : nodes_) {
    if (node->connection.where() == command.server) {
      return remote::redirection_of(command.answer, node->place);
    }
  }
  return std::nullopt;
}

// Asks again where the answers say.
void ClusterLink::follow(const std::vector<RedisCommand*>& commands, Deadline deadline) {
  Shares shares;
  std::deque<RedisCommand> before;  // "ASKING" lets in the one command behind it
  for (RedisCommand* command : commands) {
    command->is_answered = false;
    const std::optional<Redirection> there = redirection_of(*command);
    if (!there) {
      drop(command->server, wrong_answer(command->server));
      continue;
    }
    std::vector<RedisCommand*>& share = shares[&node_at(there->place)];
    if (there->is_for_good) {
      map_->set_owner(there->slot, there->place);
      is_map_doubtful_ = true;
    } else {
      before.push_back(redis_command({"ASKING"}));
      share.push_back(&before.back());
    }
    share.push_back(command);
  }
  run(std::move(shares), true, deadline);
}

Status ClusterLink::exchange(std::span<RedisCommand> commands, Deadline deadline) {
  KVASIR_RETURN_IF_ERROR(ensure_map(deadline));
  const size_t failures_before = failures_.size();
  last_failure_.reset();
  run(shares_of(commands), true, deadline);
  std::vector<RedisCommand*> elsewhere = redirected(commands);
  for (int round = 1; round < kRoundsMax && !elsewhere.empty(); ++round) {
    follow(elsewhere, deadline);
    elsewhere = redirected(commands);
  }
  for (RedisCommand* command : elsewhere) {
    command->is_answered = false;
    note_failure({.kind = ErrorKind::kIo,
                  .what = "a slot of the cluster moves without end",
                  .where = command->server});
  }
  const bool has_answer = std::ranges::any_of(commands, &RedisCommand::is_answered);
  if (has_answer || commands.empty()) return ok_status();
  KVASIR_CHECK(last_failure_.has_value(), "a reason why nobody answered");
  failures_.erase(failures_.begin() + static_cast<ptrdiff_t>(failures_before),
                  failures_.end());  // it is the whole that failed
  return *last_failure_;
}

Result<std::vector<std::string>> ClusterLink::servers(Deadline deadline) {
  KVASIR_RETURN_IF_ERROR(ensure_map(deadline));
  std::vector<std::string> names;
  for (const HostPort& place : map_->places()) names.push_back(node_at(place).connection.where());
  std::ranges::sort(names);
  return names;
}

Status ClusterLink::exchange_at(const std::string& server, std::span<RedisCommand> commands,
                                Deadline deadline) {
  for (const auto& [key, node] : nodes_) {
    if (node->connection.where() != server) continue;
    std::vector<RedisCommand*> list;
    list.reserve(commands.size());
    for (RedisCommand& one : commands) list.push_back(&one);
    return node->connection.exchange(std::move(list), deadline);
  }
  return Error{.kind = ErrorKind::kIo,
               .what = "the server is none of the cluster's any more",
               .where = server};
}

}  // namespace

std::unique_ptr<RedisLink> cluster_link(const std::vector<HostPort>& seeds, RedisAccess access) {
  return std::make_unique<ClusterLink>(seeds, std::move(access));
}

}  // namespace kvasir::store::remote
