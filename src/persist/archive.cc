#include "persist/archive.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "base/system_error.h"
#include "kv/layout.h"
#include "persist/prefix_chain.h"
#include "store/file_io.h"
#include "store/hold.h"
#include "store/segment_check.h"
#include "store/segment_writer.h"

namespace kvasir::persist {
namespace {

using store::Kind;
using store::RecordInfo;

constexpr uint64_t kArchiveNumber = 0;

Error missing(int64_t token_begin) {
  return Error{.kind = ErrorKind::kDamaged,
               .what = "the conversation is not whole",
               .expected = "a block at token " + std::to_string(token_begin),
               .found = "none, or a damaged one"};
}

// A record that could not be read now may be whole.
Error unreadable(const RecordInfo& info, const Error& error) {
  return store::is_lost(error) ? missing(info.token_begin) : error;
}

// ---- lengths ----
//
// The lengths of blocks and states follow from the layout, which the root key hashes and an archive
// does not carry. So the lengths under one root must agree with each other, and with those that the
// store has under that root.

struct ChainFault {
  size_t record = 0;
  std::string expected;
  std::string found;
};

std::string bytes_text(int64_t bytes) { return std::to_string(bytes) + " bytes"; }

// Records of one kind are equally long under one root. First blocks are a kind of their own: they
// may have rows besides that are kept whole.
enum LengthKind : size_t { kFirstBlock, kLaterBlock, kAnyState, kLengthKinds };

LengthKind length_kind(const RecordInfo& info) {
  if (info.id.kind == Kind::kState) return kAnyState;
  return info.token_end() <= kv::kBlockTokens ? kFirstBlock : kLaterBlock;
}

// The first record that has another length, or another model, than the first one of its kind.
std::optional<ChainFault> fault_of_lengths(std::span<const RecordInfo> chain) {
  std::array<std::optional<int64_t>, kLengthKinds> lengths;
  for (size_t i = 0; i < chain.size(); ++i) {
    const RecordInfo& info = chain[i];
    if (info.model != chain[0].model) return ChainFault{i, "records of one model", "two"};
    std::optional<int64_t>& length = lengths[length_kind(info)];
    if (!length) length = info.payload_bytes;
    const std::optional<int64_t>& first_block = lengths[kFirstBlock];
    const bool is_longer = length_kind(info) == kLaterBlock && first_block < length;
    if (*length != info.payload_bytes || is_longer) {
      return ChainFault{i, bytes_text(is_longer ? *first_block : *length),
                        bytes_text(info.payload_bytes)};
    }
  }
  return std::nullopt;
}

// KnownLengths are the lengths that a store has under one root, by kind, ascending.
using KnownLengths = std::array<std::set<int64_t>, kLengthKinds>;

KnownLengths lengths_under(const store::Key& root, std::vector<store::IndexEntry> entries) {
  // Sorts every block before the records that hang on it, the state at its end included.
  const auto end_of = [](const store::IndexEntry& entry) {
    return std::make_pair(entry.info.token_end(), entry.info.id.kind == Kind::kState);
  };
  std::sort(entries.begin(), entries.end(),
            [&](const auto& a, const auto& b) { return end_of(a) < end_of(b); });
  std::unordered_set<store::Key, store::KeyHash> keys{root};
  KnownLengths lengths;
  for (const store::IndexEntry& entry : entries) {
    if (!keys.contains(entry.info.parent)) continue;
    const bool is_state = entry.info.id.kind == Kind::kState;
    lengths[length_kind(entry.info)].insert(entry.info.payload_bytes);
    if (!is_state) keys.insert(entry.info.id.key);
  }
  return lengths;
}

// ---- a chain ----

// Lists the blocks from the first on, each followed by its state where it has one.
Result<std::vector<RecordInfo>> chain_of(const store::BlockStore& store,
                                         const store::Key& last_block) {
  std::vector<RecordInfo> chain;
  std::optional<RecordInfo> block = store.find({Kind::kBlock, last_block});
  if (!block) return missing(0);
  while (true) {
    if (const auto state = store.find({Kind::kState, block->id.key})) chain.push_back(*state);
    chain.push_back(*block);
    if (block->is_first_block()) break;
    const int64_t begin = block->token_begin;
    block = store.find({Kind::kBlock, block->parent});
    if (!block || block->token_end() != begin) return missing(begin - kv::kBlockTokens);
  }
  std::reverse(chain.begin(), chain.end());
  return chain;
}

using Payload = AlignedBuffer<std::byte>;

// Allocates room for the largest payload of a chain.
Result<Payload> payload_memory(int64_t bytes) {
  Payload payload(bytes, Fill::kNothing);
  if (payload.failed()) {
    return Error{.kind = ErrorKind::kNoMemory,
                 .what = "not enough memory for a record of the conversation",
                 .expected = std::to_string(bytes) + " bytes"};
  }
  return payload;
}

std::span<std::byte> first_bytes(Payload& payload, const RecordInfo& info) {
  KVASIR_CHECK(info.payload_bytes <= payload.size(), "room for the payload");
  return {payload.data(), static_cast<size_t>(info.payload_bytes)};
}

void count(ImportReport& report, const RecordInfo& info, bool is_new) {
  ++report.records;
  report.new_records += is_new;
  report.bytes += info.record_bytes();
  report.token_end = std::max(report.token_end, info.token_end());
  if (info.id.kind == Kind::kBlock) report.key = to_hex(info.id.key);
}

Result<ImportReport> write_archive(store::BlockStore& store, const std::vector<RecordInfo>& chain,
                                   store::SegmentWriter& writer) {
  ImportReport report;
  int64_t bytes_max = 0;
  for (const RecordInfo& info : chain) bytes_max = std::max(bytes_max, info.payload_bytes);
  KVASIR_ASSIGN_OR_RETURN(Payload memory, payload_memory(bytes_max));
  for (const RecordInfo& info : chain) {
    const Result<std::vector<int32_t>> tokens = store.read_tokens(info.id);
    if (!tokens) return unreadable(info, tokens.error());
    const std::span<std::byte> payload = first_bytes(memory, info);
    const Status read = store.read(info.id, payload);
    if (!read.ok()) return unreadable(info, read.error());
    KVASIR_ASSIGN_OR_RETURN(const int64_t offset_bytes, writer.append(info, *tokens, payload));
    (void)offset_bytes;
    count(report, info, true);
  }
  KVASIR_RETURN_IF_ERROR(writer.write_footer());
  KVASIR_RETURN_IF_ERROR(writer.sync());
  return report;
}

}  // namespace

Result<ImportReport> export_chain(store::BlockStore& store, const store::Key& last_block,
                                  store::FileSystem& files, const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(const std::vector<RecordInfo> chain, chain_of(store, last_block));
  // A chain that another store would refuse is not exported.
  if (const std::optional<ChainFault> fault = fault_of_lengths(chain)) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "the conversation is damaged",
                 .where = "token " + std::to_string(chain[fault->record].token_begin),
                 .expected = fault->expected,
                 .found = fault->found,
                 .remedy = "a run with the model replaces what is wrong"};
  }
  KVASIR_ASSIGN_OR_RETURN(store::SegmentWriter writer,
                          store::SegmentWriter::create(files, path, kArchiveNumber));
  Result<ImportReport> report = write_archive(store, chain, writer);
  if (!report) files.remove(path);
  return report;
}

namespace {

class Archive {
 public:
  static Result<Archive> open(store::FileSystem& files, const std::string& path);
  // Error: a record is not as long as those that the store has of the same cache.
  Status check_against(const store::BlockStore& store) const;
  Result<ImportReport> put_into(store::BlockStore& store);

 private:
  explicit Archive(std::string path) : path_(std::move(path)) {}
  Status check_chain();
  Status check_lengths() const;
  Error bad(const store::PlacedRecord& record, const std::string& expected,
            const std::string& found = "") const {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "not a conversation",
                 .where = path_,
                 .offset = static_cast<uint64_t>(record.offset_bytes),
                 .expected = expected,
                 .found = found};
  }

  std::string path_;
  std::unique_ptr<store::File> file_;
  std::vector<store::PlacedRecord> records_;
  std::vector<std::vector<int32_t>> tokens_;  // of each record
};

Result<Archive> Archive::open(store::FileSystem& files, const std::string& path) {
  const store::FileFacts facts = files.look(path);
  if (facts.ok() && facts.kind != store::FileKind::kFile) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "an exported conversation is a file",
                 .where = path,
                 .found = "a directory, a link, a pipe or a device"};
  }
  Archive archive(path);
  KVASIR_ASSIGN_OR_RETURN(const std::vector<store::RecordDamage> damages,
                          store::check_segment(files, path, kArchiveNumber, {}));
  if (!damages.empty()) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "damaged file",
                 .where = path,
                 .offset = static_cast<uint64_t>(damages[0].offset_bytes),
                 .expected = damages[0].expected,
                 .found = damages[0].found,
                 .remedy = "fetch it again; nothing was taken from it"};
  }
  KVASIR_ASSIGN_OR_RETURN(store::SegmentContents contents,
                          store::load_segment(files, path, kArchiveNumber));
  if (!contents.has_footer || contents.records.empty()) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "not a whole exported conversation",
                 .where = path,
                 .expected = "records and a footer",
                 .remedy = "it may have been cut short on the way"};
  }
  archive.records_ = std::move(contents.records);
  store::Opened<store::File> opened = files.open(path, store::OpenMode::kRead);
  if (!opened.object) return system_error("cannot open", path, opened.error);
  archive.file_ = std::move(opened.object);
  KVASIR_RETURN_IF_ERROR(archive.check_chain());
  KVASIR_RETURN_IF_ERROR(archive.check_lengths());
  return archive;
}

Status Archive::check_chain() {
  std::optional<RecordInfo> last;
  for (const store::PlacedRecord& record : records_) {
    KVASIR_ASSIGN_OR_RETURN(const std::optional<store::RecordHeader> header,
                            store::read_header(*file_, path_, kArchiveNumber, record.offset_bytes));
    if (!header || header->info != record.info) return bad(record, "a header as the footer says");
    const RecordInfo& info = record.info;
    if (info.id.kind == Kind::kState) {
      if (!last || info.id.key != last->id.key || info.parent != last->id.key ||
          info.token_begin != last->token_end()) {
        return bad(record, "a state behind its block");
      }
    } else {
      const bool follows =
          last ? info.parent == last->id.key && info.token_begin == last->token_end()
               : info.is_first_block();
      if (!follows || info.token_count != kv::kBlockTokens) {
        return bad(record, "the block that follows");
      }
      if (block_key(info.parent, header->tokens) != info.id.key) {
        return bad(record, "the key of its parent and tokens");
      }
      last = info;
    }
    tokens_.push_back(header->tokens);
  }
  return ok_status();
}

Status Archive::check_lengths() const {
  std::vector<RecordInfo> chain;
  chain.reserve(records_.size());
  for (const store::PlacedRecord& record : records_) chain.push_back(record.info);
  const std::optional<ChainFault> fault = fault_of_lengths(chain);
  if (!fault) return ok_status();
  return bad(records_[fault->record], fault->expected, fault->found);
}

Status Archive::check_against(const store::BlockStore& store) const {
  const KnownLengths known = lengths_under(records_.front().info.parent, store.entries());
  for (const store::PlacedRecord& record : records_) {
    const RecordInfo& info = record.info;
    const std::set<int64_t>& lengths = known[length_kind(info)];
    if (lengths.empty() || lengths.contains(info.payload_bytes)) continue;
    Error error = bad(record, bytes_text(*lengths.begin()), bytes_text(info.payload_bytes));
    error.remedy = "one of both is damaged: a run with the model replaces what is wrong here";
    return error;
  }
  return ok_status();
}

Result<ImportReport> Archive::put_into(store::BlockStore& store) {
  ImportReport report;
  int64_t bytes_max = 0;
  for (const auto& record : records_) bytes_max = std::max(bytes_max, record.info.payload_bytes);
  KVASIR_ASSIGN_OR_RETURN(Payload memory, payload_memory(bytes_max));
  // A record that was just taken in must not be evicted for the next one.
  std::vector<store::Hold> holds;
  holds.reserve(records_.size());
  for (size_t i = 0; i < records_.size(); ++i) {
    const RecordInfo& info = records_[i].info;
    const std::span<std::byte> payload = first_bytes(memory, info);
    KVASIR_RETURN_IF_ERROR(
        store::read_all(*file_, path_, records_[i].offset_bytes + store::kPageBytes, payload));
    // The file may have changed since it was checked.
    if (xxh3_128(payload) != info.payload_digest) return bad(records_[i], "the bytes it had");
    KVASIR_ASSIGN_OR_RETURN(const store::PutOutcome outcome,
                            store.put({.id = info.id,
                                       .parent = info.parent,
                                       .model = info.model,
                                       .token_begin = info.token_begin,
                                       .tokens = tokens_[i]},
                                      payload));
    if (outcome == store::PutOutcome::kNoRoom) {
      return Error{.kind = ErrorKind::kNoRoom,
                   .what = "the store has no room",
                   .field = "budget_bytes",
                   .where = path_,
                   .remedy = "give it more, or unpin something"};
    }
    holds.emplace_back(store, info.id.key);
    count(report, info, outcome == store::PutOutcome::kWritten);
  }
  return report;
}

}  // namespace

Result<ImportReport> import_archive(store::BlockStore& store, store::FileSystem& files,
                                    const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(Archive archive, Archive::open(files, path));
  KVASIR_RETURN_IF_ERROR(archive.check_against(store));
  KVASIR_ASSIGN_OR_RETURN(const ImportReport report, archive.put_into(store));
  KVASIR_RETURN_IF_ERROR(store.sync());
  return report;
}

}  // namespace kvasir::persist
