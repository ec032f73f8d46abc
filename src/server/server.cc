#include "server/server.h"

#include <algorithm>
#include <atomic>
#include <ctime>
#include <deque>
#include <map>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/one_line.h"
#include "base/process_memory.h"
#include "server/access_log.h"
#include "server/admin_answers.h"
#include "server/cache_view.h"
#include "server/compare_prompt.h"
#include "server/completion_run.h"
#include "server/error_response.h"
#include "server/explain_prompt.h"
#include "server/file_limit.h"
#include "server/kept_beginnings.h"
#include "server/metrics_text.h"
#include "server/model_answers.h"
#include "server/page.h"
#include "server/prepare.h"
#include "server/reply_grammar.h"
#include "server/route.h"
#include "server/session_name.h"
#include "server/work_queue.h"

namespace kvasir::server {
namespace {

constexpr int kWorkThreads = 2;
constexpr size_t kWorkWaitingMax = 1024;
constexpr int64_t kWorkWaitingBytesMax = int64_t{256} << 20;
constexpr int kRetryAfterS = 2;
constexpr size_t kSessionBytesMax = 160;

// One request on its way through.
struct Visit {
  std::shared_ptr<HttpExchange> exchange;
  const Route* route = nullptr;
  AccessEntry entry;
  HttpHeaders headers;  // of every response to it
  Stopwatch watch;
};

class ServerImpl : public Server {
 public:
  explicit ServerImpl(ServerOptions options)
      : options_(std::move(options)),
        guard_(options_.guard),
        log_(options_.access_log),
        started_at_s_(static_cast<double>(std::time(nullptr))),
        work_(std::make_unique<WorkQueue>(kWorkThreads, kWorkWaitingMax, kWorkWaitingBytesMax)) {}
  ~ServerImpl() override { (void)stop(std::chrono::milliseconds(0)); }

  Status listen();
  Status serve(std::unique_ptr<Service> service, ServedModel model, ServedBooks books) override;
  std::vector<Error> warm(const std::vector<std::string>& bodies,
                          const std::string& where) override;
  std::vector<std::string> addresses() const override { return http_->addresses(); }
  Status stop(std::chrono::milliseconds patience) override;

 private:
  bool is_admin(const HttpRequest& head) const {
    return options_.admin_listener >= 0 && head.listener == options_.admin_listener;
  }
  std::optional<HttpResponse> refuse(const HttpRequest& head);
  void handle(std::shared_ptr<HttpExchange> exchange);
  void dispatch(const std::shared_ptr<Visit>& visit);
  // On a thread of the work queue.
  void work(Visit& visit, Served& served);
  // With what is made of its body at once.
  using BodyAnswer = Result<std::string>(const Served& served, const Json& body);
  void answer(Visit& visit, const Served& served, BodyAnswer* make);
  void complete(Visit& visit, Served& served);
  void prefetch(Visit& visit, const Served& served, std::vector<PreparedPrompt> prompts,
                const std::string& salt);
  void count_tokens(Visit& visit, Served& served);
  static void warm_next(Service* service, std::shared_ptr<std::deque<ServiceRequest>> requests);
  void note_repairs(Visit& visit, const Repairs& repairs);
  // A request as far as it is known before it is handed over.
  struct ReadCall {
    Call call = {};
    std::string salt;
    std::vector<Message> brought = {};  // with the request itself
    std::vector<PreparedPrompt> prompts = {};
  };
  Result<ReadCall> read_and_prepare(const Visit& visit, Served& served);
  static Status check_proof(const Served& served, const Call& call);
  static Result<Call> read_call(const Visit& visit);
  static Result<Json> read_body(const Visit& visit);

  void respond_ok(Visit& visit, std::string body, const char* type = "application/json");
  void respond_error(Visit& visit, const ApiError& error);
  void respond(Visit& visit, HttpResponse response);
  HttpHeaders response_headers(const HttpRequest& head, const std::string& id) const;
  static HttpResponse malformed_response(int status, std::string_view why, std::string_view path);
  void add_to_log(const AccessEntry& entry);
  void add_to_view(const AccessEntry& entry, const std::string& session);
  void show_cache(Visit& visit, Served& served);
  void answer_ready(Visit& visit, const Served& served);
  // Nothing: the server takes requests.
  std::optional<ApiError> not_ready(const Served* served) const;
  std::string metrics();
  // Null: the model is not loaded yet.
  std::shared_ptr<Served> served() const;

  const ServerOptions options_;
  const Guard guard_;
  AccessLog log_;
  CacheView cache_view_;
  const double started_at_s_;

  mutable std::mutex mutex_;
  std::shared_ptr<Served> served_;
  bool is_stopping_ = false;
  std::map<std::pair<std::string, int>, int64_t> answers_;  // by route and status
  Repairs repairs_;                                         // of all requests

  std::unique_ptr<HttpServer> http_;
  // The same; its first clients can come before http_ is set.
  std::atomic<const HttpServer*> listening_{nullptr};
  std::unique_ptr<WorkQueue> work_;
};

HttpHeaders id_headers(const std::string& id) { return {{"x-request-id", id}, {"request-id", id}}; }

Status ServerImpl::listen() {
  KVASIR_ASSIGN_OR_RETURN(
      http_, HttpServer::start(options_.http,
                               {.guard = [this](const HttpRequest& head) { return refuse(head); },
                                .handle = [this](auto exchange) { handle(std::move(exchange)); },
                                .error_body =
                                    [](int status, std::string_view why, std::string_view path) {
                                      return malformed_response(status, why, path);
                                    }}));
  listening_ = http_.get();
  return ok_status();
}

Status ServerImpl::serve(std::unique_ptr<Service> service, ServedModel model, ServedBooks books) {
  auto served = std::make_shared<Served>();
  served->service = std::move(service);
  served->model = std::move(model);
  served->book = std::move(books.said);
  served->conversations = std::move(books.conversations);
  served->since_s = static_cast<int64_t>(std::time(nullptr));
  Result<ChatForm> form = ChatForm::create(served->service->engine());
  if (form.ok()) served->form = std::move(*form);
  served->reasoning_end = reasoning_end_of(served->service->engine());
  {
    const std::lock_guard lock(mutex_);
    served_ = std::move(served);
  }
  if (form.ok()) return ok_status();
  return std::move(form).error();
}

std::vector<Error> ServerImpl::warm(const std::vector<std::string>& bodies,
                                    const std::string& where) {
  const std::shared_ptr<Served> served = this->served();
  KVASIR_CHECK(served != nullptr, "a model is served");
  std::vector<Error> refused;
  auto requests = std::make_shared<std::deque<ServiceRequest>>();
  for (size_t i = 0; i < bodies.size(); ++i) {
    Result<ServiceRequest> request =
        warming_request(*served, bodies[i], fmt::format("{}, request {}", where, i + 1));
    if (request.ok()) {
      requests->push_back(std::move(*request));
    } else {
      refused.push_back(std::move(request).error());
    }
  }
  warm_next(served->service.get(), std::move(requests));
  return refused;
}

// One after the other, so that whoever comes waits for one at most. The service outlives its sinks.
void ServerImpl::warm_next(Service* service, std::shared_ptr<std::deque<ServiceRequest>> requests) {
  if (requests->empty()) return;
  ServiceRequest request = std::move(requests->front());
  requests->pop_front();
  (void)service->submit(std::move(request), [service, requests](const ServiceEvent& event) {
    const bool is_over =
        event.kind == ServiceEvent::Kind::kDone || event.kind == ServiceEvent::Kind::kFailed;
    if (is_over) warm_next(service, requests);
  });
}

std::shared_ptr<Served> ServerImpl::served() const {
  const std::lock_guard lock(mutex_);
  return served_;
}

// New requests are refused first, then those under way end, then their last bytes go out.
Status ServerImpl::stop(std::chrono::milliseconds patience) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(is_stopping_, true)) return ok_status();
  }
  if (http_) http_->stop_accepting();
  Status drained = ok_status();
  if (const auto served = this->served()) drained = served->service->drain(patience);
  if (http_) http_->stop(std::chrono::seconds(1));
  work_.reset();
  return drained;
}

HttpResponse ServerImpl::malformed_response(int status, std::string_view why,
                                            std::string_view path) {
  ApiError error{.kind = kind_with_status(status), .message = std::string(why)};
  if (error.kind == ApiErrorKind::kUnavailable) error.retry_after_s = kRetryAfterS;
  const std::string id = random_id();
  HttpResponse response = error_response(dialect_for(path), error, id, id_headers(id));
  response.status = status;
  return response;
}

std::optional<HttpResponse> ServerImpl::refuse(const HttpRequest& head) {
  const std::optional<ApiError> refusal = guard_.refuse(head);
  if (!refusal) return std::nullopt;
  const RouteMatch match = find_route(head.method, head.path, is_admin(head));
  // Where no body is read, there is more to say than what is wrong with it.
  if (refusal->kind == ApiErrorKind::kMediaType && match.route == nullptr) return std::nullopt;
  const std::string id = random_id();
  add_to_log({.request_id = id,
              .caller = guard_.caller_name(head),
              .peer = head.peer,
              .method = head.method,
              .path = match.route != nullptr ? match.route->path : "other",
              .status = status_of(refusal->kind),
              .outcome = "refused"});
  return error_response(dialect_for(head.path), *refusal, id, response_headers(head, id));
}

void ServerImpl::handle(std::shared_ptr<HttpExchange> exchange) {
  const HttpRequest& request = exchange->request();
  const RouteMatch match = find_route(request.method, request.path, is_admin(request));
  auto visit = std::make_shared<Visit>();
  visit->route = match.route;
  visit->entry = {.request_id = random_id(),
                  .caller = guard_.caller_name(request),
                  .peer = request.peer,
                  .method = request.method,
                  .path = match.route != nullptr ? match.route->path : "other",
                  .status = 200};
  visit->headers = response_headers(request, visit->entry.request_id);
  visit->exchange = exchange;
  if (const auto preflight = guard_.preflight_headers(request)) {
    return respond(*visit, {.status = 204, .headers = *preflight});
  }
  if (match.is_other_method) {
    visit->headers.emplace_back("allow", allowed_methods(request.path));
    return respond_error(
        *visit, {.kind = ApiErrorKind::kMethod, .message = "this path does not take that method"});
  }
  if (match.route == nullptr) {
    return respond_error(*visit, {.kind = ApiErrorKind::kNotFound, .message = "no such path"});
  }
  dispatch(visit);
}

void ServerImpl::dispatch(const std::shared_ptr<Visit>& visit) {
  switch (visit->route->action) {
    case Action::kHealth:
      return respond_ok(*visit, R"({"status":"ok"})");
    case Action::kOpenApi:
      return respond_ok(*visit, openapi_document(KVASIR_VERSION));
    case Action::kPage:
      return respond(*visit, page_response());
    case Action::kMetrics:
      return respond_ok(*visit, metrics(), "text/plain; version=0.0.4; charset=utf-8");
    default:
      break;
  }
  const std::shared_ptr<Served> served = this->served();
  if (const auto reason = not_ready(served.get())) return respond_error(*visit, *reason);
  switch (visit->route->action) {
    case Action::kReady:
      return answer_ready(*visit, *served);
    case Action::kModels:
      return respond_ok(*visit, models_body(*served));
    case Action::kModel:
      return respond_ok(*visit, model_body(*served));
    default:
      break;
  }
  const auto bytes = static_cast<int64_t>(visit->exchange->request().body.size());
  if (!work_->post(bytes, [this, visit, served] { work(*visit, *served); })) {
    respond_error(*visit, {.kind = ApiErrorKind::kBusy,
                           .message = "too many requests wait to be read",
                           .retry_after_s = kRetryAfterS});
  }
}

void ServerImpl::answer_ready(Visit& visit, const Served& served) {
  if (!served.service->is_full()) return respond_ok(visit, R"({"status":"ready"})");
  respond_error(visit, {.kind = ApiErrorKind::kUnavailable,
                        .message = "too many requests wait",
                        .retry_after_s = kRetryAfterS});
}

std::optional<ApiError> ServerImpl::not_ready(const Served* served) const {
  const std::lock_guard lock(mutex_);
  if (!is_stopping_ && served != nullptr) return std::nullopt;
  return ApiError{.kind = ApiErrorKind::kUnavailable,
                  .message = is_stopping_ ? "the server is going down" : "the model is loading",
                  .retry_after_s = kRetryAfterS};
}

void ServerImpl::work(Visit& visit, Served& served) {
  switch (visit.route->action) {
    case Action::kComplete:
      return complete(visit, served);
    case Action::kCountTokens:
      return count_tokens(visit, served);
    case Action::kTokenize:
      return answer(visit, served, tokenize_body);
    case Action::kDetokenize:
      return answer(visit, served, detokenize_body);
    case Action::kExport:
      return answer(visit, served, export_body);
    case Action::kImport:
      return answer(visit, served, import_body);
    case Action::kCache:
      return show_cache(visit, served);
    default:
      KVASIR_CHECK(false, "what needs no model was answered before");
  }
}

void ServerImpl::answer(Visit& visit, const Served& served, BodyAnswer* make) {
  Result<Json> body = read_body(visit);
  if (!body.ok()) return respond_error(visit, api_error(body.error()));
  Result<std::string> made = make(served, *body);
  if (!made.ok()) return respond_error(visit, api_error(made.error()));
  respond_ok(visit, std::move(*made));
}

// Files of bad JSON are damaged; a body of it is the client's mistake.
Result<Json> ServerImpl::read_body(const Visit& visit) {
  Result<Json> json = Json::parse(visit.exchange->take_body(), "the body");
  if (json.ok()) return json;
  Error error = std::move(json).error();
  error.kind = ErrorKind::kUsage;
  // A name of any length.
  error.found.clear();
  return error;
}

Result<Call> ServerImpl::read_call(const Visit& visit) {
  KVASIR_ASSIGN_OR_RETURN(const Json body, read_body(visit));
  const HttpRequest& request = visit.exchange->request();
  return visit.route->dialect()->read(
      body, [&request](std::string_view name) { return request.header(name); });
}

// Within a RAM budget any session may read rows of the store, so nothing would be proven.
Status ServerImpl::check_proof(const Served& served, const Call& call) {
  if (!call.wants_proof || !served.model.has_ram_budget) return ok_status();
  return Error{.kind = ErrorKind::kUnsupported,
               .what = "nothing can be proven with a RAM budget",
               .field = "kvasir_proof",
               .remedy = "start the server without --ram"};
}

Result<ServerImpl::ReadCall> ServerImpl::read_and_prepare(const Visit& visit, Served& served) {
  KVASIR_ASSIGN_OR_RETURN(Call call, read_call(visit));
  KVASIR_RETURN_IF_ERROR(check_form(call));
  ReadCall read{.salt = guard_.salt_for(visit.exchange->request(), call.salt)};
  KVASIR_ASSIGN_OR_RETURN(read.brought, add_earlier_messages(served, read.salt, call));
  KVASIR_ASSIGN_OR_RETURN(read.prompts, prepare_prompts(served, call, &read.salt));
  KVASIR_RETURN_IF_ERROR(add_grammar(served, call, read.prompts));
  KVASIR_RETURN_IF_ERROR(check_proof(served, call));
  if (!served.model.keeps_projects && !std::exchange(call.project, {}).empty()) {
    call.ignored.emplace_back("project");
  }
  read.call = std::move(call);
  return read;
}

void ServerImpl::complete(Visit& visit, Served& served) {
  Result<ReadCall> read = read_and_prepare(visit, served);
  if (!read.ok()) return respond_error(visit, api_error(read.error()));
  auto& [call, salt, brought, prompts] = *read;
  if (!call.messages.empty() && served.book) {
    visit.headers.emplace_back("x-kvasir-replayed", std::to_string(prompts.front().said_turns));
  }
  note_repairs(visit, prompts.front().repairs);
  if (const auto error = check_context(served, call, prompts)) return respond_error(visit, *error);
  if (visit.exchange->request().header(kPrefetchHeader) != nullptr) {
    return prefetch(visit, served, std::move(prompts), salt);
  }
  ReplyFacts facts = reply_facts(served, call, prompts);
  if (prompts.size() == 1) {
    facts.comparison = compare_prompt(served, call, prompts.front(), salt);
  }
  std::vector<TurnRecorder> recorders = turn_recorders(served, *visit.route->dialect(), call,
                                                       std::move(brought), prompts, salt, facts);
  std::vector<Keep> keeps = kept_beginnings(served, call, prompts.front(), salt);
  std::vector<ServiceRequest> requests = prepare_requests(served, call, std::move(prompts), salt);
  requests.front().keeps = std::move(keeps);
  const HttpRequest& request = visit.exchange->request();
  visit.headers.emplace_back(
      kSessionHeader, session_name(request.header(kSessionHeader), call.conversation, facts.id));
  const bool hands_over = request.header(kHandoverHeader) != nullptr;
  for (ServiceRequest& one : requests) one.hands_over = hands_over;
  std::function<void(std::span<const int32_t>)> on_said;
  if (facts.comparison) {
    on_said = remember_prompt(served, call, requests.front().prompt, salt, facts.id);
  }
  if (!call.ignored.empty()) {
    visit.headers.emplace_back("x-kvasir-ignored",
                               fmt::format("{}", fmt::join(call.ignored, ", ")));
  }
  // The view is of callers who are not kept apart.
  const bool is_shown = salt.empty();
  const auto on_over = [this, is_shown, session = call.conversation](const AccessEntry& entry) {
    add_to_log(entry);
    if (is_shown) add_to_view(entry, session);
  };
  CompletionRun::start({.service = served.service.get(),
                        .dialect = visit.route->dialect(),
                        .exchange = visit.exchange,
                        .call = std::move(call),
                        .facts = std::move(facts),
                        .requests = std::move(requests),
                        .recorders = std::move(recorders),
                        .on_said = std::move(on_said),
                        .headers = visit.headers,
                        .heartbeat_period = options_.heartbeat_period,
                        .entry = visit.entry,
                        .on_over = on_over});
}

void ServerImpl::prefetch(Visit& visit, const Served& served, std::vector<PreparedPrompt> prompts,
                          const std::string& salt) {
  int64_t tokens = 0;
  for (PreparedPrompt& prompt : prompts) {
    tokens += std::ssize(prompt.tokens);
    const auto id = served.service->submit(
        {.prompt = std::move(prompt.tokens), .only_prefetches = true, .salt = salt}, {});
    if (!id.ok()) return respond_error(visit, api_error(id.error()));
  }
  respond(visit,
          {.status = 202,
           .headers = {{"content-type", "application/json"}},
           .body = fmt::format(R"({{"object":"kvasir.prefetch","input_tokens":{}}})", tokens)});
}

void ServerImpl::note_repairs(Visit& visit, const Repairs& repairs) {
  if (const std::string words = repairs.words(); !words.empty()) {
    visit.headers.emplace_back("x-kvasir-repairs", words);
  }
  const std::lock_guard lock(mutex_);
  repairs_ += repairs;
}

void ServerImpl::count_tokens(Visit& visit, Served& served) {
  Result<Call> call = read_call(visit);
  if (!call.ok()) return respond_error(visit, api_error(call.error()));
  const std::string salt = guard_.salt_for(visit.exchange->request(), call->salt);
  if (const auto brought = add_earlier_messages(served, salt, *call); !brought.ok()) {
    return respond_error(visit, api_error(brought.error()));
  }
  const Result<std::vector<PreparedPrompt>> prompts = prepare_prompts(served, *call, &salt);
  if (!prompts.ok()) return respond_error(visit, api_error(prompts.error()));
  int64_t count = 0;
  for (const PreparedPrompt& prompt : *prompts) count += std::ssize(prompt.tokens);
  // Clients of Messages look at the count alone.
  respond_ok(visit,
             fmt::format(R"({{"object":"response.input_tokens","input_tokens":{}}})", count));
}

// First words of what one caller stored are nothing for the others.
void ServerImpl::show_cache(Visit& visit, Served& served) {
  if (guard_.parts_callers()) {
    return respond_error(visit, {.kind = ApiErrorKind::kPermission,
                                 .message = "this server has several API keys, so nobody is shown "
                                            "what its cache holds"});
  }
  visit.headers.emplace_back("cache-control", "no-store");
  visit.headers.emplace_back("x-content-type-options", "nosniff");
  visit.headers.emplace_back("cross-origin-resource-policy", "same-origin");
  respond_ok(visit, cache_view_.body(served));
}

void ServerImpl::respond_ok(Visit& visit, std::string body, const char* type) {
  respond(visit, {.headers = {{"content-type", type}}, .body = std::move(body)});
}

void ServerImpl::respond_error(Visit& visit, const ApiError& error) {
  visit.entry.outcome = "refused";
  const Dialect& dialect = dialect_for(visit.exchange->request().path);
  respond(visit, error_response(dialect, error, visit.entry.request_id, {}));
}

void ServerImpl::respond(Visit& visit, HttpResponse response) {
  response.headers.insert(response.headers.end(), visit.headers.begin(), visit.headers.end());
  visit.entry.status = response.status;
  visit.entry.ms = visit.watch.elapsed_ms();
  add_to_log(visit.entry);
  visit.exchange->respond(std::move(response));
}

HttpHeaders ServerImpl::response_headers(const HttpRequest& head, const std::string& id) const {
  HttpHeaders headers = guard_.cors_headers(head);
  for (const auto& header : id_headers(id)) headers.push_back(header);
  return headers;
}

void ServerImpl::add_to_log(const AccessEntry& entry) {
  {
    const std::lock_guard lock(mutex_);
    ++answers_[{entry.path, entry.status}];
  }
  log_.add(entry);
}

void ServerImpl::add_to_view(const AccessEntry& entry, const std::string& session) {
  if (entry.prompt_tokens <= 0) return;
  const int64_t reused =
      entry.reused_ram_tokens + entry.reused_disk_tokens + entry.reused_remote_tokens;
  cache_view_.add({.id = entry.request_id,
                   .at_s = static_cast<double>(std::time(nullptr)),
                   .session = one_line(session, kSessionBytesMax, "\u2026"),
                   .prompt_tokens = entry.prompt_tokens,
                   .reused_ram_tokens = entry.reused_ram_tokens,
                   .reused_disk_tokens = entry.reused_disk_tokens,
                   .reused_remote_tokens = entry.reused_remote_tokens,
                   .computed_tokens = entry.prompt_tokens - reused,
                   .why = entry.reuse});
}

std::string ServerImpl::metrics() {
  const HttpServer* http = listening_;
  MetricsInput input{.http = http != nullptr ? http->counts() : HttpCounts{},
                     .process_rss_bytes = rss_bytes(),
                     .started_at_s = started_at_s_};
  const std::shared_ptr<Served> served = this->served();
  if (served) {
    input.model = served->model.name;
    input.service = served->service->metrics();
    input.store = served->service->store_metrics();
    input.remote = served->service->engine().remote_metrics();
  }
  {
    const std::lock_guard lock(mutex_);
    input.repairs = repairs_;
    for (const auto& [key, count] : answers_) {
      input.routes.push_back({.route = key.first, .status = key.second, .count = count});
    }
  }
  return metrics_text(input);
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(ServerOptions options) {
  options.http.connections_max = connections_within_file_limit(options.http.connections_max);
  auto server = std::make_unique<ServerImpl>(std::move(options));
  KVASIR_RETURN_IF_ERROR(server->listen());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace kvasir::server
