#include "calibration/calibration_file.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <set>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/little_endian.h"
#include "base/replace_file.h"
#include "base/text_file.h"
#include "numeric/f16.h"

namespace kvasir::calibration {
namespace {

constexpr std::string_view kMagic = "KVASIRKC";
constexpr uint32_t kVersion = 1;
constexpr size_t kHeaderBytes = 88;
constexpr size_t kFileBytesMax = size_t{1} << 30;  // what read_whole_file reads
constexpr size_t kDigestBytes = sizeof(Digest256);
constexpr int64_t kCountMax = 65536;  // layers, vectors of a row, numbers of a vector
constexpr int64_t kChannelsMax = int64_t{1} << 24;
constexpr uint32_t kKindCount = 4;

int64_t axis_numbers(const RowFacts& facts) {
  return facts.vectors * axis_count(facts.width) * facts.width;
}

// ---- writing ------------------------------------------------------------------------------------

class Writer {
 public:
  template <class T>
  void add(std::type_identity_t<T> value) {
    add_all(std::span<const T>(&value, 1));
  }
  template <class T>
  void add_all(std::span<const T> values) {
    const std::span<const std::byte> bytes = std::as_bytes(values);
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  template <class T>
  void add_all(const std::vector<T>& values, int64_t count) {
    KVASIR_CHECK(std::ssize(values) == count, "as many facts as the shape says");
    add_all(std::span<const T>(values));
  }
  std::vector<std::byte> finish() && {
    const Digest256 digest = Sha256().add(bytes_).finish();
    add_all(std::span<const std::byte>(digest));
    return std::move(bytes_);
  }

 private:
  std::vector<std::byte> bytes_;
};

void add_facts(const RowFacts& facts, Writer& writer) {
  const int64_t channels = facts.vectors * facts.width;
  writer.add<uint32_t>(static_cast<uint32_t>(facts.layer));
  writer.add<uint32_t>(static_cast<uint32_t>(facts.kind));
  writer.add<uint32_t>(static_cast<uint32_t>(facts.vectors));
  writer.add<uint32_t>(static_cast<uint32_t>(facts.width));
  writer.add<double>(facts.variation);
  writer.add<double>(facts.square);
  writer.add_all(facts.means, channels);
  writer.add_all(facts.low, channels);
  writer.add_all(facts.high, channels);
  for (int bits = kCodebookBitsMin; bits <= kCodebookBitsMax; ++bits) {
    writer.add_all(facts.codebook(bits), int64_t{1} << bits);
  }
  writer.add_all(facts.axes, axis_numbers(facts));
}

// ---- reading ------------------------------------------------------------------------------------

class Reader {
 public:
  // Of bytes whose magic, version and digest are right.
  Reader(std::span<const std::byte> bytes, const std::string& path)
      : bytes_(bytes.first(bytes.size() - kDigestBytes)), path_(path) {}

  Result<Calibration> calibration();

 private:
  Status header(Calibration& calibration);
  Result<RowFacts> facts();
  Status shape(RowFacts& facts);
  Status rows_facts(RowFacts& facts);
  Status spans(RowFacts& facts);
  Status codebooks(RowFacts& facts);
  Status axes(RowFacts& facts);

  Error bad(size_t offset, std::string expected, std::string found) const {
    return {.kind = ErrorKind::kDamaged,
            .what = "damaged calibration",
            .where = path_,
            .offset = offset,
            .expected = std::move(expected),
            .found = std::move(found)};
  }
  size_t left() const { return bytes_.size() - offset_; }
  Status need(int64_t bytes) const {
    if (static_cast<uint64_t>(bytes) <= left()) return ok_status();
    return bad(offset_, std::to_string(bytes) + " bytes more", std::to_string(left()));
  }

  template <class T>
  Result<T> number() {
    KVASIR_RETURN_IF_ERROR(need(sizeof(T)));
    const T value = load_little_endian<T>(bytes_.data() + offset_);
    offset_ += sizeof(T);
    return value;
  }
  Status count(const char* what, int64_t min, int64_t max, int64_t& value) {
    KVASIR_ASSIGN_OR_RETURN(value, number<uint32_t>());
    if (value >= min && value <= max) return ok_status();
    return bad(offset_ - sizeof(uint32_t),
               std::string(what) + " from " + std::to_string(min) + " to " + std::to_string(max),
               std::to_string(value));
  }
  Status magnitude(double& value) {
    KVASIR_ASSIGN_OR_RETURN(value, number<double>());
    if (std::isfinite(value) && value >= 0) return ok_status();
    return bad(offset_ - sizeof(double), "a finite number, not negative", std::to_string(value));
  }
  template <class T>
  Status numbers(int64_t count, std::vector<T>& values) {
    KVASIR_RETURN_IF_ERROR(need(count * static_cast<int64_t>(sizeof(T))));
    values.resize(static_cast<size_t>(count));
    std::memcpy(values.data(), bytes_.data() + offset_, values.size() * sizeof(T));
    offset_ += values.size() * sizeof(T);
    return ok_status();
  }
  Status floats(int64_t count, std::vector<float>& values) {
    KVASIR_RETURN_IF_ERROR(numbers(count, values));
    const auto found = std::find_if(values.begin(), values.end(),
                                    [](float value) { return !std::isfinite(value); });
    if (found == values.end()) return ok_status();
    return bad(place_of(found - values.begin(), values), "finite numbers", std::to_string(*found));
  }
  // Where an element lies of what was read last.
  template <class T>
  size_t place_of(int64_t index, const std::vector<T>& values) const {
    return offset_ - (values.size() - static_cast<size_t>(index)) * sizeof(T);
  }

  std::span<const std::byte> bytes_;
  size_t offset_ = kMagic.size() + sizeof kVersion;
  const std::string& path_;
  std::set<std::pair<int64_t, RowKind>> seen_;
};

Status Reader::shape(RowFacts& facts) {
  const size_t begin = offset_;
  int64_t kind = 0;
  KVASIR_RETURN_IF_ERROR(count("a layer", 0, kCountMax - 1, facts.layer));
  KVASIR_RETURN_IF_ERROR(count("a kind of rows", 0, kKindCount - 1, kind));
  facts.kind = static_cast<RowKind>(kind);
  if (!seen_.emplace(facts.layer, facts.kind).second) {
    return bad(
        begin, "each layer and kind once",
        "layer " + std::to_string(facts.layer) + ", kind " + std::to_string(kind) + " again");
  }
  KVASIR_RETURN_IF_ERROR(count("vectors of a row", 1, kCountMax, facts.vectors));
  KVASIR_RETURN_IF_ERROR(count("numbers of a vector", 1, kCountMax, facts.width));
  const int64_t channels = facts.vectors * facts.width;
  if (channels <= kChannelsMax) return ok_status();
  return bad(offset_ - 2 * sizeof(uint32_t),
             "at most " + std::to_string(kChannelsMax) + " numbers of a row",
             std::to_string(channels));
}

Status Reader::rows_facts(RowFacts& facts) {
  KVASIR_RETURN_IF_ERROR(magnitude(facts.variation));
  KVASIR_RETURN_IF_ERROR(magnitude(facts.square));
  KVASIR_RETURN_IF_ERROR(floats(facts.vectors * facts.width, facts.means));
  KVASIR_RETURN_IF_ERROR(spans(facts));
  KVASIR_RETURN_IF_ERROR(codebooks(facts));
  return axes(facts);
}

Status Reader::spans(RowFacts& facts) {
  KVASIR_RETURN_IF_ERROR(floats(facts.vectors * facts.width, facts.low));
  KVASIR_RETURN_IF_ERROR(floats(facts.vectors * facts.width, facts.high));
  for (size_t i = 0; i < facts.low.size(); ++i) {
    if (facts.low[i] <= facts.high[i]) continue;
    return bad(place_of(static_cast<int64_t>(i), facts.high),
               "at least " + std::to_string(facts.low[i]), std::to_string(facts.high[i]));
  }
  return ok_status();
}

Status Reader::codebooks(RowFacts& facts) {
  for (int bits = kCodebookBitsMin; bits <= kCodebookBitsMax; ++bits) {
    std::vector<float>& codebook = facts.codebooks[static_cast<size_t>(bits - kCodebookBitsMin)];
    KVASIR_RETURN_IF_ERROR(floats(int64_t{1} << bits, codebook));
    const auto end = std::is_sorted_until(codebook.begin(), codebook.end());
    if (end == codebook.end()) continue;
    return bad(place_of(end - codebook.begin(), codebook), "a codebook that ascends",
               std::to_string(*end) + " after " + std::to_string(end[-1]));
  }
  return ok_status();
}

Status Reader::axes(RowFacts& facts) {
  KVASIR_RETURN_IF_ERROR(numbers(axis_numbers(facts), facts.axes));
  const auto found = std::find_if(facts.axes.begin(), facts.axes.end(),
                                  [](uint16_t bits) { return !std::isfinite(f16_decode(bits)); });
  if (found == facts.axes.end()) return ok_status();
  return bad(place_of(found - facts.axes.begin(), facts.axes), "finite numbers",
             std::to_string(f16_decode(*found)));
}

Result<RowFacts> Reader::facts() {
  RowFacts facts;
  KVASIR_RETURN_IF_ERROR(shape(facts));
  KVASIR_RETURN_IF_ERROR(rows_facts(facts));
  return facts;
}

Status Reader::header(Calibration& calibration) {
  KVASIR_ASSIGN_OR_RETURN(calibration.model, number<Digest256>());
  KVASIR_ASSIGN_OR_RETURN(calibration.text, number<Digest256>());
  KVASIR_ASSIGN_OR_RETURN(calibration.token_count, number<int64_t>());
  if (calibration.token_count >= 0) return ok_status();
  return bad(offset_ - sizeof(int64_t), "a number of tokens",
             std::to_string(calibration.token_count));
}

Result<Calibration> Reader::calibration() {
  Calibration calibration;
  KVASIR_RETURN_IF_ERROR(header(calibration));
  KVASIR_ASSIGN_OR_RETURN(const uint32_t entry_count, number<uint32_t>());
  for (uint32_t i = 0; i < entry_count; ++i) {
    KVASIR_ASSIGN_OR_RETURN(RowFacts one, facts());
    calibration.rows.push_back(std::move(one));
  }
  if (left() == 0) return calibration;
  return bad(offset_, "the end of " + std::to_string(entry_count) + " entries",
             std::to_string(left()) + " bytes more");
}

Error too_large(const std::string& path, size_t bytes) {
  return {.kind = ErrorKind::kUnsupported,
          .what = "the calibration is too large",
          .where = path,
          .expected = "at most " + std::to_string(kFileBytesMax) + " bytes",
          .found = std::to_string(bytes)};
}

Error not_whole(const std::string& path, size_t offset, std::string expected, std::string found) {
  return {.kind = ErrorKind::kDamaged,
          .what = "not a whole calibration",
          .where = path,
          .offset = offset,
          .expected = std::move(expected),
          .found = std::move(found),
          .remedy = "make it again; it may have been cut short on the way"};
}

// The version comes before the digest: only a Kvasir that knows a version knows where its digest
// is.
Status check_frame(std::span<const std::byte> bytes, const std::string& path) {
  if (bytes.size() > kFileBytesMax) return too_large(path, bytes.size());
  if (bytes.size() < kMagic.size() ||
      std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "not a calibration",
                 .where = path,
                 .offset = 0,
                 .expected = std::string(kMagic),
                 .found = "other bytes"};
  }
  if (bytes.size() < kHeaderBytes + kDigestBytes) {
    return not_whole(path, bytes.size(),
                     std::to_string(kHeaderBytes + kDigestBytes) + " bytes at least",
                     std::to_string(bytes.size()));
  }
  const auto version = load_little_endian<uint32_t>(bytes.data() + kMagic.size());
  if (version > kVersion) {
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "the calibration was made by a newer Kvasir",
                 .where = path,
                 .offset = kMagic.size(),
                 .expected = "version " + std::to_string(kVersion),
                 .found = "version " + std::to_string(version)};
  }
  if (version < kVersion) {
    return not_whole(path, kMagic.size(), "version " + std::to_string(kVersion), "version 0");
  }
  const size_t digest_offset = bytes.size() - kDigestBytes;
  const Digest256 digest = Sha256().add(bytes.first(digest_offset)).finish();
  if (std::equal(digest.begin(), digest.end(), bytes.begin() + digest_offset)) return ok_status();
  return not_whole(path, digest_offset, "SHA-256 " + to_hex(digest),
                   to_hex(bytes.subspan(digest_offset)));
}

}  // namespace

std::vector<std::byte> to_bytes(const Calibration& calibration) {
  Writer writer;
  writer.add_all(std::span<const char>(kMagic));
  writer.add<uint32_t>(kVersion);
  writer.add_all(std::span<const std::byte>(calibration.model));
  writer.add_all(std::span<const std::byte>(calibration.text));
  writer.add<int64_t>(calibration.token_count);
  writer.add<uint32_t>(static_cast<uint32_t>(calibration.rows.size()));
  for (const RowFacts& facts : calibration.rows) add_facts(facts, writer);
  return std::move(writer).finish();
}

Status write_calibration(const Calibration& calibration, const std::string& path) {
  const std::vector<std::byte> bytes = to_bytes(calibration);
  if (bytes.size() > kFileBytesMax) return too_large(path, bytes.size());
  return replace_file(path, bytes);
}

Result<Calibration> parse_calibration(std::span<const std::byte> bytes, const std::string& path) {
  KVASIR_RETURN_IF_ERROR(check_frame(bytes, path));
  return Reader(bytes, path).calibration();
}

Result<Calibration> load_calibration(const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(const std::string text, read_whole_file(path));
  return parse_calibration(std::as_bytes(std::span(text)), path);
}

}  // namespace kvasir::calibration
