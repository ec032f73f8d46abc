#include "store/remote/s3/list_xml.h"

#include <expat.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>
#include <string_view>

namespace kvasir::store::remote {
namespace {

constexpr size_t kDepthMax = 16;
constexpr size_t kTextBytesMax = 4096;  // Amazon's keys have 1,024 at most

// An XmlReader hands each element without children to `read_leaf`, and each end of one with
// children to `end_group`, as a path from the root on: "Error/Code".
class XmlReader {
 public:
  virtual ~XmlReader() = default;

  // False: this is no XML that is read here, or one of the calls below said false.
  bool read(std::span<const std::byte> xml) {
    if (xml.size() > static_cast<size_t>(std::numeric_limits<int>::max())) return false;
    const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(
        XML_ParserCreate(nullptr), XML_ParserFree);
    if (parser == nullptr) return false;
    parser_ = parser.get();
    XML_SetUserData(parser_, this);
    XML_SetElementHandler(parser_, begin, end);
    XML_SetCharacterDataHandler(parser_, add_text);
    // Nothing that S3 says has one, and entities of a sender's own are made there.
    XML_SetStartDoctypeDeclHandler(
        parser_, [](void* reader, const XML_Char*, const XML_Char*, const XML_Char*, int) {
          of(reader).require(false);
        });
    const auto* bytes = reinterpret_cast<const char*>(xml.data());
    return XML_Parse(parser_, bytes, static_cast<int>(xml.size()), XML_TRUE) == XML_STATUS_OK &&
           is_sound_;
  }

 protected:
  virtual bool read_leaf(std::string_view path, const std::string& text) = 0;
  virtual bool end_group(std::string_view path) = 0;

 private:
  static XmlReader& of(void* reader) { return *static_cast<XmlReader*>(reader); }

  static void begin(void* data, const XML_Char* name, const XML_Char**) {
    XmlReader& reader = of(data);
    if (!reader.is_sound_) return;
    reader.parents_.push_back(reader.path_.size());
    if (!reader.path_.empty()) reader.path_ += '/';
    reader.path_ += name;
    reader.text_.clear();
    reader.is_leaf_ = true;
    reader.require(reader.parents_.size() <= kDepthMax && reader.path_.size() <= kTextBytesMax);
  }

  static void end(void* data, const XML_Char*) {
    XmlReader& reader = of(data);
    if (!reader.is_sound_) return;
    reader.require(reader.is_leaf_ ? reader.read_leaf(reader.path_, reader.text_)
                                   : reader.end_group(reader.path_));
    reader.path_.resize(reader.parents_.back());
    reader.parents_.pop_back();
    reader.text_.clear();
    reader.is_leaf_ = false;
  }

  static void add_text(void* data, const XML_Char* text, int bytes) {
    XmlReader& reader = of(data);
    if (!reader.is_sound_) return;
    reader.text_.append(text, static_cast<size_t>(bytes));
    reader.require(reader.text_.size() <= kTextBytesMax);
  }

  void require(bool is_sound) {
    if (is_sound) return;
    is_sound_ = false;
    XML_StopParser(parser_, XML_FALSE);
  }

  XML_Parser parser_ = nullptr;
  std::string path_;
  std::vector<size_t> parents_;  // lengths of the paths of the elements around this one
  std::string text_;
  bool is_leaf_ = false;
  bool is_sound_ = true;
};

std::optional<int64_t> size_of_text(std::string_view text) {
  int64_t size = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (problem != std::errc{} || end != text.data() + text.size() || size < 0) return std::nullopt;
  return size;
}

class ListReader final : public XmlReader {
 public:
  // None: what was read is no whole page.
  std::optional<ListPage> page() && {
    if (!is_truncated_ || *is_truncated_ == page_.next_token.empty()) return std::nullopt;
    return std::move(page_);
  }

 private:
  bool read_leaf(std::string_view path, const std::string& text) override {
    if (path == "ListBucketResult/IsTruncated") {
      if (is_truncated_ || (text != "true" && text != "false")) return false;
      is_truncated_ = text == "true";
    } else if (path == "ListBucketResult/NextContinuationToken") {
      if (!page_.next_token.empty()) return false;
      page_.next_token = text;
    } else if (path == "ListBucketResult/Contents/Key") {
      if (key_) return false;
      key_ = text;
    } else if (path == "ListBucketResult/Contents/Size") {
      if (size_) return false;
      size_ = size_of_text(text);
      return size_.has_value();
    }
    return path != "ListBucketResult/Contents";  // one without a key
  }

  bool end_group(std::string_view path) override {
    if (path != "ListBucketResult/Contents") return true;
    if (!key_ || !size_) return false;
    page_.keys.push_back({std::move(*key_), *size_});
    key_.reset();
    size_.reset();
    return true;
  }

  ListPage page_;
  std::optional<bool> is_truncated_;
  std::optional<std::string> key_;
  std::optional<int64_t> size_;
};

class ErrorReader final : public XmlReader {
 public:
  std::string code;

 private:
  bool read_leaf(std::string_view path, const std::string& text) override {
    if (path == "Error/Code") code = text;
    return true;
  }
  bool end_group(std::string_view) override { return true; }
};

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

std::optional<ListPage> parse_list_page(std::span<const std::byte> xml) {
  ListReader reader;
  if (!reader.read(xml)) return std::nullopt;
  return std::move(reader).page();
}

std::string error_code_of(std::span<const std::byte> xml) {
  constexpr size_t kCodeBytesMax = 64;
  ErrorReader reader;
  const bool is_code = reader.read(xml) && reader.code.size() <= kCodeBytesMax &&
                       std::ranges::all_of(reader.code, is_letter_or_digit);
  return is_code ? reader.code : "";
}

}  // namespace kvasir::store::remote
