#include "kvasir/store_admin.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "persist/archive.h"
#include "persist/open_store.h"
#include "persist/remote_engine.h"
#include "persist/remote_totals.h"
#include "persist/run_tree.h"

namespace kvasir {
namespace {

constexpr size_t kKeyDigitsMin = 6;

// Finds the pin on one of a run's blocks; a run may have grown since it was pinned. Null: none.
const store::Pin* pin_on(const persist::Run& run, const std::vector<store::Pin>& pins) {
  for (const store::IndexEntry& block : run.blocks) {
    for (const store::Pin& pin : pins) {
      if (pin.key == block.info.id.key) return &pin;
    }
  }
  return nullptr;
}

// What the chain that a run ends begins with; of one that damage cut off, the block that is
// missing.
const store::Key& root_of(const persist::RunTree& tree, const persist::Run& run) {
  const persist::Run* first = &run;
  while (first->parent >= 0) first = &tree.runs()[static_cast<size_t>(first->parent)];
  return first->blocks.front().info.parent;
}

}  // namespace

struct StoreAdmin::State {
  std::string directory;
  std::unique_ptr<store::StoreDirectory> store;
  std::unordered_map<std::string, store::RecordId> first_blocks;  // by key, of the newest list
  std::vector<std::unique_ptr<persist::RemoteEngine>> engines;
  std::vector<RemoteRemoval> removals;  // of each engine

  persist::RunTree tree() const { return persist::RunTree(store->blocks().entries()); }
  // Returns the index of the one run whose key begins so. Error: no run or several do.
  Result<int64_t> find(const persist::RunTree& tree, const std::string& key) const;
  Status check_writable() const;
  // Has `work` delete records, and deletes them at the engines too. Returns by how many bytes the
  // files shrank.
  Result<int64_t> remove(const std::function<Status()>& work);
  void remove_remotely(const std::vector<store::IndexEntry>& before);
  StoredRun describe(const persist::RunTree& tree, const persist::Run& run, int64_t time_s,
                     const std::vector<store::Pin>& pins) const;
};

StoreAdmin::StoreAdmin(std::unique_ptr<State> state) : state_(std::move(state)) {}
StoreAdmin::StoreAdmin(StoreAdmin&&) noexcept = default;
StoreAdmin& StoreAdmin::operator=(StoreAdmin&&) noexcept = default;
StoreAdmin::~StoreAdmin() = default;

Result<StoreAdmin> StoreAdmin::open(const StoreOptions& options) {
  auto state = std::make_unique<State>();
  state->directory = options.directory;
  KVASIR_ASSIGN_OR_RETURN(state->store,
                          persist::open_store(options, persist::IfNotWritable::kFail));
  if (!options.read_only) {
    KVASIR_ASSIGN_OR_RETURN(state->engines, persist::RemoteEngine::open(options.remote));
  }
  for (const auto& engine : state->engines) state->removals.push_back({.label = engine->label()});
  return StoreAdmin(std::move(state));
}

// ---- looking ----

Result<int64_t> StoreAdmin::State::find(const persist::RunTree& tree,
                                        const std::string& key) const {
  if (key.size() < kKeyDigitsMin) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "key too short",
                 .expected = std::to_string(kKeyDigitsMin) + " hex digits or more",
                 .found = key,
                 .remedy = "kvasir cache ls shows the keys"};
  }
  int64_t found = -1;
  for (int64_t i = 0; i < std::ssize(tree.runs()); ++i) {
    if (!to_hex(tree.runs()[static_cast<size_t>(i)].key()).starts_with(key)) continue;
    if (found >= 0) {
      return Error{.kind = ErrorKind::kUsage,
                   .what = "key fits several runs",
                   .where = directory,
                   .found = key,
                   .remedy = "write more of it"};
    }
    found = i;
  }
  if (found < 0) {
    return Error{.kind = ErrorKind::kNotFound,
                 .what = "no such key in the store",
                 .where = directory,
                 .found = key,
                 .remedy = "kvasir cache ls shows the keys"};
  }
  return found;
}

StoredRun StoreAdmin::State::describe(const persist::RunTree& tree, const persist::Run& run,
                                      int64_t time_s, const std::vector<store::Pin>& pins) const {
  StoredRun out;
  const store::RecordInfo& first = run.blocks.front().info;
  out.key = to_hex(run.key());
  if (run.parent >= 0) out.parent = to_hex(tree.runs()[static_cast<size_t>(run.parent)].key());
  out.model = to_hex(first.model);
  out.model_path = store->model_path(first.model);
  out.token_begin = first.token_begin;
  out.token_end = run.blocks.back().info.token_end();
  out.bytes = run.bytes();
  for (const store::IndexEntry& state : run.states) out.states.push_back(state.info.token_begin);
  out.hits = run.hits(time_s);
  out.last_used_s = run.last_used_s();
  if (const store::Pin* pin = pin_on(run, pins)) {
    out.is_pinned = true;
    out.pin_name = pin->name;
  }
  out.root = to_hex(root_of(tree, run));
  return out;
}

std::vector<StoredRun> StoreAdmin::list() {
  std::vector<StoredRun> list = list_without_tokens();
  for (StoredRun& run : list) run.first_tokens = read_first_tokens(run);
  return list;
}

std::vector<int32_t> StoreAdmin::read_first_tokens(const StoredRun& run) {
  const auto found = state_->first_blocks.find(run.key);
  if (found == state_->first_blocks.end()) return {};
  Result<std::vector<int32_t>> tokens = state_->store->blocks().read_tokens(found->second);
  return tokens ? std::move(*tokens) : std::vector<int32_t>();
}

std::vector<StoredRun> StoreAdmin::list_without_tokens() {
  const persist::RunTree tree = state_->tree();
  const std::vector<store::Pin> pins = state_->store->pins();
  const int64_t time_s = unix_seconds();
  std::vector<StoredRun> list;
  list.reserve(tree.runs().size());
  state_->first_blocks.clear();
  for (const persist::Run& run : tree.runs()) {
    list.push_back(state_->describe(tree, run, time_s, pins));
    state_->first_blocks.emplace(list.back().key, run.blocks.front().info.id);
  }
  return list;
}

StoreSummary StoreAdmin::summary() {
  const store::StoreSize size = state_->store->blocks().size();
  const persist::RunTree tree = state_->tree();
  StoreSummary summary{.directory = state_->directory,
                       .file_bytes = size.file_bytes,
                       .live_bytes = size.live_bytes,
                       .segment_count = size.segment_count,
                       .unreadable_segment_count = size.unreadable_segment_count,
                       .unreadable_bytes = size.unreadable_bytes,
                       .run_count = std::ssize(tree.runs()),
                       .pin_count = std::ssize(state_->store->pins())};
  std::set<store::Key> models;
  for (const store::IndexEntry& entry : state_->store->blocks().entries()) {
    ++(entry.info.id.kind == store::Kind::kState ? summary.state_count : summary.block_count);
    models.insert(entry.info.model);
  }
  summary.model_count = std::ssize(models);
  return summary;
}

std::vector<Error> StoreAdmin::notes() const { return state_->store->notes(); }

StoreMetrics StoreAdmin::totals() { return state_->store->totals(); }

RemoteTotals StoreAdmin::remote_totals() {
  return persist::remote_totals_in(state_->store->named_totals());
}

Result<std::vector<StoreDamage>> StoreAdmin::verify(bool repair, const StoreProgress& progress) {
  if (repair) KVASIR_RETURN_IF_ERROR(state_->check_writable());
  return state_->store->blocks().verify(repair, progress);
}

// ---- changing ----

Status StoreAdmin::State::check_writable() const {
  if (store->blocks().is_writer()) return ok_status();
  return Error{.kind = ErrorKind::kUsage,
               .what = "the store was opened for reading only",
               .where = directory};
}

Status StoreAdmin::pin(const std::string& key, const std::string& name) {
  KVASIR_RETURN_IF_ERROR(state_->check_writable());
  const persist::RunTree tree = state_->tree();
  KVASIR_ASSIGN_OR_RETURN(const int64_t run, state_->find(tree, key));
  return state_->store->pin({tree.runs()[static_cast<size_t>(run)].key(), name});
}

// Looks among the pins, not the runs: the run may be gone, or have grown and have another key.
Status StoreAdmin::unpin(const std::string& key) {
  KVASIR_RETURN_IF_ERROR(state_->check_writable());
  const std::vector<store::Pin> pins = state_->store->pins();
  const auto find = [&](const auto& fits) { return std::find_if(pins.begin(), pins.end(), fits); };
  auto found = find([&](const store::Pin& pin) { return !key.empty() && pin.name == key; });
  if (found == pins.end() && key.size() >= kKeyDigitsMin) {
    found = find([&](const store::Pin& pin) { return to_hex(pin.key).starts_with(key); });
  }
  if (found != pins.end()) return state_->store->unpin(found->key);
  return Error{.kind = ErrorKind::kNotFound,
               .what = "nothing is pinned under that key or name",
               .where = state_->directory,
               .found = key};
}

Result<int64_t> StoreAdmin::State::remove(const std::function<Status()>& work) {
  KVASIR_RETURN_IF_ERROR(check_writable());
  std::vector<store::IndexEntry> entries;
  if (!engines.empty()) entries = store->blocks().entries();
  const int64_t before = store->blocks().size().file_bytes;
  const Status status = work();
  remove_remotely(entries);
  KVASIR_RETURN_IF_ERROR(status);
  return before - store->blocks().size().file_bytes;
}

void StoreAdmin::State::remove_remotely(const std::vector<store::IndexEntry>& before) {
  std::vector<store::RecordInfo> known;
  std::vector<store::RecordInfo> removed;
  for (const store::IndexEntry& entry : before) {
    known.push_back(entry.info);
    if (!store->blocks().find(entry.info.id)) removed.push_back(entry.info);
  }
  for (size_t i = 0; i < engines.size(); ++i) {
    RemoteRemoval removal = engines[i]->remove_records(removed, known);
    removals[i].removed.count += removal.removed.count;
    removals[i].removed.bytes += removal.removed.bytes;
    removals[i].left_objects += removal.left_objects;
    if (!removal.reason.empty()) removals[i].reason = std::move(removal.reason);
  }
}

const std::vector<RemoteRemoval>& StoreAdmin::remote_removals() const { return state_->removals; }

Result<int64_t> StoreAdmin::remove(const std::string& key) {
  const persist::RunTree tree = state_->tree();
  KVASIR_ASSIGN_OR_RETURN(const int64_t run, state_->find(tree, key));
  const std::vector<store::RecordId> ids = tree.subtree(run);
  for (const store::Pin& pin : state_->store->pins()) {
    for (const store::RecordId& id : ids) {
      if (id.key != pin.key) continue;
      return Error{.kind = ErrorKind::kUsage,
                   .what = "pinned",
                   .where = to_hex(pin.key),
                   .remedy = "unpin it first"};
    }
  }
  return state_->remove([&] { return state_->store->blocks().remove(ids); });
}

Result<int64_t> StoreAdmin::remove_unused_since(int64_t time_s) {
  const persist::RunTree tree = state_->tree();
  const std::vector<store::Pin> pins = state_->store->pins();
  // Children come after their parents: going backwards, a run's children are decided before it.
  const auto& runs = tree.runs();
  std::vector<bool> is_needed(runs.size());
  std::vector<store::RecordId> ids;
  for (size_t i = runs.size(); i-- > 0;) {
    is_needed[i] =
        is_needed[i] || pin_on(runs[i], pins) != nullptr || runs[i].last_used_s() > time_s;
    if (is_needed[i] && runs[i].parent >= 0) is_needed[static_cast<size_t>(runs[i].parent)] = true;
    if (is_needed[i]) continue;
    for (const auto& block : runs[i].blocks) ids.push_back(block.info.id);
    for (const auto& one : runs[i].states) ids.push_back(one.info.id);
  }
  return state_->remove([&] { return state_->store->blocks().remove(ids); });
}

Result<int64_t> StoreAdmin::shrink_to(int64_t bytes) {
  return state_->remove([&] { return state_->store->blocks().shrink_to(bytes); });
}

Result<int64_t> StoreAdmin::clear() {
  return state_->remove([&]() -> Status {
    for (const store::Pin& pin : state_->store->pins()) {
      KVASIR_RETURN_IF_ERROR(state_->store->unpin(pin.key));
    }
    return state_->store->blocks().clear();
  });
}

Result<ImportReport> StoreAdmin::export_to(const std::string& key, const std::string& path) {
  const persist::RunTree tree = state_->tree();
  KVASIR_ASSIGN_OR_RETURN(const int64_t run, state_->find(tree, key));
  return persist::export_chain(state_->store->blocks(), tree.runs()[static_cast<size_t>(run)].key(),
                               *store::posix_file_system(), path);
}

Result<ImportReport> StoreAdmin::import_from(const std::string& path) {
  KVASIR_RETURN_IF_ERROR(state_->check_writable());
  // A store opens no links, so a link that names the archive is followed here.
  std::error_code error;
  const auto file = std::filesystem::canonical(path, error);
  return persist::import_archive(state_->store->blocks(), *store::posix_file_system(),
                                 error ? path : file.string());
}

}  // namespace kvasir
