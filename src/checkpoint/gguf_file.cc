#include "checkpoint/gguf_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "base/system_error.h"

namespace kvasir {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kPartsMax = 10'000;
constexpr std::string_view kEnding = ".gguf";

int64_t number_of(const GgufHead& head, std::string_view key, int64_t absent) {
  const Json* value = head.find(key);
  const int64_t* number = value == nullptr ? nullptr : value->as_integer();
  return number == nullptr ? absent : *number;
}

std::string text_of(const GgufHead& head, std::string_view key) {
  const Json* value = head.find(key);
  const std::string* text = value == nullptr ? nullptr : value->as_string();
  return text == nullptr ? "" : *text;
}

// "NAME-00002-of-00003.gguf": what stands before the numbers. Null: not such a name.
std::optional<std::string> stem_of_part(std::string name) {
  if (!name.ends_with(kEnding)) return std::nullopt;
  name.resize(name.size() - kEnding.size());
  const auto drop_number = [&] {
    const size_t digits = name.size() - (name.find_last_not_of("0123456789") + 1);
    name.resize(name.size() - digits);
    return digits > 0;
  };
  const auto drop = [&](std::string_view ending) {
    const bool is_there = name.ends_with(ending);
    if (is_there) name.resize(name.size() - ending.size());
    return is_there;
  };
  if (drop_number() && drop("-of-") && drop_number() && drop("-")) return name;
  return std::nullopt;
}

std::string part_name(std::string_view stem, int64_t number, int64_t count) {
  return fmt::format("{}-{:05}-of-{:05}{}", stem, number + 1, count, kEnding);
}

// Names that parts of it would have and no file has.
std::vector<std::string> missing_names(const fs::path& given, std::string_view stem, int64_t number,
                                       int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) {
    const std::string name = part_name(stem, i, count);
    if (!path_exists(given.parent_path() / name)) names.push_back(name);
  }
  // A part that was renamed is missing under its own name only.
  if (!path_exists(given.parent_path() / part_name(stem, number, count))) {
    std::erase(names, part_name(stem, number, count));
  }
  return names;
}

struct Part {
  std::unique_ptr<MappedFile> file;
  GgufHead head;
  int64_t number = 0;  // from 0
  int64_t count = 1;

  const std::string& path() const { return file->path(); }
};

bool ends_early(const GgufHead& head, uint64_t file_bytes) {
  uint64_t bytes = 0;
  for (const GgufTensor& tensor : head.tensors()) {
    if (__builtin_add_overflow(bytes, static_cast<uint64_t>(tensor.size_bytes.value_or(0)),
                               &bytes)) {
      return true;
    }
  }
  return bytes > file_bytes;
}

Result<Part> read_part(const std::string& path) {
  Part part;
  KVASIR_ASSIGN_OR_RETURN(part.file, MappedFile::open(path));
  KVASIR_ASSIGN_OR_RETURN(part.head, GgufHead::parse(part.file->bytes(), path));
  part.number = number_of(part.head, "split.no", 0);
  part.count = std::max<int64_t>(number_of(part.head, "split.count", 1), 1);
  if (part.count <= kPartsMax && part.number >= 0 && part.number < part.count) return part;
  return Error{.kind = ErrorKind::kDamaged,
               .what = "absurd part of a split file",
               .where = path,
               .expected = fmt::format("one of at most {}", kPartsMax),
               .found = fmt::format("number {} of {}", part.number, part.count)};
}

using Parts = std::map<int64_t, Part>;

Status add_part(Part part, int64_t count, Parts& parts) {
  const auto known = parts.find(part.number);
  if (part.count == count && known == parts.end()) {
    const int64_t number = part.number;
    parts.emplace(number, std::move(part));
    return ok_status();
  }
  const std::string found = fmt::format("number {} of {}", part.number + 1, part.count);
  return Error{.kind = ErrorKind::kDamaged,
               .what = "files of different splits lie under the names of one",
               .where = part.path(),
               .expected = known == parts.end() ? fmt::format("one of {} parts", count)
                                                : "another part than " + known->second.path(),
               .found = found};
}

// The parts beside the one that was given, whatever their names say of their order.
Status add_siblings(const Part& given, const std::string& stem, Parts& parts) {
  const fs::path directory = fs::path(given.path()).parent_path();
  const std::string own_name = fs::path(given.path()).filename();
  for (int64_t number = 0; number < given.count; ++number) {
    const std::string name = part_name(stem, number, given.count);
    const std::string path = directory / name;
    if (name == own_name || !path_exists(path)) continue;
    KVASIR_ASSIGN_OR_RETURN(Part part, read_part(path));
    KVASIR_RETURN_IF_ERROR(add_part(std::move(part), given.count, parts));
  }
  return ok_status();
}

Error first_is_missing(const Part& given, const std::string& first_name) {
  return Error{
      .kind = ErrorKind::kNotFound,
      .what = fmt::format("part {} of {} of a model, and the first, which says what it is, "
                          "is not there",
                          given.number + 1, given.count),
      .where = given.path(),
      .expected = first_name + " beside it"};
}

GgufFile file_of(Parts parts) {
  GgufFile file;
  for (auto& [number, part] : parts) {
    if (ends_early(part.head, part.file->bytes().size())) file.cut_short.push_back(part.path());
    file.parts.push_back({std::move(part.file), std::move(part.head)});
  }
  return file;
}

// What lies beside a model and is none.
bool is_companion(const GgufHead& head) {
  const std::string type = text_of(head, "general.type");
  return (!type.empty() && type != "model") || text_of(head, "general.architecture") == "clip";
}

bool is_gguf_name(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name.ends_with(kEnding) && name.size() > kEnding.size();
}

// One path for each model, by the name that its parts share.
Result<std::map<std::string, std::string>> models_in(const std::string& directory) {
  std::map<std::string, std::string> models;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename();
    if (!is_gguf_name(name)) continue;
    const auto stem = stem_of_part(name);
    models.emplace(stem ? *stem + name.substr(name.rfind("-of-")) : name, entry.path());
  }
  if (error) return system_error("cannot read the directory", directory, error.value());
  return models;
}

void drop_companions(std::map<std::string, std::string>& models) {
  std::map<std::string, std::string> kept;
  for (const auto& [name, path] : models) {
    const auto file = MappedFile::open(path);
    if (!file.ok()) continue;
    const auto head = GgufHead::parse((*file)->bytes(), path);
    if (!head.ok() || !is_companion(*head)) kept.emplace(name, path);
  }
  if (!kept.empty()) models = std::move(kept);
}

}  // namespace

GgufHead GgufFile::take_joined_head() {
  GgufHead head = std::move(parts.front().head);
  for (size_t i = 1; i < parts.size(); ++i) head.add_tensors(parts[i].head);
  return head;
}

Result<GgufFile> read_gguf_file(const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(Part given, read_part(path));
  const int64_t number = given.number;
  const int64_t count = given.count;
  const std::string stem = stem_of_part(fs::path(path).filename()).value_or("NAME");
  Parts parts;
  if (count > 1) KVASIR_RETURN_IF_ERROR(add_siblings(given, stem, parts));
  if (number != 0 && parts.count(0) == 0) {
    return first_is_missing(given, part_name(stem, 0, count));
  }
  KVASIR_RETURN_IF_ERROR(add_part(std::move(given), count, parts));
  const bool is_whole = std::ssize(parts) == count;
  GgufFile file = file_of(std::move(parts));
  if (!is_whole) file.missing = missing_names(path, stem, number, count);
  return file;
}

Result<std::string> find_gguf_in(const std::string& directory) {
  KVASIR_ASSIGN_OR_RETURN(auto models, models_in(directory));
  if (models.size() > 1) drop_companions(models);
  if (models.size() == 1) return models.begin()->second;
  std::string names;
  for (const auto& [name, path] : models) {
    names += (names.empty() ? "" : ", ") + std::string(fs::path(path).filename());
  }
  return Error{.kind = models.empty() ? ErrorKind::kNotFound : ErrorKind::kUsage,
               .what = models.empty() ? "no GGUF file" : "several models in one directory",
               .where = directory,
               .expected = models.empty() ? "" : "the path of one of them",
               .found = names};
}

}  // namespace kvasir
