#include "store/segment_writer.h"

#include <algorithm>
#include <utility>

#include "base/system_error.h"
#include "store/file_io.h"

namespace kvasir::store {

Result<SegmentWriter> SegmentWriter::create(FileSystem& files, const std::string& path,
                                            uint64_t number) {
  KVASIR_ASSIGN_OR_RETURN(std::unique_ptr<File> file,
                          open_file(files, path, OpenMode::kCreate, "cannot create a segment"));
  return SegmentWriter(path, number, std::move(file));
}

Result<SegmentWriter> SegmentWriter::resume(FileSystem& files, const std::string& path,
                                            uint64_t number, SegmentContents contents) {
  KVASIR_ASSIGN_OR_RETURN(std::unique_ptr<File> file,
                          open_file(files, path, OpenMode::kReadWrite, "cannot open a segment"));
  const IoResult cut = file->truncate(contents.records_end_bytes);
  if (!cut.ok()) return system_error("cannot shorten a segment", path, cut.error);
  SegmentWriter writer(path, number, std::move(file));
  writer.records_ = std::move(contents.records);
  writer.end_bytes_ = contents.records_end_bytes;
  return writer;
}

Result<int64_t> SegmentWriter::append(const RecordInfo& info, std::span<const int32_t> tokens,
                                      std::span<const std::byte> payload) {
  if (Status status = write_record(info, tokens, payload); !status.ok()) {
    cut_off_tail();
    return std::move(status).error();
  }
  const int64_t offset_bytes = end_bytes_;
  records_.push_back({info, offset_bytes});
  end_bytes_ += info.record_bytes();
  count_unsynced(info.record_bytes());
  return offset_bytes;
}

Status SegmentWriter::write_record(const RecordInfo& info, std::span<const int32_t> tokens,
                                   std::span<const std::byte> payload) {
  const Page header = encode_header(
      {.info = info,
       .segment_number = number_,
       .offset_bytes = end_bytes_,
       .tokens = {tokens.begin(), tokens.end()},
       .checks = info.id.kind == Kind::kBlock ? checks_of_pieces(payload) : PieceChecks{}});
  // The header goes last, so that a process that dies in between leaves no header without payload.
  const int64_t payload_begin = end_bytes_ + kPageBytes;
  KVASIR_RETURN_IF_ERROR(write_all(*file_, path_, payload_begin, payload));
  const std::vector<std::byte> padding(
      static_cast<size_t>(padded_to_pages(info.payload_bytes) - info.payload_bytes));
  KVASIR_RETURN_IF_ERROR(write_all(*file_, path_, payload_begin + info.payload_bytes, padding));
  return write_all(*file_, path_, end_bytes_, header);
}

int64_t SegmentWriter::size_on_disk() {
  const IoResult size = file_->size();
  return size.ok() ? std::max(size.count, end_bytes_) : end_bytes_;
}

void SegmentWriter::cut_off_tail() {
  if (!file_->truncate(end_bytes_).ok()) is_broken_ = true;
}

Status SegmentWriter::write_footer() {
  const std::vector<std::byte> footer = encode_footer(number_, end_bytes_, records_);
  if (Status status = write_all(*file_, path_, end_bytes_, footer); !status.ok()) {
    cut_off_tail();
    return status;
  }
  end_bytes_ += std::ssize(footer);
  count_unsynced(std::ssize(footer));
  return ok_status();
}

void SegmentWriter::count_unsynced(int64_t bytes) {
  if (unsynced_bytes_ == 0) since_sync_ = {};
  unsynced_bytes_ += bytes;
}

Status SegmentWriter::sync() {
  if (unsynced_bytes_ == 0) return ok_status();
  const IoResult synced = file_->sync();
  // The system may now call the lost pages clean: a second sync would lie.
  if (!synced.ok()) {
    is_broken_ = true;
    return system_error("cannot sync a segment", path_, synced.error);
  }
  unsynced_bytes_ = 0;
  return ok_status();
}

}  // namespace kvasir::store
