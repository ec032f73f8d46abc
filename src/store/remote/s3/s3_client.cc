#include "store/remote/s3/s3_client.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/one_line.h"
#include "store/remote/s3/list_xml.h"
#include "store/remote/s3/object_keys.h"

namespace kvasir::store::remote {
namespace {

constexpr int kListedMax = 1000;  // as many as Amazon gives at once
constexpr size_t kPageBytesMax = 4'194'304;
constexpr size_t kServerNameBytesMax = 64;

bool is_success(int status) { return status == 200 || status == 201 || status == 204; }

// Full, or asks for fewer writes, which is obeyed in the same way: by a while without any.
bool says_no_room(const BucketAnswer& answer) {
  const int status = answer.head.status;
  if (status == 500 || status == 507 || status == 429) return true;
  const std::string_view code = answer.code;
  return code == "SlowDown" || code == "QuotaExceeded" || code == "XMinioStorageFull" ||
         code == "XMinioAdminBucketQuotaExceeded";
}

struct ContentRange {
  int64_t first = 0;
  int64_t last = 0;
  int64_t total = -1;  // -1: it does not say
};

bool take_number(std::string_view& text, int64_t& number) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || number < 0) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

bool take(std::string_view& text, std::string_view wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(wanted.size());
  return true;
}

// Reads "bytes 0-9/443".
std::optional<ContentRange> content_range_of(std::string_view text) {
  ContentRange range;
  const bool is_range = take(text, "bytes ") && take_number(text, range.first) && take(text, "-") &&
                        take_number(text, range.last) && take(text, "/");
  if (!is_range || range.last < range.first) return std::nullopt;
  if (text == "*") return range;
  if (!take_number(text, range.total) || !text.empty()) return std::nullopt;
  return range;
}

bool is_ranged(const ObjectRead& read) { return read.offset_bytes > 0 || !read.is_whole; }

// Where the body of an answer to this goes: nowhere, unless it is as long as what is wanted.
std::span<std::byte> place_of(const ObjectRead& read, const HttpHead& head) {
  const bool fits = !head.content_length || *head.content_length == std::ssize(read.into);
  return fits ? read.into : std::span<std::byte>();
}

bool has_all(const ObjectRead& read, const BucketAnswer& answer) {
  return answer.is_whole && answer.body_bytes == read.into.size();
}

}  // namespace

S3Client::S3Client(const RemoteUrl& url, std::optional<S3Credentials> credentials,
                   const LinkLimits& limits)
    : bucket_(url, std::move(credentials), limits), prefix_(url.prefix) {}

std::string S3Client::key(const ObjectName& name) const { return key_of(prefix_, name); }

// ---- looking ------------------------------------------------------------------------------------

Result<bool> S3Client::has(const ObjectName& name, Deadline deadline) {
  KVASIR_ASSIGN_OR_RETURN(const BucketAnswer answer,
                          bucket_.ask({.method = HttpMethod::kHead, .key = key(name)}, deadline));
  if (answer.head.status == 200) return true;
  if (answer.head.status == 404) return false;
  return bucket_.refusal(answer);
}

Result<std::vector<bool>> S3Client::probe(std::span<const ObjectName> names, Deadline deadline) {
  std::vector<bool> present;
  present.reserve(names.size());
  for (const ObjectName& name : names) {
    KVASIR_ASSIGN_OR_RETURN(const bool is_there, has(name, deadline));
    present.push_back(is_there);
  }
  return present;
}

Status S3Client::touch(std::span<const ObjectName>, int64_t, Deadline) { return ok_status(); }

// ---- reading ------------------------------------------------------------------------------------

Status S3Client::read(std::span<ObjectRead> reads, Deadline deadline) {
  for (ObjectRead& read : reads) {
    KVASIR_ASSIGN_OR_RETURN(read.outcome, read_one(read, deadline));
  }
  return ok_status();
}

Result<ReadOutcome> S3Client::read_one(const ObjectRead& read, Deadline deadline) {
  KVASIR_CHECK(!read.into.empty() && read.offset_bytes >= 0, "a read has bytes to fill");
  BucketRequest request{.method = HttpMethod::kGet, .key = key(read.name)};
  if (is_ranged(read)) {
    request.headers.push_back(
        {"range", fmt::format("bytes={}-{}", read.offset_bytes,
                              read.offset_bytes + std::ssize(read.into) - 1)});
  }
  request.place = [&](const HttpHead& head) { return place_of(read, head); };
  KVASIR_ASSIGN_OR_RETURN(const BucketAnswer answer, bucket_.ask(request, deadline));
  switch (answer.head.status) {
    case 200:
      // A server may send all of an object to whoever asks for a part; here that is all there is.
      if (!is_ranged(read) || (read.offset_bytes == 0 && has_all(read, answer))) {
        return has_all(read, answer) ? ReadOutcome::kRead : ReadOutcome::kWrongLength;
      }
      return bucket_.damage("the S3 server sends no parts of objects", "200");
    case 206:
      return outcome_of_range(read, answer);
    case 416:
      return ReadOutcome::kWrongLength;  // it ends before these bytes
    case 404:
      if (answer.code != "NoSuchBucket") return ReadOutcome::kMissing;
      return bucket_.refusal(answer);
    case 500:
      return ReadOutcome::kUnreadable;
    default:
      return bucket_.refusal(answer);
  }
}

Result<ReadOutcome> S3Client::outcome_of_range(const ObjectRead& read, const BucketAnswer& answer) {
  const std::string_view text = answer.head.header("content-range");
  const auto range = content_range_of(text);
  if (!is_ranged(read) || !range || range->first != read.offset_bytes) {
    return bucket_.damage("the S3 server sent another part of an object",
                          one_line(text, kServerNameBytesMax, "..."));
  }
  const int64_t end_bytes = read.offset_bytes + std::ssize(read.into);
  const bool ends_right = !read.is_whole || range->total == end_bytes;
  const bool is_right = ends_right && range->last + 1 == end_bytes && has_all(read, answer);
  return is_right ? ReadOutcome::kRead : ReadOutcome::kWrongLength;
}

// ---- writing ------------------------------------------------------------------------------------

Status S3Client::write(std::span<ObjectWrite> writes, Deadline deadline) {
  for (ObjectWrite& write : writes) {
    KVASIR_ASSIGN_OR_RETURN(write.outcome, write_one(write, deadline));
  }
  return ok_status();
}

Result<BucketAnswer> S3Client::put(const ObjectWrite& write, bool is_conditional,
                                   Deadline deadline) {
  BucketRequest request{.method = HttpMethod::kPut, .key = key(write.name), .body = write.bytes};
  if (is_conditional) request.headers.push_back({"if-none-match", "*"});
  return bucket_.ask(request, deadline);
}

Result<WriteOutcome> S3Client::write_one(const ObjectWrite& write, Deadline deadline) {
  if (write.replaces) return write_over(write, deadline);
  if (!knows_conditions_) return write_where_none_is(write, deadline);
  KVASIR_ASSIGN_OR_RETURN(const BucketAnswer answer, put(write, true, deadline));
  const int status = answer.head.status;
  if (is_success(status)) return WriteOutcome::kWritten;
  if (status == 412) return WriteOutcome::kPresent;
  if (says_no_room(answer)) return WriteOutcome::kNoRoom;
  if (status == 409) {  // somebody else writes it now
    KVASIR_ASSIGN_OR_RETURN(const bool is_there, has(write.name, deadline));
    if (is_there) return WriteOutcome::kPresent;
  }
  if (status == 400 || status == 501) {  // the condition may be what it does not understand
    auto outcome = write_where_none_is(write, deadline);
    if (outcome.ok() && *outcome == WriteOutcome::kWritten) knows_conditions_ = false;
    // Refused again: then the first refusal says why, since it has words.
    if (outcome.ok() || outcome.error().kind != ErrorKind::kUsage) return outcome;
  }
  return bucket_.refusal(answer);
}

Result<WriteOutcome> S3Client::write_where_none_is(const ObjectWrite& write, Deadline deadline) {
  KVASIR_ASSIGN_OR_RETURN(const bool is_there, has(write.name, deadline));
  return is_there ? WriteOutcome::kPresent : write_over(write, deadline);
}

// Whoever reads meanwhile gets the old object or the new one, and of two who do this at once either
// one's stays: both are what the name says. To remove it first would leave none for a while, and
// might remove what another has just written.
Result<WriteOutcome> S3Client::write_over(const ObjectWrite& write, Deadline deadline) {
  KVASIR_ASSIGN_OR_RETURN(const BucketAnswer answer, put(write, false, deadline));
  if (is_success(answer.head.status)) return WriteOutcome::kWritten;
  if (says_no_room(answer)) return WriteOutcome::kNoRoom;
  return bucket_.refusal(answer);
}

Status S3Client::remove(std::span<const ObjectName> names, Deadline deadline) {
  for (const ObjectName& name : names) {
    KVASIR_ASSIGN_OR_RETURN(
        const BucketAnswer answer,
        bucket_.ask({.method = HttpMethod::kDelete, .key = key(name)}, deadline));
    const int status = answer.head.status;
    const bool is_gone = is_success(status) || (status == 404 && answer.code != "NoSuchBucket");
    if (!is_gone) return bucket_.refusal(answer);
  }
  return ok_status();
}

// ---- lists --------------------------------------------------------------------------------------

Result<std::span<const std::byte>> S3Client::list_bytes(int objects_max, const std::string& cursor,
                                                        std::span<std::byte> page, HttpHead& head,
                                                        Deadline deadline) {
  BucketRequest request{.method = HttpMethod::kGet,
                        .query = {{"list-type", "2"},
                                  {"max-keys", std::to_string(objects_max)},
                                  {"prefix", keys_prefix(prefix_)}}};
  if (!cursor.empty()) request.query.push_back({"continuation-token", cursor});
  request.place = [&](const HttpHead&) { return page; };
  KVASIR_ASSIGN_OR_RETURN(BucketAnswer answer, bucket_.ask(request, deadline));
  if (answer.head.status != 200) return bucket_.refusal(answer);
  if (!answer.is_whole) return bucket_.damage("the list of objects is too long", "");
  head = std::move(answer.head);
  return std::span<const std::byte>(page.first(answer.body_bytes));
}

Result<Listing> S3Client::list(const std::string& cursor, Deadline deadline) {
  std::vector<std::byte> bytes(kPageBytesMax);
  HttpHead head;
  KVASIR_ASSIGN_OR_RETURN(const auto xml, list_bytes(kListedMax, cursor, bytes, head, deadline));
  std::optional<ListPage> page = parse_list_page(xml);
  if (!page) return bucket_.damage("the list of objects cannot be read", "");
  if (page->next_token == cursor && !cursor.empty()) {
    return bucket_.damage("the list of objects does not go on", "the same page again");
  }
  Listing listing{.objects = {}, .cursor = std::move(page->next_token)};
  for (const ListedKey& listed : page->keys) {
    if (const auto name = name_of_key(prefix_, listed.key)) {
      listing.objects.push_back({*name, listed.bytes});
    }
  }
  return listing;
}

Result<EngineFacts> S3Client::look(Deadline deadline) {
  std::array<std::byte, 16384> bytes;
  HttpHead head;
  KVASIR_ASSIGN_OR_RETURN(const auto xml, list_bytes(1, "", bytes, head, deadline));
  if (!parse_list_page(xml)) return bucket_.damage("this is no answer of an S3 server", "");
  EngineFacts facts;
  facts.version = one_line(head.header("server"), kServerNameBytesMax, "...");
  return facts;
}

}  // namespace kvasir::store::remote
