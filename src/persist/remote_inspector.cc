#include "persist/remote_inspector.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "base/sealing.h"
#include "kv/layout.h"
#include "persist/prefix_chain.h"
#include "store/remote/parts.h"

namespace kvasir::persist {
namespace {

using store::kPageBytes;
using store::RecordInfo;
using store::remote::kPackBlocks;
using store::remote::ListedObject;
using store::remote::ObjectKind;
using store::remote::ObjectName;
using store::remote::ObjectNames;
using store::remote::ObjectRead;
using store::remote::ReadOutcome;

constexpr std::chrono::seconds kCallTime(30);
constexpr int64_t kBytesPerS = 1'000'000;  // what is allowed for besides
constexpr size_t kReadsMax = 128;          // of one call
constexpr int64_t kBatchBytes = int64_t{4} << 20;
constexpr int64_t kRecordBytesMax =
    kPageBytes + store::kPayloadBytesMax + SealingKey::kOverheadBytes;
// A first block may have rows besides that are kept whole: at most so many times the others' bytes.
constexpr int64_t kFirstBlockShareMax = 4;

// ---- lengths ------------------------------------------------------------------------------------

enum class Form : uint8_t { kPlain, kSealed, kNone };

int64_t records_in(const ListedObject& object) {
  return object.name.kind == ObjectKind::kPack ? kPackBlocks : 1;
}

// Records are whole pages, and sealing makes each a little longer.
Form form_of(const ListedObject& object) {
  const int64_t count = records_in(object);
  if (object.bytes > count * kRecordBytesMax) return Form::kNone;
  const int64_t sealed_bytes = object.bytes - count * SealingKey::kOverheadBytes;
  if (object.bytes >= count * kPageBytes && object.bytes % kPageBytes == 0) return Form::kPlain;
  if (sealed_bytes >= count * kPageBytes && sealed_bytes % kPageBytes == 0) return Form::kSealed;
  return Form::kNone;
}

int64_t bytes_to_read(const ListedObject& object, RemoteInspector::Depth depth) {
  const bool is_head_enough =
      depth != RemoteInspector::Depth::kBytes && form_of(object) == Form::kPlain;
  return is_head_enough ? kPageBytes : object.bytes;
}

std::string bytes_text(int64_t bytes) { return std::to_string(bytes) + " bytes"; }

// ---- records ------------------------------------------------------------------------------------

struct Fault {
  const char* expected = nullptr;
  std::string found;
};

// What a header says that cannot be true under any secret.
std::optional<Fault> fault_of(const store::RecordHeader& header, ObjectKind kind) {
  const RecordInfo& info = header.info;
  const bool is_state = info.id.kind == store::Kind::kState;
  if (is_state != (kind == ObjectKind::kState)) {
    return Fault{is_state ? "a block" : "a state", is_state ? "a state" : "a block"};
  }
  if (info.token_begin % kv::kBlockTokens != 0) {
    return Fault{"a boundary", "token " + std::to_string(info.token_begin)};
  }
  if (is_state) {
    if (info.parent == info.id.key) return std::nullopt;
    return Fault{"a state of the block that it stands behind", "one of another"};
  }
  if (std::ssize(header.tokens) != kv::kBlockTokens) {
    return Fault{"the tokens of a block", std::to_string(header.tokens.size()) + " tokens"};
  }
  if (block_key(info.parent, header.tokens) == info.id.key) return std::nullopt;
  return Fault{"the key of its tokens", "another key"};
}

// Takes the records of an object one behind the other, and says what becomes of it.
class Judge {
 public:
  Judge(InspectedObject& one, const ObjectNames& names) : one_(one), names_(names) {}

  void gone() { end(Verdict::kGone); }
  void foreign() { end(Verdict::kForeign); }
  void unreadable() { end(Verdict::kUnreadable); }
  void wrong(Fault fault) {
    end(Verdict::kWrong);
    one_.expected = fault.expected;
    one_.found = std::move(fault.found);
  }

  // rest: what is read of the object from there on, a page at least. Returns the record's bytes;
  // none: the object is judged.
  std::optional<int64_t> take(std::span<const std::byte> rest, RemoteInspector::Depth depth) {
    const auto page = rest.first(static_cast<size_t>(kPageBytes));
    const auto header = store::decode_header(page);
    if (!header) return judge_page(page);
    if (auto fault = fault_of(*header, one_.object.name.kind)) return stop(std::move(*fault));
    const RecordInfo& info = header->info;
    if (!one_.records.empty() && !follows(info)) return stop({"the block behind it", "another"});
    if (depth == RemoteInspector::Depth::kBytes && !has_payload(info, rest)) {
      return stop({"the payload that its header describes", "other bytes"});
    }
    one_.records.push_back(info);
    return info.record_bytes();
  }

  // All records were taken: they fill so many bytes.
  void finish(int64_t bytes, bool is_sealed, bool should_be_sealed) {
    if (bytes != one_.object.bytes) {
      return wrong({"as many bytes as its records", bytes_text(one_.object.bytes)});
    }
    const RecordInfo& last = one_.records.back();
    const bool is_pack = one_.object.name.kind == ObjectKind::kPack;
    if (is_pack && last.token_end() % (kPackBlocks * kv::kBlockTokens) != 0) {
      return wrong({"a pack's end", "token " + std::to_string(last.token_end())});
    }
    const ObjectName name = is_pack ? names_.of_pack(last.id.key) : names_.of(last.id);
    if (name == one_.object.name) {
      if (is_sealed == should_be_sealed) return;
      return wrong({"an encrypted record", "one that is not"});
    }
    if (!is_sealed) return foreign();
    wrong({"the record of that name", "another"});
  }

 private:
  void end(Verdict verdict) {
    one_.verdict = verdict;
    one_.records.clear();
  }
  std::optional<int64_t> stop(Fault fault) {
    wrong(std::move(fault));
    return std::nullopt;
  }
  std::optional<int64_t> judge_page(std::span<const std::byte> page) {
    const auto frame = store::frame_of(page);
    if (frame && frame->is_of_another_version) {
      foreign();
      return std::nullopt;
    }
    return stop({"a record's header", "other bytes"});
  }
  bool follows(const RecordInfo& info) const {
    const RecordInfo& before = one_.records.back();
    return info.parent == before.id.key && info.token_begin == before.token_end() &&
           info.model == before.model;
  }
  static bool has_payload(const RecordInfo& info, std::span<const std::byte> rest) {
    if (info.record_bytes() > std::ssize(rest)) return false;
    const auto payload =
        rest.subspan(static_cast<size_t>(kPageBytes), static_cast<size_t>(info.payload_bytes));
    return xxh3_128(payload) == info.payload_digest;
  }

  InspectedObject& one_;
  const ObjectNames& names_;
};

// Of a sealed object the bytes of its first record and of each other one: the first that the secret
// opens. A pack does not say them, and only a first block may be longer than the others.
struct Strides {
  int64_t first_bytes = 0;
  int64_t other_bytes = 0;
};

std::vector<Strides> strides_of(const ListedObject& object) {
  constexpr int64_t kOverhead = SealingKey::kOverheadBytes;
  if (object.name.kind != ObjectKind::kPack) return {{object.bytes, 0}};
  const int64_t pages = (object.bytes - kPackBlocks * kOverhead) / kPageBytes;
  std::vector<Strides> all;
  for (int64_t more = pages % kPackBlocks;; more += kPackBlocks) {
    const int64_t other = (pages - more) / kPackBlocks;
    if (other < 1 || more > kFirstBlockShareMax * other) return all;
    all.push_back({(other + more) * kPageBytes + kOverhead, other * kPageBytes + kOverhead});
  }
}

}  // namespace

Result<std::vector<InspectedObject>> RemoteInspector::inspect(std::span<const ListedObject> objects,
                                                              Depth depth) {
  std::vector<InspectedObject> all;
  all.reserve(objects.size());
  for (const ListedObject& object : objects) all.push_back({.object = object});
  std::vector<InspectedObject*> to_read;
  for (InspectedObject& one : all) {
    const Form form = form_of(one.object);
    if (form == Form::kNone) {
      Judge(one, *names_).wrong({"records of whole pages", bytes_text(one.object.bytes)});
    } else if (form == Form::kSealed && !envelope_->is_sealing()) {
      Judge(one, *names_).foreign();
    } else if (form == Form::kPlain && depth != Depth::kBytes && records_in(one.object) > 1) {
      KVASIR_RETURN_IF_ERROR(walk_pack(one, depth));
    } else {
      to_read.push_back(&one);
    }
  }
  for (size_t begin = 0, end = 0; begin < to_read.size(); begin = end) {
    int64_t bytes = 0;
    while (end < to_read.size() && end - begin < kReadsMax) {
      const int64_t more = bytes_to_read(to_read[end]->object, depth);
      if (end > begin && bytes + more > kBatchBytes) break;
      bytes += more;
      ++end;
    }
    KVASIR_RETURN_IF_ERROR(
        read_batch(std::span(to_read).subspan(begin, end - begin), depth, bytes));
  }
  return all;
}

Status RemoteInspector::read(std::span<ObjectRead> reads) {
  int64_t bytes = 0;
  for (const ObjectRead& one : reads) bytes += std::ssize(one.into);
  const auto time = kCallTime + std::chrono::seconds(bytes / kBytesPerS);
  KVASIR_RETURN_IF_ERROR(client_->read(reads, store::remote::Clock::now() + time));
  std::vector<Error> failures = client_->part_failures();
  return failures.empty() ? ok_status() : Status(std::move(failures.front()));
}

Status RemoteInspector::read_batch(std::span<InspectedObject* const> batch, Depth depth,
                                   int64_t bytes) {
  AlignedBuffer<std::byte> memory(bytes, Fill::kNothing);
  if (memory.failed()) {
    return Error{.kind = ErrorKind::kNoMemory,
                 .what = "no memory for an object of the remote engine",
                 .found = bytes_text(bytes)};
  }
  std::span<std::byte> rest(memory.data(), static_cast<size_t>(bytes));
  std::vector<ObjectRead> reads;
  for (const InspectedObject* one : batch) {
    const int64_t wanted = bytes_to_read(one->object, depth);
    reads.push_back({.name = one->object.name,
                     .is_whole = wanted == one->object.bytes,
                     .into = rest.first(static_cast<size_t>(wanted))});
    rest = rest.subspan(static_cast<size_t>(wanted));
  }
  KVASIR_RETURN_IF_ERROR(read(reads));
  for (size_t i = 0; i < batch.size(); ++i) {
    if (reads[i].outcome == ReadOutcome::kRead) judge(*batch[i], reads[i].into, depth);
    if (reads[i].outcome == ReadOutcome::kUnreadable) Judge(*batch[i], *names_).unreadable();
  }
  return ok_status();
}

// Each header says where the next one is.
Status RemoteInspector::walk_pack(InspectedObject& pack, Depth depth) {
  Judge judge(pack, *names_);
  store::Page page;
  int64_t offset_bytes = 0;
  for (int64_t i = 0; i < kPackBlocks; ++i) {
    if (offset_bytes + kPageBytes > pack.object.bytes) {
      judge.wrong({"records that fit into it", bytes_text(pack.object.bytes)});
      return ok_status();
    }
    ObjectRead one{.name = pack.object.name,
                   .offset_bytes = offset_bytes,
                   .is_whole = offset_bytes + kPageBytes == pack.object.bytes,
                   .into = page};
    KVASIR_RETURN_IF_ERROR(read({&one, 1}));
    if (one.outcome == ReadOutcome::kUnreadable) {
      judge.unreadable();
      return ok_status();
    }
    if (one.outcome != ReadOutcome::kRead) {
      judge.gone();
      return ok_status();
    }
    const auto bytes = judge.take(page, depth);
    if (!bytes) return ok_status();
    offset_bytes += *bytes;
    pack.verdict = Verdict::kRight;
    if (depth == Depth::kFirst) return ok_status();
  }
  judge.finish(offset_bytes, false, envelope_->is_sealing());
  return ok_status();
}

void RemoteInspector::judge(InspectedObject& one, std::span<std::byte> bytes, Depth depth) const {
  if (form_of(one.object) == Form::kSealed) return judge_sealed(one, bytes);
  Judge judge(one, *names_);
  int64_t offset_bytes = 0;
  for (int64_t i = 0; i < records_in(one.object); ++i) {
    if (offset_bytes + kPageBytes > std::ssize(bytes)) {
      return judge.wrong({"records that fit into it", bytes_text(one.object.bytes)});
    }
    const auto taken = judge.take(bytes.subspan(static_cast<size_t>(offset_bytes)), depth);
    if (!taken) return;
    offset_bytes += *taken;
  }
  one.verdict = Verdict::kRight;
  judge.finish(offset_bytes, false, envelope_->is_sealing());
}

void RemoteInspector::judge_sealed(InspectedObject& one, std::span<std::byte> bytes) const {
  Judge judge(one, *names_);
  const ObjectName& name = one.object.name;
  const bool is_pack = name.kind == ObjectKind::kPack;
  const auto sealed_for = [&](int64_t i) {
    return is_pack ? ObjectNames::place_in_pack(name, i) : name;
  };
  const std::vector<Strides> all = strides_of(one.object);
  // Opening writes over what it opens.
  const auto opens_copy = [&](const Strides& strides) {
    const auto first = bytes.first(static_cast<size_t>(strides.first_bytes));
    std::vector<std::byte> copy(first.begin(), first.end());
    return envelope_->open(sealed_for(0), copy).has_value();
  };
  const auto fitting = all.size() == 1 ? all.begin() : std::ranges::find_if(all, opens_copy);
  if (fitting == all.end()) return judge.foreign();
  int64_t offset_bytes = 0;
  for (int64_t i = 0; i < records_in(one.object); ++i) {
    const int64_t sealed_bytes = i == 0 ? fitting->first_bytes : fitting->other_bytes;
    const auto record = envelope_->open(
        sealed_for(i),
        bytes.subspan(static_cast<size_t>(offset_bytes), static_cast<size_t>(sealed_bytes)));
    if (!record && i == 0) return judge.foreign();
    if (!record) return judge.wrong({"a record that the secret opens", "other bytes"});
    const auto taken = judge.take(*record, Depth::kBytes);
    if (!taken) return;
    offset_bytes += envelope_->bytes_of(*taken);
  }
  one.verdict = Verdict::kRight;
  judge.finish(offset_bytes, true, true);
}

}  // namespace kvasir::persist
