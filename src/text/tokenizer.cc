#include "text/tokenizer.h"

#include <utility>

namespace kvasir::text {
namespace {

constexpr size_t kBytesPerIdGuess = 3;

}  // namespace

// The working state of one encode().
class Tokenizer::Encoding {
 public:
  Encoding(const Tokenizer& tokenizer, SpecialTokens special)
      : tokenizer_(&tokenizer), special_(special), cutter_(tokenizer.pre_tokenizer_) {}

  std::vector<int32_t> run(std::string_view text) {
    ids_.reserve(text.size() / kBytesPerIdGuess);
    for (const TextSegment& segment : tokenizer_->added_.split_raw(text, special_)) {
      if (segment.id == TextSegment::kPlain) {
        add_raw(segment.text, segment.text.data() == text.data());
      } else {
        ids_.push_back(segment.id);
      }
    }
    return std::move(ids_);
  }

  std::vector<int32_t> run_parts(std::span<const TextPart> parts) {
    std::string plain;
    bool is_first = true;
    const auto flush = [&] {
      if (!plain.empty()) add_unmarked(plain, is_first);
      is_first = false;
      plain.clear();
    };
    for (const TextPart& part : parts) {
      if (!part.may_hold_markers) {
        plain += part.text;
        continue;
      }
      for (const TextSegment& segment : tokenizer_->added_.split(part.text)) {
        if (segment.id == TextSegment::kPlain) {
          plain += segment.text;
        } else {
          flush();
          ids_.push_back(segment.id);
        }
      }
    }
    flush();
    return std::move(ids_);
  }

 private:
  void add_unmarked(std::string_view text, bool is_first) {
    for (const TextSegment& segment : tokenizer_->added_.split_raw(text, SpecialTokens::kIgnore)) {
      if (segment.id == TextSegment::kPlain) {
        add_raw(segment.text, is_first && segment.text.data() == text.data());
      } else {
        ids_.push_back(segment.id);
      }
    }
  }

  // `is_first`: nothing stands before the text.
  void add_raw(std::string_view text, bool is_first) {
    if (tokenizer_->normalizer_.changes_nothing()) {
      add_normalized(text, is_first);
    } else {
      add_normalized(tokenizer_->normalizer_.apply(text, is_first), is_first);
    }
  }

  void add_normalized(std::string_view text, bool is_first) {
    for (const TextSegment& segment : tokenizer_->added_.split_normalized(text, special_)) {
      if (segment.id != TextSegment::kPlain) {
        ids_.push_back(segment.id);
      } else if (tokenizer_->late_normalizer_.changes_nothing()) {
        add_plain(segment.text);
      } else {
        const bool still_first = is_first && segment.text.data() == text.data();
        add_plain(tokenizer_->late_normalizer_.apply(segment.text, still_first));
      }
    }
  }

  void add_plain(std::string_view text) {
    cutter_.cut(text, [this](std::string_view piece) { add_piece(piece); });
  }

  void add_piece(std::string_view piece) {
    if (tokenizer_->ignores_merges_) {
      if (const std::optional<int32_t> id = tokenizer_->tokens_.find(piece)) {
        ids_.push_back(*id);
        return;
      }
    }
    tokenizer_->bpe_.encode(piece, scratch_, ids_);
  }

  const Tokenizer* tokenizer_;
  SpecialTokens special_;
  PieceCutter cutter_;
  BpeScratch scratch_;
  std::vector<int32_t> ids_;
};

std::vector<int32_t> Tokenizer::encode(std::string_view text, SpecialTokens special) const {
  return Encoding(*this, special).run(text);
}

std::vector<int32_t> Tokenizer::encode_parts(std::span<const TextPart> parts) const {
  return Encoding(*this, SpecialTokens::kIgnore).run_parts(parts);
}

std::string Tokenizer::decode(std::span<const int32_t> ids) const {
  std::string bytes;
  for (const int32_t id : ids) bytes += token_bytes(id);
  if (strips_first_blank_ && bytes.starts_with(' ')) bytes.erase(0, 1);
  return bytes;
}

bool Tokenizer::is_special(int32_t id) const {
  const AddedToken* token = added_.find_id(id);
  return token != nullptr && token->special;
}

std::optional<int32_t> Tokenizer::added_token_id(std::string_view content) const {
  const AddedToken* token = added_.find_content(content);
  if (token == nullptr) return std::nullopt;
  return token->id;
}

}  // namespace kvasir::text
