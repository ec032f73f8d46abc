// These functions make tokenizers for the unit tests: from the checked-in file, and from
// tokenizer.json texts made to order.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/json.h"
#include "base/text_file.h"
#include "text/byte_alphabet.h"
#include "text/tokenizer.h"

namespace kvasir::text {

inline std::string test_data_path(const std::string& name) {
  return std::string(KVASIR_SOURCE_DIR) + "/tests/data/tokenizer/" + name;
}

inline const Tokenizer& fixture_tokenizer() {
  static const Result<Tokenizer> tokenizer = Tokenizer::load(test_data_path("tokenizer.json"));
  if (!tokenizer) ADD_FAILURE() << tokenizer.error().message();
  return *tokenizer;
}

inline std::string bundled_tokenizer_path() {
  return std::string(KVASIR_SOURCE_DIR) + "/models/kvasir-tiny/tokenizer.json";
}

inline const Tokenizer& bundled_tokenizer() {
  static const Result<Tokenizer> tokenizer = Tokenizer::load(bundled_tokenizer_path());
  if (!tokenizer) ADD_FAILURE() << tokenizer.error().message();
  return *tokenizer;
}

// The same with the marker that DeepSeek-V4.1's has, in the place of one without use.
inline const Tokenizer& v41_tokenizer() {
  static const Result<Tokenizer> tokenizer = [] {
    std::string json = read_text_file(bundled_tokenizer_path()).value();
    const std::string spare = "<｜title｜>";
    json.replace(json.find(spare), spare.size(), "<｜System｜>");
    return Tokenizer::parse(json, "v41.json");
  }();
  if (!tokenizer) ADD_FAILURE() << tokenizer.error().message();
  return *tokenizer;
}

// The parts of a tokenizer.json, as JSON. Bytes have the ids 0 to 255.
struct TokenizerJson {
  std::string vocab;   // members after the bytes: ", \"ab\": 256"
  std::string merges;  // elements
  std::string added;   // elements
  std::string model;   // members: ", \"dropout\": 0.5"
  std::string file;    // members, likewise
  std::string type = "\"BPE\"";
  std::string numbers = R"("\\p{N}{1,3}")";
  std::string cjk = R"("[一-龥぀-ゟ゠-ヿ]+")";
  std::string words = R"re("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|)re"
                      R"re([^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*)re"
                      R"re(|\\s*[\r\n]+|\\s+(?!\\S)|\\s+")re";
  std::string pre_tokenizer;  // in place of the three expressions and the byte level
  std::string byte_level =
      R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false})";

  static std::string split(const std::string& pattern) {
    return R"({"type": "Split", "pattern": {"Regex": )" + pattern +
           R"(}, "behavior": "Isolated", "invert": false}, )";
  }
  static std::string byte_vocab() {
    std::string members;
    for (int byte = 0; byte < 256; ++byte) {
      const std::string text = alphabet_character(static_cast<uint8_t>(byte));
      members += (byte == 0 ? "" : ", ") + Json(text).dump() + ": " + std::to_string(byte);
    }
    return members;
  }
  std::string deepseek_steps() const {
    return R"({"type": "Sequence", "pretokenizers": [)" + split(numbers) + split(cjk) +
           split(words) + byte_level + "]}";
  }
  std::string str() const {
    return R"({"added_tokens": [)" + added + R"(], "pre_tokenizer": )" +
           (pre_tokenizer.empty() ? deepseek_steps() : pre_tokenizer) + R"(, "model": {"type": )" +
           type + R"(, "vocab": {)" + byte_vocab() + vocab + R"(}, "merges": [)" + merges + "]" +
           model + "}" + file + "}";
  }
};

inline Result<Tokenizer> make_tokenizer(const TokenizerJson& json) {
  return Tokenizer::parse(json.str(), "made.json");
}

}  // namespace kvasir::text
