#include "store/remote/redis/resp_reader.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include "base/check.h"

namespace kvasir::store::remote {
namespace {

// Of "$12", ":-1" and the like: what follows the type.
constexpr size_t kNumberLettersMax = 20;
constexpr int64_t kBulkBytesMax = int64_t{512} << 20;  // the protocol's own limit

Error damaged(std::string expected, std::string found) {
  return Error{.kind = ErrorKind::kDamaged,
               .what = "an answer is none of the Redis protocol",
               .expected = std::move(expected),
               .found = std::move(found)};
}

Error too_much(std::string what) {
  return Error{.kind = ErrorKind::kDamaged,
               .what = "an answer holds more than was asked for",
               .found = std::move(what)};
}

// Strict: no plus, no blanks, no leading zeros.
std::optional<int64_t> number_of(std::string_view text) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end || std::to_string(value) != text) return {};
  return value;
}

}  // namespace

std::string_view RespValue::error_code() const {
  return std::string_view(text).substr(0, text.find(' '));
}

void RespReader::begin(const RespLimits& limits, std::span<std::byte> into) {
  limits_ = limits;
  into_ = into;
  state_ = State::kLine;
  value_ = {};
  open_.clear();
  line_.clear();
  bulk_left_bytes_ = 0;
  text_bytes_ = 0;
  elements_ = 0;
}

RespValue& RespReader::current() {
  return open_.empty() ? value_ : open_.back().value->elements.back();
}

// The next value begins, or all are there.
void RespReader::end_value() {
  while (!open_.empty() && open_.back().missing == 0) open_.pop_back();
  if (open_.empty()) {
    state_ = State::kDone;
    return;
  }
  --open_.back().missing;
  open_.back().value->elements.emplace_back();
  line_.clear();
  state_ = State::kLine;
}

Status RespReader::keep_text(int64_t bytes) {
  text_bytes_ += bytes;
  if (text_bytes_ <= limits_.text_bytes_max) return ok_status();
  return too_much("text of " + std::to_string(text_bytes_) + " bytes");
}

Status RespReader::begin_bulk(int64_t bytes) {
  RespValue& value = current();
  if (bytes == -1) {
    end_value();
    return ok_status();
  }
  if (bytes < 0 || bytes > kBulkBytesMax) return damaged("a length", std::to_string(bytes));
  value.kind = RespValue::Kind::kBulk;
  value.integer = bytes;
  bulk_left_bytes_ = bytes;
  if (open_.empty() && !into_.empty()) {
    value.is_in_memory = bytes == static_cast<int64_t>(into_.size());
    if (!value.is_in_memory && bytes > limits_.passed_over_bytes_max) {
      return too_much("an object of " + std::to_string(bytes) + " bytes");
    }
  } else {
    KVASIR_RETURN_IF_ERROR(keep_text(bytes));
  }
  state_ = bytes == 0 ? State::kBulkEnd : State::kBulk;
  return ok_status();
}

Status RespReader::begin_array(int64_t count) {
  if (count == -1) {
    end_value();
    return ok_status();
  }
  if (count < 0) return damaged("a count", std::to_string(count));
  if (count > limits_.elements_max - elements_) {
    return too_much("an array of " + std::to_string(count));
  }
  if (static_cast<int>(open_.size()) >= limits_.depth_max) return too_much("arrays in arrays");
  elements_ += count;
  RespValue& value = current();
  value.kind = RespValue::Kind::kArray;
  open_.push_back({&value, count});
  end_value();
  return ok_status();
}

// The line is whole; its first letter is a type.
Status RespReader::end_line() {
  const char type = line_.front();
  const std::string_view rest = std::string_view(line_).substr(1);
  if (type == '+' || type == '-') {
    RespValue& value = current();
    value.kind = type == '+' ? RespValue::Kind::kText : RespValue::Kind::kError;
    value.text = rest;
    end_value();
    return ok_status();
  }
  const std::optional<int64_t> number = number_of(rest);
  if (!number) return damaged("a number", line_);
  if (type == '$') return begin_bulk(*number);
  if (type == '*') return begin_array(*number);
  RespValue& value = current();
  value.kind = RespValue::Kind::kInteger;
  value.integer = *number;
  end_value();
  return ok_status();
}

Status RespReader::take_letter(char letter) {
  switch (state_) {
    case State::kLine: {
      if (line_.empty() && std::string_view("+-:$*").find(letter) == std::string_view::npos) {
        return damaged("one of + - : $ *", std::string(1, letter));
      }
      if (letter == '\r' && !line_.empty()) {
        state_ = State::kLineEnd;
        return ok_status();
      }
      if (letter == '\n') return damaged("a carriage return", "a line feed alone");
      line_ += letter;
      const bool is_text = line_.front() == '+' || line_.front() == '-';
      if (is_text && line_.size() > 1) return keep_text(1);
      if (!is_text && line_.size() > 1 + kNumberLettersMax) return damaged("a number", line_);
      return ok_status();
    }
    case State::kLineEnd:
      return letter == '\n' ? end_line() : damaged("a line feed", std::string(1, letter));
    case State::kBulkEnd:
      state_ = State::kBulkLineFeed;
      return letter == '\r' ? ok_status() : damaged("the end of a string", std::string(1, letter));
    default:
      KVASIR_CHECK(state_ == State::kBulkLineFeed, "an answer that goes on");
      if (letter != '\n') return damaged("the end of a string", std::string(1, letter));
      end_value();
      return ok_status();
  }
}

// Returns how many bytes are the string's.
size_t RespReader::take_bulk(std::span<const std::byte> bytes) {
  const size_t count = std::min(bytes.size(), static_cast<size_t>(bulk_left_bytes_));
  RespValue& value = current();
  if (value.is_in_memory) {
    std::memcpy(place().data(), bytes.data(), count);
  } else if (!open_.empty() || into_.empty()) {
    value.text.append(reinterpret_cast<const char*>(bytes.data()), count);
  }
  bulk_left_bytes_ -= static_cast<int64_t>(count);
  if (bulk_left_bytes_ == 0) state_ = State::kBulkEnd;
  return count;
}

Result<size_t> RespReader::take(std::span<const std::byte> bytes) {
  size_t at = 0;
  while (at < bytes.size() && !is_done()) {
    if (state_ == State::kBulk) {
      at += take_bulk(bytes.subspan(at));
      continue;
    }
    KVASIR_RETURN_IF_ERROR(take_letter(static_cast<char>(bytes[at])));
    ++at;
  }
  return at;
}

std::span<std::byte> RespReader::place() const {
  if (state_ != State::kBulk || !open_.empty() || !value_.is_in_memory) return {};
  return into_.last(static_cast<size_t>(bulk_left_bytes_));
}

void RespReader::received(size_t bytes) {
  KVASIR_CHECK(bytes <= place().size(), "more than there is place for");
  bulk_left_bytes_ -= static_cast<int64_t>(bytes);
  if (bulk_left_bytes_ == 0) state_ = State::kBulkEnd;
}

}  // namespace kvasir::store::remote
