#include "cli/eval_common.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "base/text_file.h"

namespace kvasir::cli {
namespace {

// What the names of a split file's parts have in common: they end in "-00001-of-00003.gguf".
std::string common_beginning(const std::string& name) {
  constexpr size_t kDigits = 5;
  const size_t of = name.rfind("-of-");
  return of == std::string::npos || of < kDigits ? name : name.substr(0, of - kDigits);
}

// The files that a model may be made of: those of a directory, or one and the parts beside it.
std::vector<std::filesystem::directory_entry> model_files(const std::filesystem::path& model,
                                                          std::error_code& error) {
  const bool is_file = std::filesystem::is_regular_file(model, error);
  const std::filesystem::path directory = is_file ? model.parent_path() / "." : model;
  const std::string beginning = is_file ? common_beginning(model.filename().string()) : "";
  std::vector<std::filesystem::directory_entry> entries;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    const std::string kind = it->path().extension().string();
    const bool is_of_model =
        kind == ".gguf" || (!is_file && (kind == ".json" || kind == ".safetensors"));
    const std::string name = it->path().filename().string();
    if (is_of_model && name.starts_with(beginning)) entries.push_back(*it);
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

// Which files the model is made of: sizes and times of change tell a retrained model from the old
// one.
Result<Json> model_stamp(const std::string& path) {
  Json::Object files;
  std::error_code error;
  const auto entries = model_files(path, error);
  if (error)
    return Error{.kind = ErrorKind::kIo,
                 .what = "cannot list the model",
                 .where = path,
                 .found = error.message()};
  for (const auto& entry : entries) {
    const auto changed = entry.last_write_time(error).time_since_epoch().count();
    files.emplace_back(entry.path().filename().string(), std::to_string(entry.file_size(error)) +
                                                             " bytes, " + std::to_string(changed));
  }
  return Json(std::move(files));
}

// FNV-1a: tells one text from another where nobody means harm. It stands in the logs that people
// have begun, which another hash would refuse.
uint64_t text_hash(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

}  // namespace

Result<eval::ResultLog> open_eval_log(const std::string& path, EvalSubject subject) {
  KVASIR_ASSIGN_OR_RETURN(const std::string model, model_path(subject.model));
  KVASIR_ASSIGN_OR_RETURN(Json stamp, model_stamp(model));
  Json::Object settings{{"eval", subject.evaluation},
                        {"version", KVASIR_VERSION},
                        {"model", std::move(stamp)},
                        {"instruction_set", subject.instruction_set},
                        {"texts", std::to_string(text_hash(subject.texts))},
                        {"details", std::move(subject.details)}};
  if (!subject.model.kv_data.empty()) {
    KVASIR_ASSIGN_OR_RETURN(const std::string learnt, read_whole_file(subject.model.kv_data));
    settings.emplace_back("learnt", std::to_string(text_hash(learnt)));
  }
  return eval::ResultLog::open(path, settings);
}

}  // namespace kvasir::cli
