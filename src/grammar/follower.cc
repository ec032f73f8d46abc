#include "grammar/follower.h"

#include <functional>
#include <string>
#include <utility>

#include "base/check.h"
#include "grammar/copy_shift.h"

namespace kvasir::grammar {

struct Follower::Entry {
  Entry(Position at, size_t class_count) : position(std::move(at)), nexts(class_count) {}

  Position position;
  // Of each class of bytes, once it was asked for.
  struct Next {
    bool is_known = false;
    Entry* entry = nullptr;  // null: dead
  };
  std::vector<Next> nexts;
  std::shared_ptr<const TokenMask> mask;  // null: not asked for yet
  bool is_kept = false;                   // false: memory was full
};

// Of a walk: the place in the grammar behind the bytes of a node.
struct Follower::Step {
  Entry* entry = nullptr;
  std::unique_ptr<Entry> own;
  bool is_in_loop = false;  // all bytes so far are of the loop
};

size_t Follower::PositionHash::operator()(const Position* position) const {
  size_t hash = position->places.size();
  for (const Place& place : position->places) {
    hash = hash * 0x9E3779B97F4A7C15 + static_cast<size_t>(place.state);
    hash = (hash ^ hash >> 29) * 0xBF58476D1CE4E5B9 + std::hash<const void*>()(place.frame.get());
  }
  return hash;
}

Follower::Follower(Automaton automaton, std::shared_ptr<const TokenTrie> trie, size_t memory_bytes)
    : automaton_(std::move(automaton)),
      trie_(std::move(trie)),
      memory_bytes_(memory_bytes),
      closure_(automaton_),
      start_(closure_.start()) {}

Follower::~Follower() = default;

// Positions keep their frames, so those under way go on as before.
void Follower::forget_what_is_too_much() const {
  if (!is_full_) return;
  entries_.clear();
  closure_.forget_frames();
  bytes_ = 0;
  is_full_ = false;
}

Follower::Entry* Follower::find_or_add(Position position, std::unique_ptr<Entry>& own) const {
  if (const auto known = entries_.find(&position); known != entries_.end()) {
    return known->second.get();
  }
  // Half of a frame and a node of the table are counted with each place.
  const size_t bytes = sizeof(Entry) + 64 + position.places.size() * (sizeof(Place) + 64) +
                       automaton_.class_bytes.size() * sizeof(Entry::Next);
  auto entry = std::make_unique<Entry>(std::move(position), automaton_.class_bytes.size());
  Entry* const made = entry.get();
  if (bytes_ + bytes > memory_bytes_) {
    is_full_ = true;
    own = std::move(entry);
    return made;
  }
  made->is_kept = true;
  bytes_ += bytes;
  entries_.emplace(&made->position, std::move(entry));
  return made;
}

Follower::Entry* Follower::next(Entry& entry, uint8_t byte, std::unique_ptr<Entry>& own) const {
  Entry::Next& known = entry.nexts[automaton_.class_of[byte]];
  if (known.is_known) return known.entry;
  Position after = closure_.after(entry.position.places, byte);
  Entry* found = nullptr;
  if (!after.is_dead()) found = find_or_add(std::move(after), own);
  // What is not kept may not be pointed at.
  if (found == nullptr || found->is_kept) known = {true, found};
  return found;
}

Position Follower::advance(const Position& position, std::string_view bytes) const {
  const std::lock_guard lock(mutex_);
  forget_what_is_too_much();
  if (position.is_dead()) return {};
  Step step;
  step.entry = find_or_add(position, step.own);
  for (const char c : bytes) {
    std::unique_ptr<Entry> own;
    Entry* const entry = next(*step.entry, static_cast<uint8_t>(c), own);
    if (entry == nullptr) return {};
    step = {entry, std::move(own)};
  }
  return step.entry->position;
}

Error too_many_ways() {
  return Error{.kind = ErrorKind::kUsage,
               .what = "the answer's grammar can be read in too many ways at once",
               .field = "grammar",
               .expected = "at most " + std::to_string(Closure::kPlacesMax)};
}

bool Follower::leads_to_too_many_ways(const Position& position) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(automaton_.class_bytes, [&](uint8_t byte) {
    return closure_.after(position.places, byte).is_too_wide;
  });
}

std::shared_ptr<const TokenMask> Follower::mask(const Position& position) const {
  const std::lock_guard lock(mutex_);
  forget_what_is_too_much();
  Step step;
  step.entry = find_or_add(position, step.own);
  Entry& entry = *step.entry;
  if (entry.mask == nullptr) {
    entry.mask = std::make_shared<const TokenMask>(walk(entry));
    bytes_ += entry.mask->size_bytes();
  }
  return entry.mask;
}

Follower::Loop Follower::loop_of(Entry& entry) const {
  if (!entry.is_kept) return {};
  const auto bytes_that = [&](const std::function<bool(const Entry& after)>& is_so) {
    ByteSet bytes;
    for (size_t byte = 0; byte < bytes.size(); ++byte) {
      std::unique_ptr<Entry> own;
      const Entry* const after = next(entry, static_cast<uint8_t>(byte), own);
      if (after != nullptr && is_so(*after)) bytes.set(byte);
    }
    return bytes;
  };
  const ByteSet same = bytes_that([&](const Entry& after) { return &after == &entry; });
  if (same.any()) return {same, trie_->depth_max()};
  for (const CopyShift& shift : CopyShift::of(automaton_, entry.position)) {
    const ByteSet shifting =
        bytes_that([&](const Entry& after) { return shift.leads(entry.position, after.position); });
    if (shifting.any()) return {shifting, shift.copies_behind()};
  }
  return {};
}

// Most of a vocabulary is words, and most of them are allowed inside a string, where each byte of
// them leaves the position as it is, but for what is counted: all that lies below such a byte is
// allowed at once.
TokenMask Follower::walk(Entry& start) const {
  TokenMask mask(trie_->vocab_size());
  const Loop loop = loop_of(start);
  const ByteSet others = ~loop.bytes;
  const std::vector<TokenTrie::Node>& nodes = trie_->nodes();
  std::vector<Step> steps(static_cast<size_t>(trie_->depth_max()) + 1);
  steps[0].entry = &start;
  steps[0].is_in_loop = true;
  for (size_t i = 0; i < nodes.size();) {
    const TokenTrie::Node& node = nodes[i];
    const Step& before = steps[node.depth];
    const bool is_in_loop = before.is_in_loop && loop.bytes.test(node.byte);
    const bool all =
        is_in_loop && (trie_->bytes_below(node) & others).none() && node.depth_below < loop.length;
    Step& step = steps[node.depth + size_t{1}];
    if (!all) {
      step.own.reset();
      step.entry = next(*before.entry, node.byte, step.own);
      step.is_in_loop = is_in_loop;
      if (step.entry == nullptr) {
        i = static_cast<size_t>(node.end);
        continue;
      }
    }
    const int32_t last = trie_->last_token(i, all);
    for (int32_t at = node.first_token; at < last; ++at) {
      mask.allow(trie_->tokens()[static_cast<size_t>(at)]);
    }
    i = all ? static_cast<size_t>(node.end) : i + 1;
  }
  return mask;
}

}  // namespace kvasir::grammar
