// A reply's parts are runs of reasoning and of answer and single tool calls, in their order, as
// dialects have them that give each a block or an item of its own. ReplyParts gathers them, and a
// PartStream writes them while they grow. A reply that ends without a call ends with an answer, be
// it empty. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "kvasir/generation.h"

namespace kvasir::server {

struct ReplyPart {
  enum class Kind : uint8_t { kReasoning, kAnswer, kCall };
  Kind kind = Kind::kAnswer;
  std::string text;        // of a call: its arguments
  Json::Array logprobs;    // where they are asked for
  std::string name;        // of a call
  int64_t call_index = 0;  // of the reply's calls
  bool is_over = false;    // a call that is all there
};

class ReplyParts {
 public:
  // The part that text of this kind belongs to; a new one, where the last one is of another kind.
  ReplyPart& part(ReplyPart::Kind kind);
  bool begins_with(const CallPiece& piece) const { return piece.index == call_count_; }
  ReplyPart& add(const CallPiece& piece);
  // After the last piece.
  void end();
  bool has_calls() const { return call_count_ > 0; }
  bool ends_with(ReplyPart::Kind kind) const {
    return !parts_.empty() && parts_.back().kind == kind;
  }
  const std::vector<ReplyPart>& all() const { return parts_; }

 private:
  std::vector<ReplyPart> parts_;
  int64_t call_count_ = 0;
};

class PartStream {
 public:
  virtual ~PartStream() = default;

  // The bytes that say it; text and log-probabilities are added to the part.
  std::string add(ReplyPart::Kind kind, const std::string& text, Json::Array logprobs = {});
  std::string add(const CallPiece& piece);
  // Closes the last part.
  std::string end();
  const ReplyParts& parts() const { return parts_; }

 private:
  // Of a part without text.
  virtual std::string open(const ReplyPart& part, size_t index) = 0;
  virtual std::string delta(const ReplyPart& part, size_t index, const std::string& text,
                            Json::Array logprobs) = 0;
  virtual std::string close(const ReplyPart& part, size_t index) = 0;

  std::string switch_to(ReplyPart::Kind kind);
  std::string close_last();

  ReplyParts parts_;
};

}  // namespace kvasir::server
