#include "kvasir/remote_admin.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "persist/remote_admin_state.h"
#include "persist/run_tree.h"

namespace kvasir {
namespace {

using persist::InspectedObject;
using persist::RemoteInspector;
using persist::Verdict;
using store::RecordInfo;
using store::remote::ListedObject;
using store::remote::ObjectKind;

constexpr size_t kModelDigitsMin = 6;

void add(const ListedObject& object, RemoteObjects& objects) {
  ++objects.count;
  objects.bytes += object.bytes;
}

// Each record once: a block may lie there alone and in a pack.
class Records {
 public:
  void add(const std::vector<RecordInfo>& records) {
    for (const RecordInfo& info : records) {
      if (!seen_.insert(info.id).second) continue;
      entries_.push_back({.info = info, .written_s = info.created_s});
    }
  }
  const std::vector<store::IndexEntry>& entries() const { return entries_; }

 private:
  std::unordered_set<store::RecordId, store::RecordIdHash> seen_;
  std::vector<store::IndexEntry> entries_;
};

RemoteRun describe(const persist::RunTree& tree, const persist::Run& run) {
  const RecordInfo& first = run.blocks.front().info;
  RemoteRun out{.key = to_hex(run.key()),
                .model = to_hex(first.model),
                .token_begin = first.token_begin,
                .token_end = run.blocks.back().info.token_end(),
                .bytes = run.bytes(),
                .written_s = run.last_used_s()};
  if (run.parent >= 0) out.parent = to_hex(tree.runs()[static_cast<size_t>(run.parent)].key());
  for (const store::IndexEntry& state : run.states) out.states.push_back(state.info.token_begin);
  return out;
}

// When the newest record was written that needs the block of that key.
using TimesByKey = std::unordered_map<store::Key, int64_t, store::KeyHash>;

TimesByKey newest_times(const std::vector<InspectedObject>& objects) {
  std::vector<const RecordInfo*> records;
  for (const InspectedObject& one : objects) {
    for (const RecordInfo& info : one.records) records.push_back(&info);
  }
  // From the ends of texts to their beginnings; a state before the block that it stands behind.
  std::ranges::sort(records, std::ranges::greater(), [](const RecordInfo* info) {
    return std::make_pair(info->token_end(), info->id.kind == store::Kind::kState);
  });
  TimesByKey newest;
  for (const RecordInfo* info : records) {
    int64_t& own = newest[info->id.key];
    own = std::max(own, info->created_s);
    const int64_t time_s = own;
    int64_t& before = newest[info->parent];
    before = std::max(before, time_s);
  }
  return newest;
}

bool fits(const InspectedObject& one, const RemoteChoice& choice, const TimesByKey& newest) {
  if (one.verdict == Verdict::kWrong) return choice.all;
  if (one.verdict != Verdict::kRight) return false;
  if (!to_hex(one.records.front().model).starts_with(choice.model)) return false;
  if (!choice.written_before_s) return true;
  return std::ranges::all_of(one.records, [&](const RecordInfo& info) {
    return newest.at(info.id.key) < *choice.written_before_s;
  });
}

Status check(const RemoteChoice& choice) {
  const bool is_hex = choice.model.find_first_not_of("0123456789abcdef") == std::string::npos;
  const bool is_model = choice.model.empty() || (is_hex && choice.model.size() >= kModelDigitsMin);
  if (!is_model) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "this is no fingerprint of a model",
                 .field = "model",
                 .expected = std::to_string(kModelDigitsMin) + " hex digits or more",
                 .found = choice.model};
  }
  if (choice.all || choice.written_before_s || !choice.model.empty()) return ok_status();
  return Error{.kind = ErrorKind::kUsage, .what = "nothing was chosen to be removed"};
}

std::string name_text(const store::remote::ObjectName& name) {
  return std::string(1, static_cast<char>(name.kind)) + "/" + to_hex(name.hash);
}

}  // namespace

RemoteAdmin::RemoteAdmin(std::unique_ptr<State> state) : state_(std::move(state)) {}
RemoteAdmin::RemoteAdmin(RemoteAdmin&&) noexcept = default;
RemoteAdmin& RemoteAdmin::operator=(RemoteAdmin&&) noexcept = default;
RemoteAdmin::~RemoteAdmin() = default;

Result<std::vector<RemoteAdmin>> RemoteAdmin::open(const RemoteOptions& options) {
  if (options.urls.empty()) {
    return Error{.kind = ErrorKind::kUsage, .what = "no engine was named", .field = "urls"};
  }
  KVASIR_ASSIGN_OR_RETURN(auto engines, persist::RemoteEngine::open(options));
  std::vector<RemoteAdmin> admins;
  admins.reserve(engines.size());
  for (auto& engine : engines) {
    admins.emplace_back(std::make_unique<State>(State{std::move(engine)}));
  }
  return admins;
}

const std::string& RemoteAdmin::label() const { return state_->engine->label(); }

// ---- looking ------------------------------------------------------------------------------------

Result<RemoteSummary> RemoteAdmin::summary() {
  KVASIR_ASSIGN_OR_RETURN(store::remote::EngineFacts facts, state_->engine->look());
  RemoteSummary summary{.version = std::move(facts.version),
                        .used_bytes = facts.used_bytes,
                        .limit_bytes = facts.limit_bytes,
                        .advice = std::move(facts.advice)};
  KVASIR_ASSIGN_OR_RETURN(const auto objects, state_->engine->list());
  for (const ListedObject& object : objects) {
    switch (object.name.kind) {
      case ObjectKind::kBlock:
        add(object, summary.blocks);
        break;
      case ObjectKind::kState:
        add(object, summary.states);
        break;
      case ObjectKind::kPack:
        add(object, summary.packs);
        break;
    }
  }
  return summary;
}

Result<RemoteListing> RemoteAdmin::list() {
  KVASIR_ASSIGN_OR_RETURN(const auto objects, state_->engine->list());
  RemoteListing listing;
  Records records;
  KVASIR_RETURN_IF_ERROR(state_->engine->inspect(objects, RemoteInspector::Depth::kHeaders,
                                                 [&](const InspectedObject& one) {
                                                   records.add(one.records);
                                                   if (one.verdict == Verdict::kForeign) {
                                                     add(one.object, listing.foreign);
                                                   } else if (one.verdict == Verdict::kWrong) {
                                                     add(one.object, listing.wrong);
                                                   } else if (one.verdict == Verdict::kUnreadable) {
                                                     add(one.object, listing.unreadable);
                                                   }
                                                   return true;
                                                 }));
  const persist::RunTree tree(records.entries());
  listing.runs.reserve(tree.runs().size());
  for (const persist::Run& run : tree.runs()) listing.runs.push_back(describe(tree, run));
  return listing;
}

// ---- removing -----------------------------------------------------------------------------------

Result<RemoteRemoval> RemoteAdmin::remove(const RemoteChoice& choice) {
  KVASIR_RETURN_IF_ERROR(check(choice));
  KVASIR_ASSIGN_OR_RETURN(const auto objects, state_->engine->list());
  std::vector<InspectedObject> inspected;
  RemoteObjects foreign, unreadable;
  KVASIR_RETURN_IF_ERROR(state_->engine->inspect(objects, RemoteInspector::Depth::kHeaders,
                                                 [&](InspectedObject&& one) {
                                                   if (one.verdict == Verdict::kForeign) {
                                                     add(one.object, foreign);
                                                   } else if (one.verdict == Verdict::kUnreadable) {
                                                     add(one.object, unreadable);
                                                   } else {
                                                     inspected.push_back(std::move(one));
                                                   }
                                                   return true;
                                                 }));
  if (choice.written_before_s && unreadable.count > 0) {
    return Error{
        .kind = ErrorKind::kIo,
        .what = "objects of the remote engine cannot be read, and may continue what is old",
        .where = label(),
        .expected = "none",
        .found = std::to_string(unreadable.count),
        .remedy = "nothing was removed; verify names them"};
  }
  const TimesByKey newest = newest_times(inspected);
  std::vector<ListedObject> chosen;
  for (const InspectedObject& one : inspected) {
    if (fits(one, choice, newest)) chosen.push_back(one.object);
  }
  RemoteRemoval removal = state_->engine->remove(chosen);
  removal.foreign = foreign;
  persist::add_unreadable(unreadable.count, removal);
  return removal;
}

// ---- checking -----------------------------------------------------------------------------------

Result<RemoteCheck> RemoteAdmin::verify(bool repair, const StoreProgress& progress) {
  KVASIR_ASSIGN_OR_RETURN(const auto objects, state_->engine->list());
  int64_t all_bytes = 0;
  for (const ListedObject& object : objects) all_bytes += object.bytes;
  RemoteCheck check;
  std::vector<ListedObject> wrong;
  int64_t done_bytes = 0;
  KVASIR_RETURN_IF_ERROR(
      state_->engine->inspect(objects, RemoteInspector::Depth::kBytes, [&](InspectedObject&& one) {
        if (one.verdict == Verdict::kRight) add(one.object, check.right);
        if (one.verdict == Verdict::kForeign) add(one.object, check.foreign);
        if (one.verdict == Verdict::kWrong) {
          wrong.push_back(one.object);
          check.wrong.push_back({name_text(one.object.name), one.object.bytes,
                                 std::move(one.expected), std::move(one.found)});
        }
        if (one.verdict == Verdict::kUnreadable) {
          check.unreadable.push_back({name_text(one.object.name), one.object.bytes});
        }
        done_bytes += one.object.bytes;
        check.is_whole = !progress || progress(done_bytes, all_bytes);
        return check.is_whole;
      }));
  if (repair) check.repair = state_->engine->remove(wrong);
  return check;
}

}  // namespace kvasir
