#include "persist/remote_engine.h"

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "kv/layout.h"
#include "store/remote/engine_access.h"
#include "store/remote/parts.h"
#include "store/remote/remote_url.h"

namespace kvasir::persist {
namespace {

using store::RecordInfo;
using store::remote::Clock;
using store::remote::Deadline;
using store::remote::Envelope;
using store::remote::ListedObject;
using store::remote::ObjectKind;
using store::remote::ObjectName;

constexpr std::chrono::seconds kCallTime(30);
constexpr size_t kNamesAtATime = 128;
// No engine holds such an object: what one says must not overflow a sum.
constexpr int64_t kListedBytesMax = int64_t{1} << 44;
constexpr int64_t kPackTokens = store::remote::kPackBlocks * kv::kBlockTokens;

using Names = std::unordered_set<ObjectName, store::remote::ObjectNameHash>;

using Keys = std::unordered_set<store::Key, store::KeyHash>;

Deadline in_time() { return Clock::now() + kCallTime; }

// The blocks that packs begin with in which some of these could lie. Of a text whose beginning the
// store has lost, what is left of it says nothing of packs.
Keys pack_beginnings(std::span<const RecordInfo> records, std::span<const RecordInfo> known) {
  std::unordered_map<store::Key, const RecordInfo*, store::KeyHash> blocks;
  for (const RecordInfo& info : known) {
    if (info.id.kind == store::Kind::kBlock) blocks[info.id.key] = &info;
  }
  Keys beginnings;
  for (const RecordInfo& info : records) {
    auto block = blocks.find(info.id.key);
    while (block != blocks.end() && block->second->token_begin % kPackTokens != 0) {
      block = blocks.find(block->second->parent);
    }
    if (block != blocks.end()) beginnings.insert(block->first);
  }
  return beginnings;
}

}  // namespace

void add_unreadable(int64_t objects, RemoteRemoval& removal) {
  if (objects == 0) return;
  removal.left_objects += objects;
  removal.reason =
      std::to_string(objects) + " objects could not be read to tell whether they belong to it";
}

Result<std::vector<std::unique_ptr<RemoteEngine>>> RemoteEngine::open(
    const RemoteOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(const std::vector<std::byte> secret,
                          store::remote::read_group_secret(options));
  std::vector<std::unique_ptr<RemoteEngine>> engines;
  for (const std::string& text : options.urls) {
    KVASIR_ASSIGN_OR_RETURN(const auto url, store::remote::parse_remote_url(text));
    KVASIR_ASSIGN_OR_RETURN(auto client,
                            store::remote::make_client(url, store::remote::kPatientLinkLimits));
    engines.push_back(
        std::make_unique<RemoteEngine>(url.label(), std::move(client), secret, options.encrypts));
  }
  return engines;
}

RemoteEngine::RemoteEngine(std::string label, std::unique_ptr<store::remote::ObjectClient> client,
                           std::span<const std::byte> secret, bool encrypts)
    : label_(std::move(label)),
      client_(std::move(client)),
      names_(secret, encrypts),
      envelope_(encrypts ? Envelope::sealing(secret) : Envelope()),
      inspector_(*client_, names_, envelope_) {}

Status RemoteEngine::with_parts(Status status) {
  std::vector<Error> failures = client_->part_failures();
  if (!status.ok() || failures.empty()) return status;
  return std::move(failures.front());
}

// ---- looking ------------------------------------------------------------------------------------

Result<store::remote::EngineFacts> RemoteEngine::look() {
  auto facts = client_->look(in_time());
  if (!facts.ok()) return facts;
  KVASIR_RETURN_IF_ERROR(with_parts(ok_status()));
  return facts;
}

Result<RemoteEngine::Objects> RemoteEngine::list() {
  Objects objects;
  Names seen;
  std::string cursor;
  do {
    KVASIR_ASSIGN_OR_RETURN(store::remote::Listing page, client_->list(cursor, in_time()));
    KVASIR_RETURN_IF_ERROR(with_parts(ok_status()));
    for (const ListedObject& object : page.objects) {
      if (!seen.insert(object.name).second) continue;
      objects.push_back({object.name, std::min(object.bytes, kListedBytesMax)});
    }
    cursor = std::move(page.cursor);
  } while (!cursor.empty());
  return objects;
}

Status RemoteEngine::inspect(std::span<const ListedObject> objects, RemoteInspector::Depth depth,
                             const std::function<bool(InspectedObject&& one)>& take) {
  while (!objects.empty()) {
    const auto some = objects.first(std::min(kNamesAtATime, objects.size()));
    objects = objects.subspan(some.size());
    KVASIR_ASSIGN_OR_RETURN(std::vector<InspectedObject> inspected,
                            inspector_.inspect(some, depth));
    for (InspectedObject& one : inspected) {
      if (!take(std::move(one))) return ok_status();
    }
  }
  return ok_status();
}

// ---- removing -----------------------------------------------------------------------------------

RemoteRemoval RemoteEngine::remove(const Objects& objects) {
  RemoteRemoval removal{.label = label_};
  for (size_t begin = 0; begin < objects.size();) {
    const auto some =
        std::span(objects).subspan(begin, std::min(kNamesAtATime, objects.size() - begin));
    std::vector<ObjectName> names;
    int64_t bytes = 0;
    for (const ListedObject& object : some) {
      names.push_back(object.name);
      bytes += object.bytes;
    }
    const Status removed = client_->remove(names, in_time());
    const Status whole = with_parts(removed);
    begin += some.size();
    if (whole.ok()) {
      removal.removed.count += std::ssize(some);
      removal.removed.bytes += bytes;
      continue;
    }
    // Of a cluster other servers may go on; an engine that is gone costs its time once.
    if (!removed.ok()) begin = objects.size();
    removal.reason = whole.error().message();
  }
  removal.left_objects = std::ssize(objects) - removal.removed.count;
  return removal;
}

// Their own objects, and the packs that end with one of them.
RemoteEngine::Objects RemoteEngine::named(std::span<const RecordInfo> records) const {
  Objects objects;
  for (const RecordInfo& info : records) {
    objects.push_back({names_.of(info.id)});
    const bool is_block = info.id.kind == store::Kind::kBlock;
    if (is_block && info.token_end() % kPackTokens == 0) {
      objects.push_back({names_.of_pack(info.id.key)});
    }
  }
  return objects;
}

// Packs that end behind these records, with blocks that only other servers have: the headers inside
// say so. Of most packs the first one is enough.
Result<RemoteEngine::Packs> RemoteEngine::packs_with(std::span<const RecordInfo> records,
                                                     std::span<const RecordInfo> known,
                                                     const Objects& listed) {
  Keys keys;
  for (const RecordInfo& info : records) {
    if (info.id.kind == store::Kind::kBlock) keys.insert(info.id.key);
  }
  const Keys beginnings = pack_beginnings(records, known);
  Objects all;
  for (const ListedObject& object : listed) {
    if (object.name.kind == ObjectKind::kPack) all.push_back(object);
  }
  Objects likely;
  Packs packs;
  KVASIR_RETURN_IF_ERROR(
      inspect(all, RemoteInspector::Depth::kFirst, [&](const InspectedObject& one) {
        const bool is_like =
            !one.records.empty() && beginnings.contains(one.records.front().id.key);
        if (is_like) likely.push_back(one.object);
        packs.unreadable += one.verdict == Verdict::kUnreadable;
        return true;
      }));
  KVASIR_RETURN_IF_ERROR(
      inspect(likely, RemoteInspector::Depth::kHeaders, [&](const InspectedObject& one) {
        const bool has_one = std::ranges::any_of(
            one.records, [&](const RecordInfo& info) { return keys.contains(info.id.key); });
        if (has_one) packs.found.push_back(one.object);
        packs.unreadable += one.verdict == Verdict::kUnreadable;
        return true;
      }));
  return packs;
}

RemoteRemoval RemoteEngine::remove_records(std::span<const RecordInfo> records,
                                           std::span<const RecordInfo> known) {
  if (records.empty()) return {.label = label_};
  Objects wanted = named(records);
  const auto listed = list();
  if (!listed.ok()) {
    // What answers may still remove it.
    RemoteRemoval removal = remove(wanted);
    removal.left_objects += std::exchange(removal.removed, {}).count;
    removal.reason = listed.error().message();
    return removal;
  }
  Names names;
  for (const ListedObject& object : wanted) names.insert(object.name);
  Objects there;
  Objects others;
  for (const ListedObject& object : *listed) {
    (names.contains(object.name) ? there : others).push_back(object);
  }
  const auto packs = packs_with(records, known, others);
  if (packs.ok()) there.insert(there.end(), packs->found.begin(), packs->found.end());
  RemoteRemoval removal = remove(there);
  if (!packs.ok()) {
    removal.reason = "packs could not be looked through: " + packs.error().message();
    ++removal.left_objects;
  } else {
    add_unreadable(packs->unreadable, removal);
  }
  return removal;
}

}  // namespace kvasir::persist
