// The page of `kvasir serve` in headless Chromium, with the bundled model: what a person does with
// keys and buttons, and what the page shows of the chat and of the cache.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>

#include "browser.h"
#include "cli_driver.h"
#include "server_process.h"

namespace kvasir {
namespace {

using testing::Browser;
using testing::ServerProcess;

constexpr const char* kKey = "key-of-the-first-one";
constexpr const char* kOtherKey = "key-of-the-other-one";
constexpr const char* kChatUrl = "/v1/chat/completions";
constexpr const char* kIsIdle = "!document.querySelector('.live') && !at('send').hidden";

constexpr const char* kIsAnswered =
    "!document.querySelector('.live') && document.querySelector('.reuse')";

// More than a block of tokens.
std::string long_text(const std::string& begin) {
  std::string text = begin;
  for (int i = 0; i < 200; ++i) text += " word" + std::to_string(i);
  return text;
}

std::string quoted(const std::string& text) { return Json(text).dump(); }

class Page : public testing::CliTest {
 protected:
  static void SetUpTestSuite() { browser_ = std::make_unique<Browser>(); }
  static void TearDownTestSuite() { browser_.reset(); }

  void TearDown() override {
    for (const std::string& complaint : browser().complaints()) ADD_FAILURE() << complaint;
    for (const std::string& url : browser().urls()) {
      EXPECT_TRUE(url.starts_with(address_) || url.starts_with("data:")) << url;
    }
  }

  static Browser& browser() { return *browser_; }

  void start(std::vector<std::string> arguments = {}) {
    const bool has_store = std::ranges::find(arguments, "--no-store") == arguments.end();
    if (has_store) arguments.insert(arguments.end(), {"--store", directory_.file("store")});
    server_ = std::make_unique<ServerProcess>(std::move(arguments));
    address_ = "http://127.0.0.1:" + std::to_string(server_->port()) + "/";
    browser().resize(1280, 800);
    browser().open(address_);
  }

  // Short answers without reasoning, and ready for the first message.
  void start_chat() {
    start();
    ASSERT_TRUE(browser().eventually("at('dot').className === 'good'"));
    set("max-tokens", "12");
    set("temperature", "0");
    set("effort", "none");
  }

  static void set(const std::string& id, const std::string& value) {
    browser().evaluate("at('" + id + "').value = " + quoted(value) + "; at('" + id +
                       "').dispatchEvent(new Event('input'))");
  }

  static void say(const std::string& text) {
    browser().evaluate("at('box').focus()");
    browser().type(text);
    browser().press("Enter");
  }

  // The texts of all messages that are shown.
  static std::string shown() {
    return browser().text(
        "[...document.querySelectorAll('.message .body')].map((one) => one.textContent).join('|')");
  }
  static int64_t count_of(const std::string& selector) {
    return browser().number("document.querySelectorAll(" + quoted(selector) + ").length");
  }

  // Goes on by the tab key until the focus is where it is to be. Every stop on the way is visible.
  static bool tab_to(const std::string& selector, const std::string& key = "Tab") {
    for (int i = 0; i < 80; ++i) {
      browser().press(key);
      EXPECT_TRUE(browser().holds(
          "[document.activeElement, document.activeElement.closest('.field') ?? document.body]"
          ".some((one) => one === document.body && document.activeElement === document.body ||"
          " getComputedStyle(one).outlineStyle !== 'none' || "
          "getComputedStyle(one).boxShadow !== 'none')"))
          << browser().text("document.activeElement.outerHTML");
      if (browser().holds("document.activeElement.matches(" + quoted(selector) + ")")) return true;
    }
    return false;
  }

  std::string address_;

 private:
  static inline std::unique_ptr<Browser> browser_;
  std::unique_ptr<ServerProcess> server_;
};

TEST_F(Page, StreamsAnswersAndShowsWhatTheyLeaveInTheCache) {
  start_chat();
  browser().evaluate(
      "globalThis.pieces = 0; const add = addEvent; addEvent = (node, event) => {"
      " pieces += event.choices?.[0]?.delta?.content ? 1 : 0; add(node, event); }");
  say(long_text("Once upon a time"));
  ASSERT_TRUE(browser().eventually("document.querySelector('.reuse')"));
  EXPECT_GT(browser().number("pieces"), 1) << "the answer came in pieces";
  EXPECT_EQ(count_of(".message.user"), 1);
  EXPECT_EQ(count_of(".message.assistant"), 1);
  EXPECT_EQ(browser().text("document.querySelector('.reuse').dataset.reused"), "0");
  EXPECT_TRUE(browser().eventually(
      "[...document.querySelectorAll('.run')].some((one) => Number(one.dataset.end) >= 128 &&"
      " one.textContent.includes('Once upon a time'))"))
      << browser().text("at('runs').textContent");
  EXPECT_TRUE(browser().eventually(
      "document.querySelector('.run .session')?.textContent.includes('Once upon a time')"))
      << "whose it is";
  say("And then?");
  ASSERT_TRUE(browser().eventually("document.querySelectorAll('.reuse').length === 2"));
  EXPECT_GT(browser().number("document.querySelectorAll('.reuse')[1].dataset.reused"), 128);
  EXPECT_TRUE(browser().eventually(
      "Number(document.querySelector('#totals [data-kind=ram]').dataset.tokens) >= 128"));
  EXPECT_TRUE(browser().eventually(
      "Number(document.querySelector('#last [data-kind=ram]')?.dataset.tokens) >= 128"))
      << browser().text("at('last').textContent");
  EXPECT_NE(browser().text("at('why').textContent").find("earlier prompt"), std::string::npos);
  EXPECT_NE(browser().text("at('saved-seconds').textContent"), "–");
  // It is there again when the page is.
  const std::string before = shown();
  browser().reload();
  ASSERT_TRUE(browser().eventually("at('dot').className === 'good'"));
  EXPECT_EQ(shown(), before);
}

TEST_F(Page, EarlierMessagesAreEditedIntoBranches) {
  start_chat();
  say("First question");
  ASSERT_TRUE(browser().eventually("document.querySelectorAll('.reuse').length === 1"));
  say("Second question");
  ASSERT_TRUE(browser().eventually("document.querySelectorAll('.reuse').length === 2"));
  const std::string before = shown();
  browser().evaluate("document.querySelector('.message.user .edit').click()");
  browser().evaluate("document.querySelector('.editor textarea').select()");
  browser().type("Another question");
  browser().press("Enter");
  ASSERT_TRUE(browser().eventually(kIsAnswered));
  EXPECT_EQ(count_of(".message.user"), 1) << shown();
  EXPECT_TRUE(shown().starts_with("Another question|")) << shown();
  EXPECT_EQ(browser().text("document.querySelector('.branch').textContent"), "‹2/2›");
  browser().evaluate("document.querySelector('.branch button').click()");
  EXPECT_EQ(shown(), before);
  // Another answer, and an answer that is edited, are branches too.
  browser().evaluate("[...document.querySelectorAll('.again')].at(-1).click()");
  ASSERT_TRUE(browser().eventually(
      kIsIdle + std::string(" && document.querySelectorAll('.branch').length === 2")));
  browser().evaluate("[...document.querySelectorAll('.message.assistant .edit')].at(-1).click()");
  browser().evaluate("document.querySelector('.editor textarea').select()");
  browser().type("What I would have said");
  browser().press("Enter");
  EXPECT_TRUE(shown().ends_with("|What I would have said")) << shown();
  EXPECT_EQ(browser().text("[...document.querySelectorAll('.branch')].at(-1).textContent"),
            "‹3/3›");
  browser().reload();
  ASSERT_TRUE(browser().eventually("at('dot').className === 'good'"));
  EXPECT_TRUE(shown().ends_with("|What I would have said")) << "branches are kept";
}

TEST_F(Page, KeysAreEnough) {
  start_chat();
  EXPECT_TRUE(browser().holds("document.activeElement === at('box')"));
  browser().type("Hello");
  browser().press("Enter");
  ASSERT_TRUE(browser().eventually("document.querySelector('.reuse')"));
  // Up arrow edits what was said last; escape gives it up.
  browser().press("ArrowUp");
  ASSERT_TRUE(browser().holds("document.activeElement.matches('.editor textarea')"));
  browser().press("Escape");
  EXPECT_TRUE(browser().holds("document.activeElement.matches('.edit')"));
  browser().evaluate("at('box').focus()");
  ASSERT_TRUE(tab_to(".message.user .edit", "Shift+Tab"));
  browser().press("Enter");
  ASSERT_TRUE(browser().holds("document.activeElement.matches('.editor textarea')"));
  browser().type(" there");
  browser().press("Enter");
  ASSERT_TRUE(browser().eventually(kIsAnswered));
  EXPECT_TRUE(shown().starts_with("Hello there|")) << shown();
  EXPECT_TRUE(browser().holds("document.activeElement === at('box')"));
  ASSERT_TRUE(tab_to(".message.user .branch button", "Shift+Tab"));
  browser().press("Enter");
  EXPECT_TRUE(shown().starts_with("Hello|")) << shown();
  // What was answered is read out.
  EXPECT_TRUE(browser().holds("at('announcer').textContent.length > 0"));
  // A request that nobody answers is given up.
  browser().answer_instead(kChatUrl, "", "");
  browser().evaluate("at('box').focus()");
  browser().type("Are you there?");
  browser().press("Enter");
  ASSERT_TRUE(browser().eventually("document.querySelector('.live')"));
  browser().press("Escape");
  ASSERT_TRUE(browser().eventually(kIsIdle));
  EXPECT_TRUE(browser().text("document.querySelector('li:last-child .foot').textContent") ==
              "stopped");
  browser().answer_no_more();
  // Every control is reached, and nothing holds the focus.
  for (const char* place : {"#conversations", "#settings-button", "#box"}) {
    EXPECT_TRUE(tab_to(place)) << place;
  }
  EXPECT_EQ(
      browser().text("[...document.querySelectorAll('button, input, textarea, select')].filter("
                     "(one) => !one.textContent.trim() && !one.ariaLabel && !one.labels?.length)"
                     ".map((one) => one.outerHTML).join()"),
      "")
      << "each has a name";
}

TEST_F(Page, FitsANarrowScreen) {
  start_chat();
  browser().resize(360, 740);
  say(long_text("Narrow") + " " + std::string(300, 'x'));
  ASSERT_TRUE(browser().eventually(kIsAnswered));
  ASSERT_TRUE(browser().eventually("document.querySelector('.run')"));
  browser().evaluate("at('settings-button').click()");
  const auto expect_fit = [](const char* what) {
    EXPECT_EQ(browser().number("Math.max(document.documentElement.scrollWidth, ...['chat', 'cache',"
                               " 'messages', 'settings'].map((id) => at(id).scrollWidth -"
                               " at(id).clientWidth + 360))"),
              360)
        << what;
    EXPECT_EQ(browser().text("[...document.querySelectorAll('button, input, textarea, select')]"
                             ".filter((one) => one.getBoundingClientRect().right > 360)"
                             ".map((one) => one.outerHTML).join()"),
              "")
        << what;
  };
  expect_fit("chat");
  EXPECT_TRUE(browser().holds("at('cache').offsetWidth === 0 && at('chat').offsetWidth === 360"));
  browser().evaluate("at('tab-chat').focus()");
  browser().press("ArrowRight");
  EXPECT_TRUE(browser().holds("at('cache').offsetWidth === 360 && at('chat').offsetWidth === 0"));
  EXPECT_TRUE(browser().holds("document.activeElement === at('tab-cache')"));
  expect_fit("cache");
}

std::string event_of(const std::string& delta, const char* end = "null") {
  return R"(data: {"choices":[{"index":0,"delta":)" + delta + R"(,"finish_reason":)" + end +
         "}]}\n\n";
}

// What a person, a model or a tool says is text, whatever it looks like.
TEST_F(Page, TextIsNoMarkup) {
  start_chat();
  const std::string markup =
      "<img src=x onerror=globalThis.taken=1><script>globalThis.taken=1</script>";
  say(long_text(markup));
  ASSERT_TRUE(browser().eventually("document.querySelector('.reuse')"));
  EXPECT_TRUE(
      browser().eventually("document.querySelector('.run')?.textContent.includes('<img src=x')"))
      << browser().text("at('runs').textContent");
  const std::string text = quoted(markup);
  const std::string call = R"({"tool_calls":[{"index":0,"id":)" + text + R"(,"type":"function",)" +
                           R"("function":{"name":)" + text + R"(,"arguments":)" + text + "}}]}";
  browser().answer_instead(
      kChatUrl, "text/event-stream",
      event_of(R"({"reasoning_content":)" + text + "}") +
          event_of(R"({"content":)" + quoted(markup + "\n```html\n" + markup) + "}") +
          event_of(call) + event_of("{}", R"("tool_calls")") + "data: [DONE]\n\n");
  say("Call it");
  ASSERT_TRUE(browser().eventually(kIsIdle + std::string(" && document.querySelector('.call')")));
  browser().evaluate("document.querySelector('.reasoning').open = true");
  for (const char* place : {".call b", ".call pre", ".reasoning .text", ".assistant .body pre",
                            "li:last-child .body .text"}) {
    EXPECT_EQ(browser().text("document.querySelector(" + quoted(place) + ").textContent.trim()"),
              markup)
        << place;
  }
  // The tool's answer too, and an error's words.
  browser().answer_instead(kChatUrl, "text/event-stream",
                           R"(data: {"error":{"message":)" + text + "}}\n\n");
  browser().evaluate("document.querySelector('.call textarea').value = " + text +
                     "; document.querySelector('.call button').click()");
  browser().answer_no_more();
  ASSERT_TRUE(browser().eventually("document.querySelector('.message.tool')"));
  ASSERT_TRUE(browser().eventually(kIsIdle));
  EXPECT_EQ(count_of("#chat img, #cache img, #chat script"), 0);
  EXPECT_TRUE(browser().holds("globalThis.taken === undefined"));
}

// What the server says of requests, its own words included, is shown as it says it.
TEST_F(Page, ShowsTheLastRequestAndWhyNotMoreWasReused) {
  start_chat();
  say("Hello");
  ASSERT_TRUE(browser().eventually("document.querySelector('.reuse') && cache.data"));
  const std::string cache = browser().text(
      "JSON.stringify({...cache.data, requests: [3, 2].map((n) => ({id: 'r' + n, at_s: 1e9,"
      " session: n === 3 ? book.current.id : 'another', prompt_tokens: 100 + n,"
      " reused_ram_tokens: 60, reused_disk_tokens: 30, computed_tokens: 10 + n,"
      " why: '<b>message ' + n + '</b> differs'}))})");
  browser().answer_instead("/kvasir/cache", "application/json", cache);
  browser().evaluate("cache.refresh()");
  ASSERT_TRUE(browser().eventually("at('why')"));
  EXPECT_EQ(browser().text("at('why').textContent"), "<b>message 3</b> differs.")
      << "this conversation's goes before a newer one";
  const auto tokens = [](const std::string& kind) {
    return browser().text("document.querySelector('#last [data-kind=" + kind +
                          "]').dataset.tokens");
  };
  EXPECT_EQ(tokens("ram"), "60");
  EXPECT_EQ(tokens("disk"), "30");
  EXPECT_EQ(tokens("new"), "13");
  EXPECT_EQ(count_of("#recent tbody tr"), 2);
  browser().answer_no_more();
}

// Of other servers it speaks only where there may be some.
TEST_F(Page, ShowsWhatCameFromOtherServers) {
  start({"--no-store"});
  ASSERT_TRUE(browser().eventually("cache.data && !at('view').hidden"));
  EXPECT_EQ(count_of("[data-kind=remote]"), 0);
  const std::string cache = browser().text(
      "JSON.stringify({...cache.data, remote: {endpoints: [{label: 'redis://10.0.0.5:6379',"
      " read_bytes: 2048, written_bytes: 0, is_closed_off: true}]},"
      " store: {budget_bytes: 1, file_bytes: 1, evicted_blocks: 0, evicted_states: 0, runs: []},"
      " totals: {...cache.data.totals, reused_ram_tokens: 20, reused_remote_tokens: 500},"
      " requests: [{id: 'r', at_s: 1e9, session: '', prompt_tokens: 600, reused_ram_tokens: 0,"
      " reused_disk_tokens: 0, reused_remote_tokens: 512, computed_tokens: 88, why: ''}]})");
  browser().answer_instead("/kvasir/cache", "application/json", cache);
  browser().evaluate("cache.refresh()");
  ASSERT_TRUE(browser().eventually("document.querySelector('#last [data-kind=remote]')"));
  EXPECT_EQ(browser().text("at('saved-tokens').textContent"), "520");
  EXPECT_EQ(browser().text("document.querySelector('#last [data-kind=remote]').dataset.tokens"),
            "512");
  EXPECT_TRUE(
      browser().holds("[...document.querySelectorAll('#recent td')].some("
                      "(cell) => cell.textContent === '512')"));
  const std::string note = browser().text("document.querySelector('.engine').textContent");
  EXPECT_NE(note.find("redis://10.0.0.5:6379: 2"), std::string::npos) << note;
  EXPECT_NE(note.find("left alone"), std::string::npos) << note;
  browser().answer_no_more();
}

TEST_F(Page, SaysThatThereIsNoStore) {
  start({"--no-store"});
  ASSERT_TRUE(browser().eventually("!at('view').hidden"));
  EXPECT_TRUE(browser().holds("at('room').textContent.includes('nothing outlives the server')"));
  EXPECT_TRUE(browser().holds("at('runs').textContent.includes('There is no store')"));
}

// The bill is the planner's, to the byte.
TEST_F(Page, SaysOfContextsWhatThePlannerSays) {
  start();
  ASSERT_TRUE(browser().eventually("!at('view').hidden"));
  const auto bytes = [](int row) {
    return browser().text("document.querySelectorAll('#bill dd')[" + std::to_string(row) +
                          "].dataset.bytes");
  };
  int row = 0;
  for (const char* context : {"32k", "128k", "1M"}) {
    const Json plan = run_json("plan " + std::string(KVASIR_SOURCE_DIR) +
                               "/models/kvasir-tiny --json --context " + context);
    EXPECT_EQ(bytes(++row), std::to_string(integer(*plan.find("bill"), "ram_bytes"))) << context;
    EXPECT_EQ(std::stod(bytes(0)), number(*plan.find("bill"), "bytes_per_token"));
  }
}

// Even if the page had a hole, its policy runs no other script and sends nothing elsewhere.
TEST_F(Page, PolicyHolds) {
  start();
  EXPECT_TRUE(
      browser().holds("(() => { try { document.body.innerHTML = '<b>x</b>'; return false; }"
                      " catch (error) { return error instanceof TypeError; } })()"));
  EXPECT_TRUE(browser().holds(
      "new Promise((done) => { addEventListener('securitypolicyviolation', (event) => "
      "done(event.effectiveDirective === 'connect-src'));"
      " fetch('http://127.0.0.1:1/').catch(() => {}); })"));
  EXPECT_GE(browser().complaints().size(), 2u) << "the browser says what it blocked";
  browser().forget_complaints();
  EXPECT_TRUE(
      browser().holds("fetch('/').then((answer) => answer.headers.get("
                      "'content-security-policy').includes(\"default-src 'none'\"))"));
  EXPECT_TRUE(browser().holds(
      "fetch('/').then((answer) => answer.text()).then((text) => "
      "!/(src|href)=.?(https?:)?\\/\\/|@import|<link rel=.stylesheet/.test(text))"));
}

void write_keys(const std::string& path, const std::string& keys) {
  testing::write_file(path, keys);
  std::system(("chmod 600 " + path).c_str());
}

TEST_F(Page, AsksForAKeyAndKeepsItForThisTabAlone) {
  write_keys(directory_.file("keys"), std::string(kKey) + "\n");
  start({"--api-key-file", directory_.file("keys")});
  ASSERT_TRUE(browser().eventually("!at('key-form').hidden"));
  EXPECT_TRUE(browser().holds("at('view').hidden"));
  browser().evaluate("at('key').focus()");
  browser().type(kKey);
  browser().press("Enter");
  ASSERT_TRUE(browser().eventually("at('dot').className === 'good' && at('notice').hidden"));
  ASSERT_TRUE(browser().eventually("!at('view').hidden"));
  set("max-tokens", "4");
  say("Hello");
  ASSERT_TRUE(browser().eventually("document.querySelector('.reuse')"));
  EXPECT_FALSE(browser().holds("JSON.stringify(localStorage).includes(" + quoted(kKey) + ")"));
}

TEST_F(Page, SaysWhyThereIsNoCacheWhereSeveralHaveKeys) {
  write_keys(directory_.file("keys"), std::string(kKey) + "\n" + kOtherKey + "\n");
  start({"--api-key-file", directory_.file("keys")});
  ASSERT_TRUE(browser().eventually("!at('key-form').hidden"));
  browser().evaluate("at('key').value = " + quoted(kOtherKey) +
                     "; document.querySelector('#key-form button').click()");
  ASSERT_TRUE(browser().eventually("at('dot').className === 'good' && !at('no-cache').hidden"));
  EXPECT_TRUE(browser().holds("at('no-cache').textContent.includes('several API keys')"));
  set("max-tokens", "4");
  say("Hello");
  EXPECT_TRUE(browser().eventually("document.querySelector('.reuse')"));
}

// Longer than a block, so that conversations share one.
constexpr const char* kSystem =
    "You are the steward of an old meadery and answer its guests. Answer in one or two plain "
    "sentences, kindly, and without lists. Guests ask about honey, water, yeast, barrels and time, "
    "about the weather of the year, and about the tales that are told where mead is drunk. What "
    "you do not know you say you do not know. Prices are in the book at the door; the cellar is "
    "open from noon until the sun is down. Nobody who drives is served, and nobody who is too "
    "young. If a guest asks for a tale, tell a short one and end it well. If a guest asks how "
    "something is made, say first what is needed, then what is done, then how long it takes, and "
    "leave out all that does not matter to somebody who makes it for the first time.";

int64_t width_of(const std::string& png) {
  int64_t width = 0;
  for (size_t i = 16; i < 20 && i < png.size(); ++i) {
    width = width << 8 | static_cast<uint8_t>(png[i]);
  }
  return width;
}

// Pictures of a conversation. KVASIR_PAGE_PICTURES=DIR writes those of docs/page.md there, with
// KVASIR_PAGE_MODEL=MODEL for another than the bundled one.
TEST_F(Page, HasItsPictureTaken) {
  const char* model = std::getenv("KVASIR_PAGE_MODEL");
  start(model == nullptr ? std::vector<std::string>() : std::vector<std::string>{"--model", model});
  ASSERT_TRUE(browser().eventually("at('dot').className === 'good'"));
  set("system", kSystem);
  set("max-tokens", model == nullptr ? "12" : "84");
  set("temperature", model == nullptr ? "0" : "0.5");
  set("effort", "none");
  for (const char* question : {"What is mead?", "How is it made?", "Which honey is best for it?"}) {
    say(question);
    ASSERT_TRUE(browser().eventually(kIsIdle));
  }
  browser().evaluate("document.querySelectorAll('.message.user .edit')[1].click()");
  browser().evaluate("document.querySelector('.editor textarea').select()");
  browser().type("Who drank it?");
  browser().press("Enter");
  ASSERT_TRUE(browser().eventually(kIsIdle));
  say("And who was Kvasir?");
  ASSERT_TRUE(browser().eventually(kIsIdle));
  ASSERT_TRUE(
      browser().eventually("document.querySelector('.run') && cache.data.requests.length === 5 &&"
                           " cache.data.memory.running_requests === 0"));
  const auto picture = [](const char* name, int width, int height, bool is_dark, const char* tab) {
    browser().resize(width, height);
    browser().prefer_dark(is_dark);
    browser().evaluate("showTab('" + std::string(tab) +
                       "'); at('messages').scrollTop = at('messages').scrollHeight");
    std::string png = browser().screenshot_png();
    EXPECT_EQ(width_of(png), width) << name;
    EXPECT_LT(png.size(), 200'000u) << name;
    const char* folder = std::getenv("KVASIR_PAGE_PICTURES");
    if (folder != nullptr) testing::write_file(std::string(folder) + "/" + name, png);
    return png;
  };
  const std::string light = picture("page_light.png", 1180, 860, false, "chat");
  EXPECT_NE(picture("page_dark.png", 1180, 860, true, "chat"), light);
  const std::string chat = picture("page_narrow_chat.png", 360, 700, false, "chat");
  EXPECT_NE(picture("page_narrow_cache.png", 360, 700, true, "cache"), chat);
  browser().prefer_dark(false);
}

}  // namespace
}  // namespace kvasir
