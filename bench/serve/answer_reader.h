// An AnswerReader reads one HTTP response while it comes, in pieces of any size. Of a stream of
// server-sent events it hands out each event; any other body is kept whole. It belongs to one
// thread and trusts nothing that it is given.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "kvasir/result.h"

namespace kvasir::bench {

class AnswerReader {
 public:
  // `data` is what an event says, its lines joined; empty: a comment, which only keeps the
  // connection alive.
  using EventSink = std::function<void(std::string_view data)>;

  // Error (kDamaged): no response of HTTP/1.1, or beyond any sensible size.
  Status take(std::string_view bytes, const EventSink& on_event);
  // The connection has ended. Error: too early.
  Status finish() const;

  bool is_done() const { return state_ == State::kDone; }
  int status() const { return status_; }             // 0: not known yet
  const std::string& body() const { return body_; }  // of what is no stream

 private:
  enum class State : uint8_t {
    kHead,
    kSized,
    kUnsized,
    kChunkSize,
    kChunk,
    kChunkEnd,
    kTrailer,
    kDone
  };

  Status step(std::string_view& bytes, const EventSink& on_event);
  Status take_content(std::string_view& bytes, const EventSink& on_event);
  // Moves bytes up to the end of a line into line_; true: it is whole, without its end.
  Result<bool> take_line(std::string_view& bytes);
  Status read_head_line();
  Status end_head();
  Status read_chunk_size();
  Status add(std::string_view content, const EventSink& on_event);
  void read_event_line(const EventSink& on_event);

  State state_ = State::kHead;
  int status_ = 0;
  bool is_stream_ = false;
  bool is_chunked_ = false;
  bool has_size_ = false;
  uint64_t left_bytes_ = 0;  // of the body, or of this chunk
  std::string line_;         // of head, chunk sizes and trailer
  std::string event_line_;
  std::string data_;
  bool has_data_ = false;
  std::string body_;
};

}  // namespace kvasir::bench
