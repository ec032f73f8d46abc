#include "store/remote/s3/http_connection.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "store/remote/s3/transfer_pace.h"

namespace kvasir::store::remote {
namespace {

using std::chrono::milliseconds;

constexpr size_t kHeadBytesMax = 65536;
constexpr long kBufferBytes = 262'144;

bool is_libcurl_ready() {
  static const bool is_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return is_ready;
}

std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lowered;
}

std::string_view without_blanks(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

std::optional<int64_t> number_of(std::string_view text) {
  int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

// A Transfer is one exchange as libcurl's calls see it.
class Transfer {
 public:
  Transfer(const HttpRequest& request, const BodyPlace& place) : request_(request), place_(place) {}

  size_t take_body(std::span<const std::byte> bytes) {
    moved_bytes_ += std::ssize(bytes);
    if (!is_placed_) into_ = place_(answer.head);
    is_placed_ = true;
    const int64_t length = answer.head.content_length.value_or(0);
    const size_t room = into_.size() - answer.body_bytes;
    if (length > std::ssize(into_) || bytes.size() > room) {
      answer.is_whole = false;
      return 0;
    }
    std::ranges::copy(bytes, into_.begin() + static_cast<int64_t>(answer.body_bytes));
    answer.body_bytes += bytes.size();
    return bytes.size();
  }

  size_t take_head_line(std::string_view line) {
    moved_bytes_ += std::ssize(line);
    head_bytes_ += line.size();
    if (head_bytes_ > kHeadBytesMax) return 0;
    if (line.starts_with("HTTP/")) {  // an answer, or one before it that says "go on"
      answer.head = {};
      has_head_ = false;
      const size_t blank = std::min(line.find(' '), line.size() - 1);
      answer.head.status = static_cast<int>(number_of(line.substr(blank + 1, 3)).value_or(0));
    } else if (const size_t colon = line.find(':'); colon != line.npos && !is_placed_) {
      answer.head.headers.push_back(
          {lower(line.substr(0, colon)), std::string(without_blanks(line.substr(colon + 1)))});
    } else if (without_blanks(line).empty() && !is_placed_) {
      has_head_ = true;
      answer.head.content_length = number_of(answer.head.header("content-length"));
    }
    return line.size();
  }

  size_t give_body(std::span<std::byte> room) {
    const auto piece = request_.body.subspan(sent_bytes_);
    const size_t bytes = std::min(room.size(), piece.size());
    std::copy_n(piece.begin(), bytes, room.begin());
    sent_bytes_ += bytes;
    moved_bytes_ += static_cast<int64_t>(bytes);
    return bytes;
  }

  // For a kept connection that the server closed before it read any of the request.
  void send_from(int64_t offset_bytes) { sent_bytes_ = static_cast<size_t>(offset_bytes); }

  // Whether any byte of an answer came.
  bool has_begun() const { return head_bytes_ > 0; }
  bool has_too_long_head() const { return head_bytes_ > kHeadBytesMax; }
  // libcurl takes a head for whole where the connection ends within it.
  bool has_head() const { return has_head_; }

  TransferPace::Progress progress(bool is_connected) const {
    return {.is_connected = is_connected,
            .unsent_bytes = std::ssize(request_.body) - static_cast<int64_t>(sent_bytes_),
            .moved_bytes = moved_bytes_,
            .has_answer = has_begun()};
  }

  HttpAnswer answer;

 private:
  const HttpRequest& request_;
  const BodyPlace& place_;
  std::span<std::byte> into_;
  bool is_placed_ = false;
  bool has_head_ = false;
  size_t head_bytes_ = 0;
  size_t sent_bytes_ = 0;
  int64_t moved_bytes_ = 0;
};

// How libcurl calls a Transfer.
size_t on_body(char* bytes, size_t size, size_t count, void* transfer) {
  return static_cast<Transfer*>(transfer)->take_body(std::as_bytes(std::span(bytes, size * count)));
}
size_t on_head_line(char* bytes, size_t size, size_t count, void* transfer) {
  return static_cast<Transfer*>(transfer)->take_head_line({bytes, size * count});
}
size_t on_send(char* room, size_t size, size_t count, void* transfer) {
  return static_cast<Transfer*>(transfer)->give_body(
      std::as_writable_bytes(std::span(room, size * count)));
}
int on_seek(void* transfer, curl_off_t offset_bytes, int origin) {
  if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  static_cast<Transfer*>(transfer)->send_from(offset_bytes);
  return CURL_SEEKFUNC_OK;
}

template <class T>
void set(CURL* easy, CURLoption option, T value) {
  KVASIR_CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK, "libcurl has this option");
}

class HeaderList {
 public:
  HeaderList() = default;
  ~HeaderList() { curl_slist_free_all(first_); }
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;

  void add(const std::string& line) {
    curl_slist* longer = curl_slist_append(first_, line.c_str());
    KVASIR_CHECK(longer != nullptr, "memory for a header");
    first_ = longer;
  }
  curl_slist* first() const { return first_; }

 private:
  curl_slist* first_ = nullptr;
};

ErrorKind kind_of(CURLcode code) {
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
      return ErrorKind::kUsage;
    case CURLE_UNSUPPORTED_PROTOCOL:  // what began as no answer of HTTP/1
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_WRITE_ERROR:
      return ErrorKind::kDamaged;
    case CURLE_OUT_OF_MEMORY:
      return ErrorKind::kNoMemory;
    default:
      return ErrorKind::kIo;
  }
}

bool is_closing(CURLcode code) {
  return code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING;
}

Error slow(TransferPace::Verdict verdict, const HttpServer& server) {
  const LinkLimits& limits = server.limits;
  Error error{.kind = ErrorKind::kIo, .where = server.origin};
  if (verdict == TransferPace::Verdict::kNoConnection) {
    error.what = "no connection";
    error.expected = std::to_string(limits.connect.count()) + " ms at most";
  } else if (verdict == TransferPace::Verdict::kNoAnswer) {
    error.what = "no answer";
    error.expected = "its first byte within " + std::to_string(limits.first_byte.count()) + " ms";
  } else {
    error.what = "the connection is too slow";
    error.expected = std::to_string(limits.bytes_per_s_min) + " bytes a second";
  }
  return error;
}

Error late(const HttpServer& server) {
  return {.kind = ErrorKind::kInterrupted,
          .what = "the deadline came before the answer",
          .where = server.origin};
}

}  // namespace

std::string_view name_of(HttpMethod method) {
  constexpr std::array<std::string_view, 4> kNames = {"HEAD", "GET", "PUT", "DELETE"};
  return kNames.at(static_cast<size_t>(method));
}

std::string_view HttpHead::header(std::string_view name) const {
  const auto found = std::ranges::find(headers, name, &NamedValue::name);
  return found == headers.end() ? std::string_view() : found->value;
}

// The multi handle keeps the connection; it is used for one easy handle, because only so can an
// exchange wait for its own limits: libcurl's are whole seconds.
struct HttpConnection::Handles {
  Handles() : multi(curl_multi_init()), easy(curl_easy_init()) {
    KVASIR_CHECK(multi != nullptr && easy != nullptr, "memory for libcurl's handles");
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 1L);
  }
  ~Handles() {
    curl_multi_remove_handle(multi, easy);
    curl_easy_cleanup(easy);
    curl_multi_cleanup(multi);
  }
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;

  // Sets all of the easy handle, since nothing of an earlier request may stay.
  void prepare(const HttpServer& server, const HttpRequest& request, Transfer& transfer) {
    curl_easy_reset(easy);
    problem[0] = '\0';
    set(easy, CURLOPT_ERRORBUFFER, problem.data());
    set(easy, CURLOPT_URL, (server.origin + request.target).c_str());
    set(easy, CURLOPT_PATH_AS_IS, 1L);
    set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    set(easy, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
    set(easy, CURLOPT_FOLLOWLOCATION, 0L);
    set(easy, CURLOPT_PROXY, "");
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_QUICK_EXIT, 1L);  // a resolver that hangs is not waited for
    set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    set(easy, CURLOPT_BUFFERSIZE, kBufferBytes);
    set(easy, CURLOPT_UPLOAD_BUFFERSIZE, kBufferBytes);
    set(easy, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
    if (!server.ca_file.empty()) {
      set(easy, CURLOPT_CAINFO, server.ca_file.c_str());
      set(easy, CURLOPT_CAPATH, static_cast<char*>(nullptr));
    }
    set(easy, CURLOPT_WRITEFUNCTION, on_body);
    set(easy, CURLOPT_WRITEDATA, &transfer);
    set(easy, CURLOPT_HEADERFUNCTION, on_head_line);
    set(easy, CURLOPT_HEADERDATA, &transfer);
    prepare_method(request, transfer);
  }

  void prepare_method(const HttpRequest& request, Transfer& transfer) const {
    if (request.method == HttpMethod::kHead) set(easy, CURLOPT_NOBODY, 1L);
    if (request.method == HttpMethod::kDelete) set(easy, CURLOPT_CUSTOMREQUEST, "DELETE");
    if (request.method == HttpMethod::kPut) {
      set(easy, CURLOPT_UPLOAD, 1L);
      set(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      set(easy, CURLOPT_READFUNCTION, on_send);
      set(easy, CURLOPT_READDATA, &transfer);
      set(easy, CURLOPT_SEEKFUNCTION, on_seek);
      set(easy, CURLOPT_SEEKDATA, &transfer);
    }
  }

  // None: it goes on.
  std::optional<CURLcode> step() const {
    int running = 0;
    KVASIR_CHECK(curl_multi_perform(multi, &running) == CURLM_OK, "libcurl goes on");
    int left = 0;
    const CURLMsg* message = curl_multi_info_read(multi, &left);
    if (message == nullptr) return std::nullopt;
    return message->data.result;
  }

  bool is_connected() const {
    curl_off_t connected_us = 0;
    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
    return connected_us > 0;
  }

  void wait_until(Clock::time_point time) const {
    const auto wait = std::chrono::ceil<milliseconds>(time - Clock::now());
    curl_multi_poll(multi, nullptr, 0, static_cast<int>(std::clamp<int64_t>(wait.count(), 0, 1000)),
                    nullptr);
  }

  // Goes on until there is an answer, or a reason to stop.
  Result<CURLcode> run(const HttpServer& server, const Transfer& transfer, int64_t sent_bytes,
                       Deadline deadline) const {
    TransferPace pace(server.limits, sent_bytes, Clock::now());
    while (true) {
      if (const auto result = step()) return *result;
      const auto now = Clock::now();
      if (now >= deadline) return late(server);
      const auto verdict = pace.look(transfer.progress(is_connected()), now);
      if (verdict != TransferPace::Verdict::kGoesOn) return slow(verdict, server);
      wait_until(std::min(deadline, pace.next_look()));
    }
  }

  Error failure(CURLcode result, const Transfer& transfer, const HttpServer& server) const {
    if (result == CURLE_OK) result = CURLE_GOT_NOTHING;  // or half a head
    return {.kind = kind_of(result),
            .what = transfer.has_too_long_head() ? "the head of the answer is too long"
                                                 : "the exchange failed",
            .where = server.origin,
            .found = problem[0] != '\0' ? problem.data() : curl_easy_strerror(result)};
  }

  CURLM* multi;
  CURL* easy;
  std::array<char, CURL_ERROR_SIZE> problem{};
};

HttpConnection::HttpConnection(HttpServer server) : server_(std::move(server)) {
  KVASIR_CHECK(is_libcurl_ready(), "libcurl can be used");
}
HttpConnection::~HttpConnection() = default;

void HttpConnection::close() { handles_.reset(); }

// A server may close a kept connection while a request is on its way; libcurl notices only some of
// these. What was not answered with a byte is asked once more, on a connection of its own.
Result<HttpAnswer> HttpConnection::exchange(const HttpRequest& request, const BodyPlace& place,
                                            Deadline deadline) {
  const bool was_kept = handles_ != nullptr;
  bool was_closed = false;
  Result<HttpAnswer> answer = exchange_once(request, place, deadline, was_closed);
  if (!was_kept || !was_closed) return answer;
  return exchange_once(request, place, deadline, was_closed);
}

Result<HttpAnswer> HttpConnection::exchange_once(const HttpRequest& request, const BodyPlace& place,
                                                 Deadline deadline, bool& was_closed) {
  if (Clock::now() >= deadline) return late(server_);
  Transfer transfer(request, place);
  HeaderList headers;
  for (const NamedValue& header : request.headers) headers.add(header.name + ": " + header.value);
  for (const char* unwanted : {"Expect:", "Accept:"}) headers.add(unwanted);
  // Closes the connection unless all goes well.
  std::unique_ptr<Handles> handles = std::move(handles_);
  if (handles == nullptr) handles = std::make_unique<Handles>();
  handles->prepare(server_, request, transfer);
  set(handles->easy, CURLOPT_HTTPHEADER, headers.first());

  KVASIR_CHECK(curl_multi_add_handle(handles->multi, handles->easy) == CURLM_OK, "a free handle");
  KVASIR_ASSIGN_OR_RETURN(const CURLcode result,
                          handles->run(server_, transfer, std::ssize(request.body), deadline));
  curl_multi_remove_handle(handles->multi, handles->easy);
  const bool is_cut_here = !transfer.answer.is_whole;
  if (!transfer.has_head() || (result != CURLE_OK && !is_cut_here)) {
    was_closed = is_closing(result) && !transfer.has_begun();
    return handles->failure(result, transfer, server_);
  }
  handles_ = std::move(handles);
  return std::move(transfer.answer);
}

}  // namespace kvasir::store::remote
