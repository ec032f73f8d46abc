#include "text/reply_reader.h"

#include <utility>

namespace kvasir::text {
namespace {

ReplyForm with_calls(ReplyForm form, bool reads_calls) {
  form.reads_calls = reads_calls;
  return form;
}

void append(ReplyText more, ReplyText& text) {
  text.reasoning += more.reasoning;
  text.answer += more.answer;
  text.calls.insert(text.calls.end(), more.calls.begin(), more.calls.end());
}

}  // namespace

ReplyReader::ReplyReader(const ReplyForm& form, bool starts_in_reasoning,
                         std::unique_ptr<CallReader> calls)
    : form_(with_calls(form, calls != nullptr)),
      parser_(form_, starts_in_reasoning),
      calls_(std::move(calls)) {}

ReplyText ReplyReader::push(int32_t id) {
  ReplyText said = parser_.push(id);
  if (calls_ == nullptr) return said;
  ReplyText certain = calls_->push(said, form_.stands_in_calls(id) && !parser_.ended());
  if (calls_->in_calls()) parser_.end_reasoning();
  return certain;
}

ReplyText ReplyReader::flush() {
  ReplyText said = parser_.flush();
  if (calls_ == nullptr) return said;
  ReplyText certain = calls_->push(said, false);
  append(calls_->flush(), certain);
  return certain;
}

}  // namespace kvasir::text
