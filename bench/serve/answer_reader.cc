#include "bench/serve/answer_reader.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace kvasir::bench {
namespace {

constexpr size_t kLineBytesMax = 64 << 10;
constexpr size_t kBodyBytesMax = size_t{64} << 20;  // also of one event

Error damaged(const char* what) {
  return Error{.kind = ErrorKind::kDamaged, .what = what, .where = "response of the server"};
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

template <class Number>
bool read_number(std::string_view text, int base, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Status AnswerReader::take(std::string_view bytes, const EventSink& on_event) {
  while (!bytes.empty() && state_ != State::kDone) {
    KVASIR_RETURN_IF_ERROR(step(bytes, on_event));
  }
  return ok_status();
}

Status AnswerReader::finish() const {
  if (state_ == State::kDone || state_ == State::kUnsized) return ok_status();
  return damaged("it ends too early");
}

Status AnswerReader::step(std::string_view& bytes, const EventSink& on_event) {
  if (state_ == State::kSized || state_ == State::kUnsized || state_ == State::kChunk) {
    return take_content(bytes, on_event);
  }
  KVASIR_ASSIGN_OR_RETURN(const bool is_whole, take_line(bytes));
  if (!is_whole) return ok_status();
  Status status = ok_status();
  if (state_ == State::kHead) {
    status = line_.empty() ? end_head() : read_head_line();
  } else if (state_ == State::kChunkSize) {
    status = read_chunk_size();
  } else if (state_ == State::kChunkEnd) {
    if (!line_.empty()) return damaged("a chunk is longer than it says");
    state_ = State::kChunkSize;
  } else if (line_.empty()) {
    state_ = State::kDone;
  }
  line_.clear();
  return status;
}

Status AnswerReader::take_content(std::string_view& bytes, const EventSink& on_event) {
  const bool is_bounded = state_ != State::kUnsized;
  const size_t count = is_bounded ? std::min<uint64_t>(left_bytes_, bytes.size()) : bytes.size();
  KVASIR_RETURN_IF_ERROR(add(bytes.substr(0, count), on_event));
  bytes.remove_prefix(count);
  if (!is_bounded) return ok_status();
  left_bytes_ -= count;
  if (left_bytes_ == 0) state_ = state_ == State::kChunk ? State::kChunkEnd : State::kDone;
  return ok_status();
}

Result<bool> AnswerReader::take_line(std::string_view& bytes) {
  const size_t end = bytes.find('\n');
  line_ += bytes.substr(0, end);
  if (line_.size() > kLineBytesMax) return damaged("a line without an end");
  if (end == std::string_view::npos) {
    bytes = {};
    return false;
  }
  bytes.remove_prefix(end + 1);
  if (line_.ends_with('\r')) line_.pop_back();
  return true;
}

Status AnswerReader::read_head_line() {
  const std::string_view line = line_;
  if (status_ == 0) {
    const bool is_http = line.starts_with("HTTP/1.") && line.size() >= 12;
    if (!is_http || !read_number(line.substr(9, 3), 10, status_) || status_ < 100) {
      return damaged("no HTTP/1.1");
    }
    return ok_status();
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return damaged("a header without a colon");
  const std::string name = lower(line.substr(0, colon));
  const std::string value = lower(trimmed(line.substr(colon + 1)));
  if (name == "content-type") is_stream_ = value.starts_with("text/event-stream");
  if (name == "transfer-encoding") is_chunked_ = value == "chunked";
  if (name == "content-length") {
    has_size_ = true;
    if (!read_number(value, 10, left_bytes_)) return damaged("Content-Length is no number");
  }
  return ok_status();
}

Status AnswerReader::end_head() {
  if (status_ == 0) return damaged("no HTTP/1.1");
  if (status_ < 200) {  // "100 Continue": another head follows
    status_ = 0;
    return ok_status();
  }
  state_ = is_chunked_ ? State::kChunkSize : has_size_ ? State::kSized : State::kUnsized;
  if (state_ == State::kSized && left_bytes_ == 0) state_ = State::kDone;
  return ok_status();
}

Status AnswerReader::read_chunk_size() {
  const std::string_view line = line_;
  if (!read_number(trimmed(line.substr(0, line.find(';'))), 16, left_bytes_)) {
    return damaged("the size of a chunk is no number");
  }
  state_ = left_bytes_ == 0 ? State::kTrailer : State::kChunk;
  return ok_status();
}

Status AnswerReader::add(std::string_view content, const EventSink& on_event) {
  if (body_.size() + data_.size() + event_line_.size() + content.size() > kBodyBytesMax) {
    return damaged("beyond any sensible size");
  }
  if (!is_stream_) {
    body_ += content;
    return ok_status();
  }
  while (!content.empty()) {
    const size_t end = content.find('\n');
    event_line_ += content.substr(0, end);
    if (end == std::string_view::npos) break;
    content.remove_prefix(end + 1);
    read_event_line(on_event);
    event_line_.clear();
  }
  return ok_status();
}

void AnswerReader::read_event_line(const EventSink& on_event) {
  std::string_view line = event_line_;
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) {
    if (has_data_) on_event(data_);
    data_.clear();
    has_data_ = false;
  } else if (line.starts_with(':')) {
    on_event("");
  } else if (line.starts_with("data:")) {
    line.remove_prefix(line.starts_with("data: ") ? 6 : 5);
    if (has_data_) data_ += '\n';
    data_ += line;
    has_data_ = true;
  }
}

}  // namespace kvasir::bench
