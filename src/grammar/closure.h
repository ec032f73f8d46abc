// A Closure finds the places that a position comes to without a byte: into rules that are called
// there, and out of rules that end. It refers to its automaton. One thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/position.h"

namespace kvasir::grammar {

class Closure {
 public:
  // More places at once than this are none: a grammar that is read in so many ways at once would
  // take too long to follow.
  static constexpr size_t kPlacesMax = 512;
  // Frames are kept, so that equal positions have the same; those over this are not.
  static constexpr size_t kFramesMax = 1 << 16;

  explicit Closure(const Automaton& automaton);

  Position start();
  // Where `places` come to with that byte.
  Position after(std::span<const Place> places, uint8_t byte);
  // Frames of positions to come are no longer those of earlier ones.
  void forget_frames() { frames_.clear(); }

 private:
  using FramePointer = std::shared_ptr<const Frame>;
  struct FrameHash {
    size_t operator()(const std::vector<Frame::Return>& returns) const;
  };
  struct Calls {
    int32_t rule = 0;
    std::vector<Frame::Return> returns;
  };

  Position close();
  void visit(int32_t state, const FramePointer& frame);
  bool is_seen(int32_t state, const Frame* frame);
  void follow(const Place& place);
  void return_from(const FramePointer& frame);
  void add_call(int32_t rule, int32_t next, const FramePointer& frame);
  void enter_rules();
  FramePointer frame_of(std::vector<Frame::Return> returns);

  const Automaton& automaton_;
  std::unordered_map<std::vector<Frame::Return>, FramePointer, FrameHash> frames_;
  // Of the position at hand.
  std::vector<Place> waiting_;
  std::vector<Place> found_;
  bool can_end_ = false;
  bool is_too_wide_ = false;
  std::vector<Calls> calls_;
  const Frame* newest_frame_ = nullptr;  // of the rule being entered: what ends there has no byte
  // Of each state: the first frame that it was seen with, and when; further ones stand beside.
  struct Seen {
    uint32_t turn = 0;
    const Frame* frame = nullptr;
  };
  std::vector<Seen> seen_;
  struct Besides {
    int32_t state = 0;
    const Frame* frame = nullptr;
  };
  std::vector<Besides> seen_besides_;
  uint32_t turn_ = 1;
};

}  // namespace kvasir::grammar
