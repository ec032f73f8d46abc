// list_xml reads what an S3 server says in XML: a page of ListObjectsV2, and why it refused a
// request. These are outside bytes: document types, entities of their own, deep nesting and long
// names are refused, and memory stays within what a page holds. Pure functions of plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace kvasir::store::remote {

struct ListedKey {
  std::string key;
  int64_t bytes = 0;
  bool operator==(const ListedKey&) const = default;
};

struct ListPage {
  std::vector<ListedKey> keys;
  std::string next_token;  // empty: this was the last page
};

// None: it is no such page, or says that more follows but not how to ask for it.
std::optional<ListPage> parse_list_page(std::span<const std::byte> xml);

// Returns the <Code> of an error, "SlowDown". Empty: the bytes are no error of S3, or have no code
// of letters and digits.
std::string error_code_of(std::span<const std::byte> xml);

}  // namespace kvasir::store::remote
