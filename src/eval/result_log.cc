#include "eval/result_log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/system_error.h"
#include "base/text_file.h"

namespace kvasir::eval {
namespace {

constexpr std::string_view kHeadBegin = "{\"settings\":{";

Error cannot_write(const std::string& path) {
  return system_error("cannot write the log", path, errno);
}

// Whole lines only: the last one may have been cut off.
std::string_view whole_lines(std::string_view text) {
  const size_t end = text.rfind('\n');
  return end == std::string_view::npos ? std::string_view() : text.substr(0, end + 1);
}

}  // namespace

Result<ResultLog> ResultLog::open(const std::string& path, const Json& settings) {
  ResultLog log;
  log.path_ = path;
  if (path == "-")
    return Error{.kind = ErrorKind::kUsage, .what = "the log must be a file", .where = path};
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) return cannot_write(path);
  log.file_.reset(fdopen(descriptor, "r+b"));
  if (log.file_ == nullptr) {
    ::close(descriptor);
    return cannot_write(path);
  }
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    return Error{
        .kind = ErrorKind::kLocked, .what = "the log is in use by another process", .where = path};
  }
  KVASIR_ASSIGN_OR_RETURN(const std::string text, read_whole_file(path));
  KVASIR_ASSIGN_OR_RETURN(const size_t kept_bytes, log.take_results(text, settings));
  if (ftruncate(descriptor, static_cast<off_t>(kept_bytes)) != 0 ||
      std::fseek(log.file_.get(), 0, SEEK_END) != 0) {
    return cannot_write(path);
  }
  if (kept_bytes == 0) {
    KVASIR_RETURN_IF_ERROR(log.write_line(Json(Json::Object{{"settings", settings}})));
  }
  return log;
}

Result<size_t> ResultLog::take_results(std::string_view text, const Json& settings) {
  const std::string head = Json(Json::Object{{"settings", settings}}).dump() + "\n";
  std::string_view rest = whole_lines(text);
  const size_t kept_bytes = rest.size();
  // A first line without results binds nothing; a user's file is never overwritten.
  const bool has_results = std::count(rest.begin(), rest.end(), '\n') > 1;
  if (!has_results && (text.starts_with(kHeadBegin) || kHeadBegin.starts_with(text))) {
    return rest == head ? kept_bytes : size_t{0};
  }
  if (!rest.starts_with(head)) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "not a log of this evaluation",
                 .where = path_,
                 .expected = head.substr(0, head.size() - 1),
                 .remedy = "name another file, or remove this one"};
  }
  rest.remove_prefix(head.size());
  for (uint64_t offset = head.size(); !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    Result<Json> entry = Json::parse(line, path_);
    const Json* name = entry.ok() ? entry->find("name") : nullptr;
    const Json* result = entry.ok() ? entry->find("result") : nullptr;
    if (name == nullptr || name->as_string() == nullptr || result == nullptr) {
      return Error{.kind = ErrorKind::kDamaged,
                   .what = "the log is damaged",
                   .where = path_,
                   .offset = offset};
    }
    results_.insert_or_assign(*name->as_string(), *result);
    offset += line.size() + 1;
    rest.remove_prefix(line.size() + 1);
  }
  return kept_bytes;
}

const Json* ResultLog::find(const std::string& name) const {
  const auto found = results_.find(name);
  return found == results_.end() ? nullptr : &found->second;
}

Status ResultLog::add(const std::string& name, Json result) {
  if (file_ != nullptr) {
    KVASIR_RETURN_IF_ERROR(write_line(Json(Json::Object{{"name", name}, {"result", result}})));
  }
  results_.insert_or_assign(name, std::move(result));
  return ok_status();
}

Status ResultLog::write_line(const Json& line) {
  const std::string text = line.dump() + "\n";
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() ||
      std::fflush(file_.get()) != 0) {
    return cannot_write(path_);
  }
  return ok_status();
}

}  // namespace kvasir::eval
