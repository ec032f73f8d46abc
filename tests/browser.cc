#include "browser.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "base/check.h"

namespace kvasir::testing {
namespace {

constexpr int kPatienceMs = 60'000;
constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string to_base64(std::string_view bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = i; k < i + 3; ++k) {
      bits = bits << 8 | (k < bytes.size() ? static_cast<uint8_t>(bytes[k]) : 0);
    }
    for (size_t k = 0; k < 4; ++k) {
      text += i + k <= bytes.size() ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
    }
  }
  return text;
}

std::string from_base64(std::string_view text) {
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const size_t digit = kDigits.find(c);
    if (digit == kDigits.npos) break;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    if (count += 6; count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xFF);
  }
  return bytes;
}

// The browser reads commands from descriptor 3 and writes to 4.
[[noreturn]] void become_browser(int commands, int answers, const std::string& profile) {
  const int in = fcntl(commands, F_DUPFD, 10);
  const int out = fcntl(answers, F_DUPFD, 10);
  dup2(in, 3);
  dup2(out, 4);
  close(in);
  close(out);
  const int nothing = ::open("/dev/null", O_RDWR);
  for (int output = 0; output < 3; ++output) dup2(nothing, output);
  const std::string folder = "--user-data-dir=" + profile;
  execlp("chromium", "chromium", "--headless", "--no-sandbox", "--disable-gpu",
         "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
         "--no-first-run", "--hide-scrollbars", "--force-device-scale-factor=1",
         "--remote-debugging-pipe", folder.c_str(), "about:blank", static_cast<char*>(nullptr));
  _exit(127);
}

const Json* member(const Json* json, std::initializer_list<const char*> names) {
  for (const char* name : names) json = json == nullptr ? nullptr : json->find(name);
  return json;
}

std::string text_of(const Json& json, std::initializer_list<const char*> names) {
  const Json* found = member(&json, names);
  return found != nullptr && found->as_string() != nullptr ? *found->as_string() : "";
}

struct Key {
  const char* name;
  int code;
  const char* text;
};
constexpr Key kKeys[] = {{"Enter", 13, "\r"},   {"Tab", 9, ""},         {"Escape", 27, ""},
                         {"ArrowLeft", 37, ""}, {"ArrowRight", 39, ""}, {"ArrowUp", 38, ""}};

}  // namespace

Browser::Browser() {
  signal(SIGPIPE, SIG_IGN);
  int commands[2];
  int answers[2];
  KVASIR_CHECK(pipe2(commands, O_CLOEXEC) == 0 && pipe2(answers, O_CLOEXEC) == 0, "two pipes");
  pid_ = fork();
  KVASIR_CHECK(pid_ >= 0, "another process");
  if (pid_ == 0) become_browser(commands[0], answers[1], directory_.file("profile"));
  close(commands[0]);
  close(answers[1]);
  to_ = commands[1];
  from_ = answers[0];
}

Browser::~Browser() {
  send("Browser.close", {}, "");
  close(to_);
  close(from_);
  ::kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Browser::open(const std::string& url) {
  if (!context_.empty()) {
    send("Target.disposeBrowserContext", {{"browserContextId", context_}}, "");
  }
  session_.clear();
  urls_.clear();
  complaints_.clear();
  instead_.clear();
  context_ = text_of(send("Target.createBrowserContext", {}, ""), {"browserContextId"});
  const std::string target = text_of(
      send("Target.createTarget", {{"url", "about:blank"}, {"browserContextId", context_}}, ""),
      {"targetId"});
  session_ = text_of(send("Target.attachToTarget", {{"targetId", target}, {"flatten", true}}, ""),
                     {"sessionId"});
  ASSERT_FALSE(session_.empty()) << "chromium is needed: ./kvasir.sh setup";
  for (const char* domain : {"Page", "Runtime", "Network", "Log"}) {
    call(std::string(domain) + ".enable");
  }
  has_loaded_ = false;
  call("Page.navigate", {{"url", url}});
  while (!has_loaded_) take_event(read_message());
}

void Browser::reload() {
  has_loaded_ = false;
  call("Page.reload");
  while (!has_loaded_) take_event(read_message());
}

Json Browser::evaluate(const std::string& expression) {
  const Json answer =
      call("Runtime.evaluate",
           {{"expression", expression}, {"returnByValue", true}, {"awaitPromise", true}});
  EXPECT_EQ(member(&answer, {"exceptionDetails"}), nullptr) << expression << answer.dump();
  const Json* value = member(&answer, {"result", "value"});
  return value == nullptr ? Json() : *value;
}

bool Browser::holds(const std::string& expression) {
  const Json value = evaluate("!!(" + expression + ")");
  return value.as_bool() != nullptr && *value.as_bool();
}

std::string Browser::text(const std::string& expression) {
  const Json value = evaluate("String(" + expression + ")");
  return value.as_string() == nullptr ? "" : *value.as_string();
}

int64_t Browser::number(const std::string& expression) {
  const Json value = evaluate("Math.round(" + expression + ")");
  return value.as_integer() == nullptr ? -1 : *value.as_integer();
}

bool Browser::eventually(const std::string& expression) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatienceMs);
  while (std::chrono::steady_clock::now() < end) {
    if (holds(expression)) return true;
    if (::testing::Test::HasFatalFailure()) return false;
    usleep(20'000);
  }
  return false;
}

void Browser::type(const std::string& text) { call("Input.insertText", {{"text", text}}); }

void Browser::press(const std::string& key) {
  constexpr std::string_view kShift = "Shift+";
  constexpr int kShiftBit = 8;
  const bool has_shift = key.starts_with(kShift);
  const std::string name = has_shift ? key.substr(kShift.size()) : key;
  for (const Key& one : kKeys) {
    if (name != one.name) continue;
    Json::Object event{{"type", *one.text != '\0' ? "keyDown" : "rawKeyDown"},
                       {"key", name},
                       {"code", name},
                       {"modifiers", has_shift ? kShiftBit : 0},
                       {"windowsVirtualKeyCode", one.code},
                       {"text", one.text}};
    call("Input.dispatchKeyEvent", event);
    event.front().second = "keyUp";
    event.pop_back();
    call("Input.dispatchKeyEvent", std::move(event));
    return;
  }
  FAIL() << "no such key: " << key;
}

void Browser::resize(int width, int height) {
  call("Emulation.setDeviceMetricsOverride",
       {{"width", width}, {"height", height}, {"deviceScaleFactor", 1}, {"mobile", false}});
}

void Browser::prefer_dark(bool is_dark) {
  call("Emulation.setEmulatedMedia",
       {{"features", Json::Array{Json::Object{{"name", "prefers-color-scheme"},
                                              {"value", is_dark ? "dark" : "light"}}}}});
}

std::string Browser::screenshot_png() {
  return from_base64(text_of(call("Page.captureScreenshot", {{"format", "png"}}), {"data"}));
}

void Browser::answer_instead(const std::string& url_end, const std::string& content_type,
                             const std::string& body) {
  instead_.push_back({.url_end = url_end, .content_type = content_type, .body = body});
  call("Fetch.enable", {{"patterns", Json::Array{Json::Object{{"urlPattern", "*" + url_end}}}}});
}

void Browser::answer_no_more() {
  instead_.clear();
  call("Fetch.disable");
}

Json Browser::call(const std::string& method, Json::Object parameters) {
  return send(method, std::move(parameters), session_);
}

int64_t Browser::post(const std::string& method, Json::Object parameters,
                      const std::string& session) {
  const int64_t id = ++newest_id_;
  Json::Object message{{"id", id}, {"method", method}, {"params", std::move(parameters)}};
  if (!session.empty()) message.emplace_back("sessionId", session);
  std::string text = Json(std::move(message)).dump();
  text += '\0';
  const bool is_sent = write(to_, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  return is_sent ? id : -1;
}

// Returns the result; of what failed its error, where the browser has not gone.
Json Browser::send(const std::string& method, Json::Object parameters, const std::string& session) {
  const int64_t id = post(method, std::move(parameters), session);
  if (id < 0) return {};
  while (true) {
    const Json answer = read_message();
    if (answer.is_null()) return {};
    const Json* of = answer.find("id");
    if (of == nullptr) {
      take_event(answer);
    } else if (*of->as_integer() == id) {
      const Json* result = answer.find("result");
      return result != nullptr ? *result : answer;
    }
  }
}

void Browser::take_event(const Json& event) {
  if (event.is_null()) {
    has_loaded_ = true;
    return;
  }
  if (text_of(event, {"sessionId"}) != session_) return;
  const std::string method = text_of(event, {"method"});
  if (method == "Page.loadEventFired") has_loaded_ = true;
  if (method == "Network.requestWillBeSent") {
    urls_.push_back(text_of(event, {"params", "request", "url"}));
  }
  if (method == "Runtime.exceptionThrown" || method == "Page.javascriptDialogOpening" ||
      (method == "Log.entryAdded" && text_of(event, {"params", "entry", "source"}) != "network")) {
    complaints_.push_back(event.dump());
  }
  if (method == "Fetch.requestPaused") take_paused(*event.find("params"));
}

void Browser::take_paused(const Json& parameters) {
  const std::string url = text_of(parameters, {"request", "url"});
  for (const Instead& instead : instead_) {
    if (!url.ends_with(instead.url_end) || instead.body.empty()) continue;
    post("Fetch.fulfillRequest",
         {{"requestId", text_of(parameters, {"requestId"})},
          {"responseCode", 200},
          {"responseHeaders",
           Json::Array{Json::Object{{"name", "content-type"}, {"value", instead.content_type}}}},
          {"body", to_base64(instead.body)}},
         session_);
    return;
  }
}

// Null: the browser has gone, or says nothing any more.
Json Browser::read_message() {
  size_t end = 0;
  while ((end = received_.find('\0')) == received_.npos) {
    pollfd one{.fd = from_, .events = POLLIN, .revents = 0};
    char bytes[65536];
    const ssize_t count =
        poll(&one, 1, kPatienceMs) > 0 ? read(from_, bytes, sizeof bytes) : ssize_t{0};
    if (count <= 0) {
      ADD_FAILURE() << "the browser has gone, or is silent";
      return {};
    }
    received_.append(bytes, static_cast<size_t>(count));
  }
  const auto json = Json::parse(received_.substr(0, end), "the browser");
  received_.erase(0, end + 1);
  return json.ok() ? *json : Json(Json::Object{});
}

}  // namespace kvasir::testing
