// Headless Chromium for tests, driven over the DevTools protocol through a pair of pipes. One page
// at a time, in a profile of its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "temp_directory.h"

namespace kvasir::testing {

class Browser {
 public:
  // Fails the test where there is no chromium.
  Browser();
  ~Browser();
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;

  // Opens a page that knows nothing of those before.
  void open(const std::string& url);
  void reload();

  // The value of an expression in the page. Fails the test where it throws.
  Json evaluate(const std::string& expression);
  bool holds(const std::string& expression);
  std::string text(const std::string& expression);
  int64_t number(const std::string& expression);
  // Asks again and again, for a minute at most.
  bool eventually(const std::string& expression);

  void type(const std::string& text);
  // "Enter", "Tab", "Shift+Tab", "Escape", "ArrowRight", ...
  void press(const std::string& key);
  void resize(int width, int height);
  void prefer_dark(bool is_dark);
  std::string screenshot_png();

  // From now on requests to URLs that end so are answered with that body, or with nothing at all
  // where it is empty.
  void answer_instead(const std::string& url_end, const std::string& content_type,
                      const std::string& body);
  void answer_no_more();

  // Since the page was opened: what it asked for; errors, dialogs and refused scripts.
  const std::vector<std::string>& urls() const { return urls_; }
  const std::vector<std::string>& complaints() const { return complaints_; }
  void forget_complaints() { complaints_.clear(); }

 private:
  Json call(const std::string& method, Json::Object parameters = {});
  Json send(const std::string& method, Json::Object parameters, const std::string& session);
  // Sends without waiting for the answer. Returns its number; -1: the browser has gone.
  int64_t post(const std::string& method, Json::Object parameters, const std::string& session);
  void take_event(const Json& event);
  void take_paused(const Json& parameters);
  Json read_message();

  TempDirectory directory_;
  pid_t pid_ = -1;
  int to_ = -1;
  int from_ = -1;
  std::string received_;
  int64_t newest_id_ = 0;
  std::string context_;
  std::string session_;
  bool has_loaded_ = false;
  std::vector<std::string> urls_;
  std::vector<std::string> complaints_;
  struct Instead {
    std::string url_end;
    std::string content_type;
    std::string body;
  };
  std::vector<Instead> instead_;
};

}  // namespace kvasir::testing
