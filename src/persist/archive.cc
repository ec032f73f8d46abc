#include "persist/archive.h"

#include <algorithm>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/system_error.h"
#include "persist/prefix_chain.h"
#include "store/file_io.h"
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

// What only could not be read now may be whole.
Error unreadable(const RecordInfo& info, const Error& error) {
  return store::is_lost(error) ? missing(info.token_begin) : error;
}

// Blocks from the first on, each followed by its state where it has one.
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
  std::vector<std::byte> payload;
  for (const RecordInfo& info : chain) {
    const Result<std::vector<int32_t>> tokens = store.read_tokens(info.id);
    if (!tokens) return unreadable(info, tokens.error());
    payload.resize(static_cast<size_t>(info.payload_bytes));
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
  Result<ImportReport> put_into(store::BlockStore& store);

 private:
  explicit Archive(std::string path) : path_(std::move(path)) {}
  Status check_chain();
  Error bad(const store::PlacedRecord& record, const char* expected) const {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "not a conversation",
                 .where = path_,
                 .offset = static_cast<uint64_t>(record.offset_bytes),
                 .expected = expected};
  }

  std::string path_;
  std::unique_ptr<store::File> file_;
  std::vector<store::PlacedRecord> records_;
  std::vector<std::vector<int32_t>> tokens_;  // of each record
};

Result<Archive> Archive::open(store::FileSystem& files, const std::string& path) {
  Archive archive(path);
  KVASIR_ASSIGN_OR_RETURN(const std::vector<store::Damage> damages,
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
      if (!last || info.id.key != last->id.key || info.token_begin != last->token_end()) {
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

Result<ImportReport> Archive::put_into(store::BlockStore& store) {
  ImportReport report;
  // What was just taken in is not evicted for what comes after it.
  std::vector<store::Hold> holds;
  holds.reserve(records_.size());
  std::vector<std::byte> payload;
  for (size_t i = 0; i < records_.size(); ++i) {
    const RecordInfo& info = records_[i].info;
    payload.resize(static_cast<size_t>(info.payload_bytes));
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
  KVASIR_ASSIGN_OR_RETURN(const ImportReport report, archive.put_into(store));
  KVASIR_RETURN_IF_ERROR(store.sync());
  return report;
}

}  // namespace kvasir::persist
