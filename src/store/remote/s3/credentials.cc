#include "store/remote/s3/credentials.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "base/private_file.h"

namespace kvasir::store::remote {
namespace {

constexpr size_t kFileBytesMax = 65536;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

Error unusable(std::string what, std::string where, std::string expected) {
  return {.kind = ErrorKind::kUsage,
          .what = std::move(what),
          .where = std::move(where),
          .expected = std::move(expected)};
}

// They stand in headers, so a line end in one would begin a header of its own.
bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

Result<S3Credentials> checked(S3Credentials credentials, const std::string& where) {
  if (credentials.access_key_id.empty() || credentials.secret_access_key.empty()) {
    return unusable("half of the S3 credentials is missing", where,
                    "an access key id and a secret access key");
  }
  if (!is_printable(credentials.access_key_id) || !is_printable(credentials.secret_access_key) ||
      !is_printable(credentials.session_token)) {
    return unusable("the S3 credentials cannot be sent", where, "printable characters, no blanks");
  }
  return credentials;
}

using Settings = std::map<std::string, std::string, std::less<>>;

// The settings of a profile. None: there is no such profile.
std::optional<Settings> settings_of(std::string_view text, std::string_view profile) {
  std::optional<Settings> settings;
  bool is_in_profile = false;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with('[') && line.ends_with(']')) {
      is_in_profile = trimmed(line.substr(1, line.size() - 2)) == profile;
      if (is_in_profile && !settings) settings.emplace();
    } else if (const size_t equals = line.find('=');
               is_in_profile && equals != line.npos && line[0] != '#' && line[0] != ';') {
      settings->insert_or_assign(std::string(trimmed(line.substr(0, equals))),
                                 std::string(trimmed(line.substr(equals + 1))));
    }
  }
  return settings;
}

}  // namespace

Result<S3Credentials> parse_s3_credentials(std::string_view text, std::string_view profile,
                                           const std::string& where) {
  auto settings = settings_of(text, profile);
  if (!settings) {
    return unusable("the file has no such profile", where, fmt::format("[{}]", profile));
  }
  return checked({.access_key_id = (*settings)["aws_access_key_id"],
                  .secret_access_key = (*settings)["aws_secret_access_key"],
                  .session_token = (*settings)["aws_session_token"]},
                 fmt::format("{}, [{}]", where, profile));
}

Result<std::optional<S3Credentials>> find_s3_credentials(const std::string& file) {
  if (!file.empty()) {
    KVASIR_ASSIGN_OR_RETURN(const std::string text, read_private_file(file, kFileBytesMax));
    const std::string profile = environment("AWS_PROFILE");
    KVASIR_ASSIGN_OR_RETURN(
        S3Credentials credentials,
        parse_s3_credentials(text, profile.empty() ? "default" : profile, file));
    return std::optional(std::move(credentials));
  }
  S3Credentials credentials{.access_key_id = environment("AWS_ACCESS_KEY_ID"),
                            .secret_access_key = environment("AWS_SECRET_ACCESS_KEY"),
                            .session_token = environment("AWS_SESSION_TOKEN")};
  if (credentials.access_key_id.empty() && credentials.secret_access_key.empty()) {
    return std::optional<S3Credentials>();
  }
  KVASIR_ASSIGN_OR_RETURN(
      credentials, checked(std::move(credentials), "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"));
  return std::optional(std::move(credentials));
}

}  // namespace kvasir::store::remote
