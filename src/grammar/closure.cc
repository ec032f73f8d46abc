#include "grammar/closure.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace kvasir::grammar {
namespace {

template <class T>
bool comes_before(const T& a, const T& b) {
  return std::tuple(a.state, a.frame.get()) < std::tuple(b.state, b.frame.get());
}

template <class T>
void sort_once_each(std::vector<T>& list) {
  std::sort(list.begin(), list.end(), comes_before<T>);
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

}  // namespace

size_t Closure::FrameHash::operator()(const std::vector<Frame::Return>& returns) const {
  size_t hash = returns.size();
  for (const Frame::Return& one : returns) {
    hash = hash * 0x9E3779B97F4A7C15 + static_cast<size_t>(one.state);
    hash = (hash ^ hash >> 29) * 0xBF58476D1CE4E5B9 + std::hash<const void*>()(one.frame.get());
  }
  return hash;
}

Closure::Closure(const Automaton& automaton)
    : automaton_(automaton), seen_(automaton.states.size()) {}

Position Closure::start() {
  visit(automaton_.rules[static_cast<size_t>(automaton_.root)].start, nullptr);
  return close();
}

Position Closure::after(std::span<const Place> places, uint8_t byte) {
  for (const Place& place : places) {
    const Automaton::State& state = automaton_.states[static_cast<size_t>(place.state)];
    if (state.kind != Automaton::Kind::kBytes) continue;
    if (automaton_.sets[static_cast<size_t>(state.other)].test(byte)) {
      visit(state.next, place.frame);
    }
  }
  return close();
}

// Calls are entered once all that can call before any byte are known: by rank.
Position Closure::close() {
  enter_rules();
  Position position{.is_too_wide = is_too_wide_};
  if (!is_too_wide_) {
    sort_once_each(found_);
    position.places = std::move(found_);
    position.can_end = can_end_;
  }
  found_.clear();
  waiting_.clear();
  calls_.clear();
  seen_besides_.clear();
  can_end_ = false;
  is_too_wide_ = false;
  newest_frame_ = nullptr;
  if (++turn_ == 0) {
    std::fill(seen_.begin(), seen_.end(), Seen{});
    turn_ = 1;
  }
  return position;
}

void Closure::enter_rules() {
  const auto follow_all = [this] {
    while (!waiting_.empty() && !is_too_wide_) {
      const Place place = std::move(waiting_.back());
      waiting_.pop_back();
      follow(place);
    }
  };
  const auto rank = [this](const Calls& one) {
    return automaton_.rules[static_cast<size_t>(one.rule)].rank;
  };
  follow_all();
  while (!calls_.empty() && !is_too_wide_) {
    const auto first =
        std::min_element(calls_.begin(), calls_.end(),
                         [&](const Calls& a, const Calls& b) { return rank(a) < rank(b); });
    Calls calls = std::move(*first);
    calls_.erase(first);
    const FramePointer frame = frame_of(std::move(calls.returns));
    newest_frame_ = frame.get();
    visit(automaton_.rules[static_cast<size_t>(calls.rule)].start, frame);
    follow_all();
  }
}

void Closure::visit(int32_t state, const FramePointer& frame) {
  const int depth = frame == nullptr ? 0 : frame->depth;
  if (depth + automaton_.needs[static_cast<size_t>(state)] > Automaton::kDepthMax) return;
  if (is_seen(state, frame.get())) return;
  waiting_.push_back({state, frame});
}

bool Closure::is_seen(int32_t state, const Frame* frame) {
  Seen& seen = seen_[static_cast<size_t>(state)];
  if (seen.turn != turn_) {
    seen = {turn_, frame};
    return false;
  }
  if (seen.frame == frame) return true;
  const bool is_known =
      std::any_of(seen_besides_.begin(), seen_besides_.end(),
                  [&](const Besides& one) { return one.state == state && one.frame == frame; });
  if (!is_known) seen_besides_.push_back({state, frame});
  return is_known;
}

void Closure::follow(const Place& place) {
  const Automaton::State& state = automaton_.states[static_cast<size_t>(place.state)];
  switch (state.kind) {
    case Automaton::Kind::kSplit:
      visit(state.next, place.frame);
      visit(state.other, place.frame);
      return;
    case Automaton::Kind::kCall:
      add_call(state.other, state.next, place.frame);
      return;
    case Automaton::Kind::kBytes:
      break;
    case Automaton::Kind::kAccept:
      if (place.frame != nullptr) return return_from(place.frame);
      can_end_ = true;
      break;
  }
  found_.push_back(place);
  is_too_wide_ = is_too_wide_ || found_.size() > kPlacesMax;
}

// What a call comes to without a byte was followed where it was called.
void Closure::return_from(const FramePointer& frame) {
  if (frame.get() == newest_frame_) return;
  for (const Frame::Return& one : frame->returns) visit(one.state, one.frame);
}

void Closure::add_call(int32_t rule, int32_t next, const FramePointer& frame) {
  auto calls = std::find_if(calls_.begin(), calls_.end(),
                            [&](const Calls& one) { return one.rule == rule; });
  if (calls == calls_.end()) calls = calls_.insert(calls, {.rule = rule});
  calls->returns.push_back({next, frame});
  is_too_wide_ = is_too_wide_ || calls->returns.size() > kPlacesMax;
  if (automaton_.rules[static_cast<size_t>(rule)].is_nullable) visit(next, frame);
}

Closure::FramePointer Closure::frame_of(std::vector<Frame::Return> returns) {
  sort_once_each(returns);
  if (const auto known = frames_.find(returns); known != frames_.end()) return known->second;
  auto frame = std::make_shared<Frame>();
  for (const Frame::Return& one : returns) {
    frame->depth = std::max(frame->depth, one.frame == nullptr ? 1 : one.frame->depth + 1);
  }
  frame->returns = returns;
  if (frames_.size() < kFramesMax) frames_.emplace(std::move(returns), frame);
  return frame;
}

}  // namespace kvasir::grammar
