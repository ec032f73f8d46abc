// EarlierPrompts remembers the prompts that a server got and what was said to them, as ids, to say
// of a later one how far it begins alike. It keeps the newest, up to a bound of bytes; the tenant
// that has the most makes room. Prompts are compared with no other tenant's. Any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kvasir::server {

struct EarlierPrompt {
  std::string id;            // of the reply
  std::vector<int32_t> ids;  // and, once it is said, of the reply
  // What a prompt is told of besides messages, as digests: equal ones are told alike.
  uint64_t tools = 0;
  uint64_t effort = 0;
  uint64_t format = 0;
};

class EarlierPrompts {
 public:
  explicit EarlierPrompts(int64_t bytes_max = int64_t{64} << 20) : bytes_max_(bytes_max) {}

  // One with that id takes the other's place.
  void add(std::string_view tenant, EarlierPrompt prompt);
  // That earlier reply has got longer.
  void extend(std::string_view tenant, std::string_view id, std::span<const int32_t> said);

  struct Likeness {
    std::shared_ptr<const EarlierPrompt> prompt;
    int64_t same_ids = 0;
  };
  // The one that begins most as these ids do, of several the newest; none: there is none.
  std::optional<Likeness> nearest(std::string_view tenant, std::span<const int32_t> ids) const;
  // The one with that id.
  std::optional<Likeness> find(std::string_view tenant, std::string_view id,
                               std::span<const int32_t> ids) const;

 private:
  struct Entry {
    std::string tenant;
    std::shared_ptr<const EarlierPrompt> prompt;
  };
  // Under mutex_:
  void put(Entry entry);
  void erase(std::deque<Entry>::iterator entry);

  const int64_t bytes_max_;
  mutable std::mutex mutex_;
  std::deque<Entry> entries_;             // the newest last
  std::map<std::string, int64_t> bytes_;  // by tenant
  int64_t all_bytes_ = 0;
};

}  // namespace kvasir::server
