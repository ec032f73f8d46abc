#include "checkpoint/panel_table.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "base/little_endian.h"

namespace kvasir {
namespace {

constexpr std::string_view kMagic = "KVASRPN1";
// Counts on with every change of the file's form and of what panels are (kernels/panels.h).
constexpr uint32_t kVersion = 1;
constexpr size_t kHeadBytes = 96;
constexpr size_t kHeadDigestOffset = 80;
constexpr size_t kEntryBytesMin = 72;
constexpr int64_t kNameBytesMax = 4096;
constexpr int64_t kSizeMax = int64_t{1} << 48;
constexpr int64_t kPanelAlignment = 64;
constexpr int64_t kPageBytes = 4096;

int64_t aligned(int64_t bytes, int64_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

int64_t table_bytes(const PanelTable& table) {
  size_t bytes = 0;
  for (const PanelEntry& entry : table.entries)
    bytes += kEntryBytesMin + entry.tensor.size() + entry.type.size();
  return static_cast<int64_t>(bytes);
}

// ---- writing ------------------------------------------------------------------------------------

class Writer {
 public:
  template <class T>
  void number(std::type_identity_t<T> value) {
    add(std::as_bytes(std::span<const T>(&value, 1)));
  }
  void text(std::string_view text) { add(std::as_bytes(std::span(text))); }
  void add(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

void add_entry(const PanelEntry& entry, Writer& writer) {
  writer.number<int64_t>(entry.offset_bytes);
  writer.number<int64_t>(entry.panels_bytes);
  writer.add(entry.digest);
  writer.number<int64_t>(entry.rows);
  writer.number<int64_t>(entry.cols);
  writer.number<int64_t>(entry.begin_bytes);
  writer.number<int64_t>(entry.row_step);
  writer.number<uint32_t>(static_cast<uint32_t>(entry.tensor.size()));
  writer.number<uint32_t>(static_cast<uint32_t>(entry.type.size()));
  writer.text(entry.tensor);
  writer.text(entry.type);
}

// ---- reading ------------------------------------------------------------------------------------

class Reader {
 public:
  Reader(std::span<const std::byte> file, const std::string& path) : file_(file), path_(path) {}

  Result<PanelTable> table();

 private:
  Status head();
  Status entry(PanelEntry& entry);
  Status text(int64_t bytes, std::string& out);

  Error bad(std::string what, std::string expected, std::string found) const {
    return {.kind = ErrorKind::kDamaged,
            .what = std::move(what),
            .where = path_,
            .offset = offset_,
            .expected = std::move(expected),
            .found = std::move(found)};
  }
  template <class T>
  T at(size_t offset) const {
    return load_little_endian<T>(file_.data() + offset);
  }
  // REQUIRES: it lies in the table.
  template <class T>
  T next() {
    const T value = at<T>(offset_);
    offset_ += sizeof(T);
    return value;
  }
  Digest128 digest_at(size_t offset) const {
    Digest128 digest;
    std::memcpy(digest.data(), file_.data() + offset, sizeof digest);
    return digest;
  }
  // A number of the table, from `min` to `max`.
  Status size(const char* what, int64_t min, int64_t max, int64_t& value) {
    value = next<int64_t>();
    if (value >= min && value <= max) return ok_status();
    return bad(std::string(what) + " is out of range",
               std::to_string(min) + " to " + std::to_string(max), std::to_string(value));
  }

  std::span<const std::byte> file_;
  const std::string& path_;
  size_t offset_ = 0;
  size_t table_end_ = 0;
  int64_t panels_end_ = 0;  // of what was read
};

Status Reader::head() {
  if (panel_file_kind(file_) != PanelFileKind::kOurs || at<uint32_t>(kMagic.size()) != kVersion ||
      file_.size() < kHeadBytes) {
    return bad("not a panel file of this version", "version " + std::to_string(kVersion), "");
  }
  if (xxh3_128(file_.first(kHeadDigestOffset)) != digest_at(kHeadDigestOffset))
    return bad("the head of a panel file is damaged", "its digest", "another");
  const auto file_bytes = at<uint64_t>(24);
  if (file_bytes != file_.size()) {
    return bad("a panel file of the wrong length", std::to_string(file_bytes) + " bytes",
               std::to_string(file_.size()));
  }
  const auto bytes = at<uint64_t>(16);
  if (bytes > file_.size() - kHeadBytes || at<uint32_t>(12) > bytes / kEntryBytesMin)
    return bad("a table that does not fit into its panel file", "", std::to_string(bytes));
  if (xxh3_128(file_.subspan(kHeadBytes, bytes)) != digest_at(64))
    return bad("the table of a panel file is damaged", "its digest", "another");
  offset_ = kHeadBytes;
  table_end_ = kHeadBytes + bytes;
  panels_end_ = static_cast<int64_t>(table_end_);
  return ok_status();
}

Status Reader::text(int64_t bytes, std::string& out) {
  if (bytes > kNameBytesMax || static_cast<size_t>(bytes) > table_end_ - offset_)
    return bad("a name that is too long", "", std::to_string(bytes) + " bytes");
  out.assign(reinterpret_cast<const char*>(file_.data() + offset_), static_cast<size_t>(bytes));
  offset_ += static_cast<size_t>(bytes);
  return ok_status();
}

Status Reader::entry(PanelEntry& entry) {
  if (table_end_ - offset_ < kEntryBytesMin)
    return bad("a table that ends too soon", "another entry", "");
  const auto file_bytes = static_cast<int64_t>(file_.size());
  KVASIR_RETURN_IF_ERROR(size("a place of panels", panels_end_, file_bytes, entry.offset_bytes));
  KVASIR_RETURN_IF_ERROR(
      size("a length of panels", 1, file_bytes - entry.offset_bytes, entry.panels_bytes));
  panels_end_ = entry.offset_bytes + entry.panels_bytes;
  entry.digest = digest_at(offset_);
  offset_ += sizeof entry.digest;
  KVASIR_RETURN_IF_ERROR(size("a number of rows", 1, kSizeMax, entry.rows));
  KVASIR_RETURN_IF_ERROR(size("a number of columns", 1, kSizeMax, entry.cols));
  KVASIR_RETURN_IF_ERROR(size("a place in a tensor", 0, kSizeMax, entry.begin_bytes));
  KVASIR_RETURN_IF_ERROR(size("a step of rows", 1, kSizeMax, entry.row_step));
  const auto tensor_bytes = next<uint32_t>();
  const auto type_bytes = next<uint32_t>();
  KVASIR_RETURN_IF_ERROR(text(tensor_bytes, entry.tensor));
  return text(type_bytes, entry.type);
}

Result<PanelTable> Reader::table() {
  KVASIR_RETURN_IF_ERROR(head());
  PanelTable table{.entries = std::vector<PanelEntry>(at<uint32_t>(12)),
                   .file_bytes = static_cast<int64_t>(file_.size())};
  std::memcpy(table.checkpoint.data(), file_.data() + 32, sizeof table.checkpoint);
  for (PanelEntry& one : table.entries) KVASIR_RETURN_IF_ERROR(entry(one));
  if (offset_ != table_end_) return bad("a table with a rest", "its end", "");
  return table;
}

}  // namespace

void PanelTable::lay_out() {
  int64_t offset = static_cast<int64_t>(kHeadBytes) + table_bytes(*this);
  file_bytes = offset;
  offset = aligned(offset, kPageBytes);
  for (PanelEntry& entry : entries) {
    entry.offset_bytes = offset;
    file_bytes = offset + entry.panels_bytes;
    offset = aligned(file_bytes, kPanelAlignment);
  }
}

bool PanelTable::is_same_but_digests(const PanelTable& other) const {
  const auto key = [](const PanelEntry& e) {
    return std::tie(e.tensor, e.type, e.rows, e.cols, e.begin_bytes, e.row_step, e.panels_bytes,
                    e.offset_bytes);
  };
  return checkpoint == other.checkpoint &&
         std::equal(entries.begin(), entries.end(), other.entries.begin(), other.entries.end(),
                    [&](const PanelEntry& a, const PanelEntry& b) { return key(a) == key(b); });
}

std::vector<std::byte> to_bytes(const PanelTable& table) {
  Writer entries;
  for (const PanelEntry& entry : table.entries) add_entry(entry, entries);
  Writer head;
  head.text(kMagic);
  head.number<uint32_t>(kVersion);
  head.number<uint32_t>(static_cast<uint32_t>(table.entries.size()));
  head.number<uint64_t>(entries.bytes().size());
  head.number<uint64_t>(static_cast<uint64_t>(table.file_bytes));
  head.add(table.checkpoint);
  head.add(xxh3_128(entries.bytes()));
  head.add(xxh3_128(head.bytes()));
  head.add(entries.bytes());
  return {head.bytes().begin(), head.bytes().end()};
}

PanelFileKind panel_file_kind(std::span<const std::byte> file) {
  if (file.size() < kMagic.size() + sizeof kVersion ||
      std::memcmp(file.data(), kMagic.data(), kMagic.size()) != 0) {
    return PanelFileKind::kForeign;
  }
  const auto version = load_little_endian<uint32_t>(file.data() + kMagic.size());
  return version > kVersion ? PanelFileKind::kNewer : PanelFileKind::kOurs;
}

Result<PanelTable> parse_panel_table(std::span<const std::byte> file, const std::string& path) {
  return Reader(file, path).table();
}

}  // namespace kvasir
