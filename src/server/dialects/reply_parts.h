// A reply's parts are runs of reasoning and of answer, in their order, as dialects have them that
// give each a block or an item of its own. ReplyParts gathers them, and a PartStream writes them
// while they grow. An answer stands at the end of every reply, be it empty. One thread.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace kvasir::server {

struct ReplyPart {
  enum class Kind : uint8_t { kReasoning, kAnswer };
  Kind kind = Kind::kAnswer;
  std::string text;
  Json::Array logprobs;  // where they are asked for
};

class ReplyParts {
 public:
  // The part that text of this kind belongs to; a new one, where the last one is of another kind.
  ReplyPart& part(ReplyPart::Kind kind);
  bool ends_with(ReplyPart::Kind kind) const {
    return !parts_.empty() && parts_.back().kind == kind;
  }
  const std::vector<ReplyPart>& all() const { return parts_; }

 private:
  std::vector<ReplyPart> parts_;
};

class PartStream {
 public:
  virtual ~PartStream() = default;

  // The bytes that say it; text and log-probabilities are added to the part.
  std::string add(ReplyPart::Kind kind, const std::string& text, Json::Array logprobs = {});
  // Closes the last part, which is an answer then.
  std::string end();
  const ReplyParts& parts() const { return parts_; }

 private:
  virtual std::string open(const ReplyPart& part, size_t index) = 0;
  virtual std::string delta(const ReplyPart& part, size_t index, const std::string& text,
                            Json::Array logprobs) = 0;
  virtual std::string close(const ReplyPart& part, size_t index) = 0;

  std::string switch_to(ReplyPart::Kind kind);
  std::string close_last();

  ReplyParts parts_;
};

}  // namespace kvasir::server
