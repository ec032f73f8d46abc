// A CallReader finds the calls of tools in a reply while it comes, and takes them out of its text.
//
// It is given what each id says, and returns what is certain: a call's name as soon as that is
// read, its arguments as they come. So the pieces do not depend on how the ids are cut into steps.
// There is one for each form in which models write calls. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat.h"

namespace kvasir::text {

// CallPieces collects what became known of calls.
class CallPieces {
 public:
  explicit CallPieces(int64_t calls_max) : calls_max_(calls_max) {}

  void begin(std::string name);          // REQUIRES: !is_open()
  void add(std::string_view arguments);  // REQUIRES: is_open()
  void end();                            // REQUIRES: is_open()

  bool is_open() const { return is_open_; }
  bool any() const { return count_ > 0; }
  // As many calls have ended as there may be.
  bool is_full() const { return calls_max_ > 0 && count_ >= calls_max_ && !is_open_; }
  std::vector<CallPiece> take();

 private:
  int64_t calls_max_;
  int64_t count_ = 0;  // begun
  bool is_open_ = false;
  std::vector<CallPiece> pieces_;
};

class CallReader {
 public:
  // 0: any number of calls.
  explicit CallReader(int64_t calls_max) : calls_(calls_max) {}
  virtual ~CallReader() = default;

  // Takes what one id says; is_marker: it is one of ReplyForm::call_markers.
  ReplyText push(const ReplyText& said, bool is_marker);
  // Returns what was held back. A call that was cut off stays as it is. REQUIRES: called once,
  // last.
  ReplyText flush();

  bool has_calls() const { return calls_.any(); }
  // Returns whether what comes belongs to calls.
  bool in_calls() const { return in_calls_; }
  // Returns whether the calls have ended, and with them what the reply has to say.
  bool is_over() const { return is_over_ || calls_.is_full(); }

 protected:
  virtual void read(const ReplyText& said, bool is_marker) = 0;
  virtual void release() = 0;

  CallPieces calls_;
  ReplyText out_;
  bool in_calls_ = false;
  bool is_over_ = false;
};

// The form's reader. Nothing: it has no calls.
std::unique_ptr<CallReader> make_call_reader(const ReplyForm& form, int64_t calls_max);

}  // namespace kvasir::text
