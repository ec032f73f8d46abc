#include "kv/coding.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/check.h"

namespace kvasir::kv {
namespace {

using kernels::Codec;

constexpr Rotation kPlain = Rotation::kNone;
constexpr Rotation kTurned = Rotation::kHadamard;
constexpr Rotation kSigned = Rotation::kSignedHadamard;
constexpr SchemeUse kSingle = SchemeUse::kSingleRows;
constexpr SchemeUse kIndex = SchemeUse::kIndexKeys;

constexpr std::array kSchemes = std::to_array<CodingScheme>({
    {"f32", "f32", "f32", kPlain, "float32"},
    {"f16", "f16", "f16", kPlain, "float16"},
    {"bf16", "bf16", "bf16", kPlain, "bfloat16"},
    {"nvfp4-row", "nvfp4-row", "nvfp4-row", kPlain, "pooled or picked rows in FP4", kSingle},
    {"int2-keys", "int2-keys", "int2-keys", kPlain, "index keys in 2 bits, groups of 32", kIndex},
    {"sign-keys", "sign-keys", "sign-keys", kPlain, "signs of index keys, and a scale", kIndex},
    {"oja75", "oja75", "oja75", kPlain, "lowrank75, the basis following the rows"},
    {"lowrank75", "lowrank75", "lowrank75", kPlain, "shares of 3/4 of the directions, learnt"},
    {"oja50", "oja50", "oja50", kPlain, "lowrank50, the basis following the rows"},
    {"q8_0", "q8_0", "q8_0", kPlain, "llama.cpp's blocks of 32: 8.5 bits"},
    {"int8", "int8-token", "int8-token", kPlain, "signed bytes, a scale for each vector"},
    {"int8-channel", "int8-channel", "int8-token", kPlain, "keys by channel, a scale for 128 rows"},
    {"e4m3-channel", "e4m3-channel", "e4m3-token", kPlain, "FP8, keys by channel"},
    {"e4m3-token", "e4m3-token", "e4m3-token", kPlain, "FP8, a scale for each vector"},
    {"e4m3-ue8m0", "e4m3-ue8m0", "e4m3-ue8m0", kPlain, "FP8, a power of two for each 64"},
    {"e4m3", "e4m3-1", "e4m3-1", kPlain, "FP8 without a scale"},
    {"e5m2", "e5m2", "e5m2", kPlain, "FP8 with 5 bits of exponent"},
    {"lowrank50", "lowrank50", "lowrank50", kPlain, "shares of half of the directions, learnt"},
    {"q5_1", "q5_1", "q5_1", kPlain, "llama.cpp's blocks of 32: 6 bits"},
    {"q5_0", "q5_0", "q5_0", kPlain, "llama.cpp's blocks of 32: 5.5 bits"},
    {"q4_1", "q4_1", "q4_1", kPlain, "llama.cpp's blocks of 32: 5 bits"},
    {"int4", "int4-token-g32", "int4-token-g32", kPlain, "4 bits, a scale and a minimum per 32"},
    {"q4_0", "q4_0", "q4_0", kPlain, "llama.cpp's blocks of 32: 4.5 bits"},
    {"iq4_nl", "iq4_nl", "iq4_nl", kPlain, "llama.cpp's uneven codebook: 4.5 bits"},
    {"kivi4", "int4-channel", "int4-token-g32", kPlain, "keys by channel in groups of 32 rows"},
    {"nuq4", "nuq4-keys", "nuq4-values", kPlain, "KVQuant: learnt codebooks, 1 % of numbers apart"},
    {"kvarn4", "kvarn4-keys", "kvarn4-values", kTurned,
     "rotated tiles, rows and channels balanced"},
    {"nvfp4", "nvfp4", "nvfp4", kPlain, "FP4, an FP8 scale per 16"},
    {"quarot4", "int4-token-g64", "int4-token-g64", kTurned, "rotated, 4 bits in groups of 64"},
    {"mxfp4", "mxfp4", "mxfp4", kPlain, "FP4, a power of two per 32"},
    {"turbo4", "turbo4", "turbo4", kSigned, "TurboQuant: rotated, a codebook of 4 bits, the norm"},
    {"nuq3", "nuq3-keys", "nuq3-values", kPlain, "KVQuant of 3 bits"},
    {"kivi3", "int3-channel", "int3-token-g32", kPlain, "KIVI of 3 bits"},
    {"kvarn3", "kvarn3-keys", "kvarn3-values", kTurned, "KVarN of 3 bits"},
    {"quarot3", "int3-token-g64", "int3-token-g64", kTurned, "rotated, 3 bits in groups of 64"},
    {"turbo3", "turbo3", "turbo3", kSigned, "TurboQuant of 3 bits"},
    {"nuq2", "nuq2-keys", "nuq2-values", kPlain, "KVQuant of 2 bits"},
    {"kivi2", "int2-channel", "int2-token-g32", kPlain, "KIVI of 2 bits"},
    {"kvarn2", "kvarn2-keys", "kvarn2-values", kTurned, "KVarN of 2 bits"},
    {"quarot2", "int2-token-g64", "int2-token-g64", kTurned, "rotated, 2 bits in groups of 64"},
    {"turbo2", "turbo2", "turbo2", kSigned, "TurboQuant of 2 bits"},
});

Error nothing(std::string_view part, const char* expected) {
  return {.kind = ErrorKind::kUsage,
          .what = "no precision of a cache",
          .field = "kv",
          .expected = expected,
          .found = std::string(part)};
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool take_suffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

const CodingScheme* find_scheme(std::string_view name) {
  const auto found = std::find_if(kSchemes.begin(), kSchemes.end(),
                                  [name](const CodingScheme& one) { return one.name == name; });
  return found == kSchemes.end() ? nullptr : &*found;
}

// The words around a scheme's name; any order behind it.
Coding take_words(std::string_view& text) {
  Coding coding;
  coding.is_centered = take_prefix(text, "smean-");
  coding.is_rotated = take_prefix(text, "rot-");
  while (true) {
    if (take_suffix(text, "-sink1")) {
      coding.whole_rows = 1;
    } else if (take_suffix(text, "-sink128")) {
      coding.whole_rows = 128;
    } else if (take_suffix(text, "-pre")) {
      coding.is_before_rope = true;
    } else {
      return coding;
    }
  }
}

Result<Coding> parse_coding(std::string_view text) {
  if (text == "native") return Coding{};
  std::string_view name = text;
  Coding coding = take_words(name);
  coding.scheme = find_scheme(name);
  if (coding.scheme == nullptr) {
    return nothing(text, "native or a scheme; 'kvasir plan --list' shows all");
  }
  return coding;
}

// "A-B" or "A"
bool take_layers(std::string_view& text, CodingRule& rule) {
  const auto take_number = [&text](int64_t& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || number < 0) return false;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    return true;
  };
  if (!take_number(rule.first_layer)) return false;
  rule.last_layer = rule.first_layer;
  if (take_prefix(text, "-") && !take_number(rule.last_layer)) return false;
  return rule.last_layer >= rule.first_layer;
}

std::optional<Role> role_called(std::string_view name) {
  if (name == "k") return Role::kKeys;
  if (name == "v") return Role::kValues;
  if (name == "i") return Role::kIndexKeys;
  return std::nullopt;
}

Result<CodingRule> parse_rule(std::string_view setting) {
  const size_t equals = setting.find('=');
  CodingRule rule;
  if (equals == setting.npos) {
    KVASIR_ASSIGN_OR_RETURN(rule.coding, parse_coding(setting));
    return rule;
  }
  std::string_view left = setting.substr(0, equals);
  const bool has_layers = take_prefix(left, "layers ");
  if (has_layers && !take_layers(left, rule)) {
    return nothing(setting, "layers A-B=..., counted from 0");
  }
  if (!has_layers || take_prefix(left, ".")) {
    rule.role = role_called(left);
    if (!rule.role) return nothing(setting, "k=..., v=... or i=...");
  } else if (!left.empty()) {
    return nothing(setting, "layers A-B=... or layers A-B.k=...");
  }
  KVASIR_ASSIGN_OR_RETURN(rule.coding, parse_coding(setting.substr(equals + 1)));
  return rule;
}

// Index keys are scored as they are coded, in row formats alone.
bool is_for_index_keys(const CodingScheme* scheme) {
  return scheme == nullptr || (scheme->use != SchemeUse::kSingleRows && is_row_format(*scheme));
}
bool is_for_rows(const CodingScheme* scheme) {
  return scheme == nullptr || scheme->use != SchemeUse::kIndexKeys;
}

bool goes_for(const CodingRule& rule, Role role) {
  if (rule.role) return *rule.role == (role == Role::kLatents ? Role::kKeys : role);
  return role == Role::kIndexKeys ? is_for_index_keys(rule.coding.scheme)
                                  : is_for_rows(rule.coding.scheme);
}

constexpr const char* kNotScored = "they are scored as coded";

Error senseless(const Stream& stream, const Coding& coding, const char* why) {
  const char* of = stream.role == Role::kIndexKeys ? "index keys"
                   : stream.role == Role::kValues  ? "values"
                   : stream.role == Role::kKeys    ? "keys"
                                                   : "latents";
  return {.kind = ErrorKind::kUnsupported,
          .what = std::string(coding.scheme->name) + " makes no sense for this model's " + of +
                  ": " + why,
          .field = "kv"};
}

Result<Stream> stream_in_row_format(Stream stream, const Coding& coding, kernels::CodecId codec) {
  const SchemeUse use = coding.scheme->use;
  if (stream.role == Role::kIndexKeys) {
    if (use == SchemeUse::kSingleRows) return senseless(stream, coding, kNotScored);
  } else if (use == SchemeUse::kIndexKeys) {
    return senseless(stream, coding, "only index keys are held so");
  } else if (use == SchemeUse::kSingleRows) {
    if (stream.reach == Reach::kWindow) return stream;
    if (stream.reach == Reach::kAll && stream.tokens_per_row == 1) {
      return senseless(stream, coding, "they are neither pooled nor picked; nvfp4 codes blocks");
    }
  }
  if (coding.is_rotated || coding.is_before_rope || coding.is_centered || coding.whole_rows > 0) {
    return senseless(stream, coding,
                     use == SchemeUse::kAll
                         ? "nothing is lost that rot, smean, pre or sink could save"
                         : "rows that are read one by one know no rot, smean, pre or sink");
  }
  stream.codec = codec;
  return stream;
}

}  // namespace

std::span<const CodingScheme> coding_schemes() { return kSchemes; }

bool is_row_format(const CodingScheme& scheme) {
  return kernels::find_codec(scheme.keys)->is_read_at_once;
}

bool joins_rows(const CodingScheme& scheme) {
  return kernels::find_codec(scheme.keys)->group_rows > 1 ||
         kernels::find_codec(scheme.values)->group_rows > 1;
}

bool needs_learning(const CodingScheme& scheme) {
  return kernels::find_codec(scheme.keys)->side_bytes != nullptr ||
         kernels::find_codec(scheme.values)->side_bytes != nullptr;
}

Coding CachePrecision::coding_of(Role role, int64_t layer) const {
  const CodingRule* found = nullptr;
  for (const CodingRule& rule : rules) {
    if (!goes_for(rule, role)) continue;
    const bool is_for_layers = rule.first_layer >= 0;
    if (is_for_layers && (layer < rule.first_layer || layer > rule.last_layer)) continue;
    if (found != nullptr && found->first_layer >= 0 && !is_for_layers) continue;
    found = &rule;
  }
  return found == nullptr ? Coding{} : found->coding;
}

bool needs_learning(const CachePrecision& precision) {
  return std::any_of(precision.rules.begin(), precision.rules.end(), [](const CodingRule& rule) {
    const Coding& coding = rule.coding;
    if (coding.is_centered && rule.role != Role::kValues) return true;
    return coding.scheme != nullptr && needs_learning(*coding.scheme);
  });
}

Result<CachePrecision> parse_precision(std::string_view text) {
  CachePrecision precision;
  while (true) {
    const size_t comma = std::min(text.find(','), text.size());
    KVASIR_ASSIGN_OR_RETURN(CodingRule rule, parse_rule(text.substr(0, comma)));
    precision.rules.push_back(rule);
    if (comma == text.size()) return precision;
    text.remove_prefix(comma + 1);
  }
}

Status check_layers(const CachePrecision& precision, int64_t layer_count) {
  for (const CodingRule& rule : precision.rules) {
    if (rule.last_layer < layer_count) continue;
    return Error{.kind = ErrorKind::kUsage,
                 .what = "a precision for layers that the model does not have",
                 .field = "kv",
                 .expected = "layers 0-" + std::to_string(layer_count - 1) + ", as it has " +
                             std::to_string(layer_count),
                 .found = "layers " + std::to_string(rule.first_layer) + "-" +
                          std::to_string(rule.last_layer)};
  }
  return ok_status();
}

Result<Stream> coded_stream(Stream stream, const Coding& coding) {
  if (coding.scheme == nullptr) return stream;
  const bool is_value = stream.role == Role::kValues;
  const Codec* codec = kernels::find_codec(is_value ? coding.scheme->values : coding.scheme->keys);
  KVASIR_CHECK(codec != nullptr, "a codec of every scheme");
  if (codec->is_read_at_once) return stream_in_row_format(stream, coding, codec->id);
  if (stream.reach == Reach::kWindow) return stream;
  if (stream.reach == Reach::kPicked || stream.tokens_per_row > 1) {
    return senseless(stream, coding, "single rows of it are read");
  }
  if (stream.role == Role::kIndexKeys) return senseless(stream, coding, kNotScored);
  if (stream.width > codec->width_max) {
    return senseless(stream, coding, "its tiles hold no vectors of so many numbers");
  }
  if (coding.is_before_rope && stream.role == Role::kLatents) {
    return senseless(stream, coding, "only a part of a latent is turned by position");
  }
  if (needs_learning(*coding.scheme) && (coding.is_rotated || coding.is_centered)) {
    return senseless(stream, coding, "it is learnt of the rows as they are, without rot and smean");
  }
  stream.codec = codec->id;
  stream.is_centered = coding.is_centered && stream.role != Role::kValues;
  stream.rotation = coding.is_rotated ? Rotation::kHadamard : coding.scheme->rotation;
  stream.is_before_rope = coding.is_before_rope && stream.role == Role::kKeys;
  stream.whole_rows = coding.whole_rows;
  return stream;
}

namespace {

int64_t row_bytes(const Stream& stream) {
  return kernels::codec_of(stream.codec)
      .bytes({.width = stream.width, .rope_width = stream.rope_width, .vectors = stream.vectors});
}

Error not_beside_picked_rows(const char* why) {
  return {.kind = ErrorKind::kUnsupported,
          .what = std::string("rows that this model picks share one cache: ") + why,
          .field = "kv"};
}

// Signs are asked with queries of another form than all others.
bool asks_otherwise(const Stream& a, const Stream& b) {
  return (a.codec == kernels::CodecId::kSignKeys) != (b.codec == kernels::CodecId::kSignKeys);
}

}  // namespace

Status check_picked_rows(const CacheSpec& spec) {
  const Stream* index_keys = nullptr;
  int64_t picked_bytes = 0;
  int64_t whole_rows = 0;
  for (const Layer& layer : spec.layers) {
    for (const Stream& stream : layer.streams) {
      whole_rows += stream.whole_rows;
      if (stream.role == Role::kIndexKeys) {
        if (index_keys != nullptr && asks_otherwise(*index_keys, stream)) {
          return not_beside_picked_rows("index keys are held in one precision in all layers");
        }
        index_keys = &stream;
      }
      if (stream.reach != Reach::kPicked) continue;
      const int64_t bytes = row_bytes(stream);
      if (picked_bytes != 0 && bytes != picked_bytes) {
        return not_beside_picked_rows("they are equally long in all layers");
      }
      picked_bytes = bytes;
    }
  }
  if (picked_bytes == 0 || whole_rows == 0) return ok_status();
  return not_beside_picked_rows("no layer keeps its first rows whole");
}

}  // namespace kvasir::kv
