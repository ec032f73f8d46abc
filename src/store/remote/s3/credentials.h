// s3_credentials finds with which keys requests to S3 are signed. They come from the environment or
// from a file, never from a command line, which every user of a machine can read. No error shows
// one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kvasir/result.h"
#include "store/remote/s3/sig_v4.h"

namespace kvasir::store::remote {

// Returns what the file says, or, where none is named, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
// AWS_SESSION_TOKEN. The file has the form of ~/.aws/credentials; its profile is AWS_PROFILE, or
// "default". None: neither says anything, so requests are not signed. Errors: the file cannot be
// read or others may read it, it has no such profile, or only one of id and secret is there.
Result<std::optional<S3Credentials>> find_s3_credentials(const std::string& file);

// What a file of that form says of a profile; `where` is for the error.
Result<S3Credentials> parse_s3_credentials(std::string_view text, std::string_view profile,
                                           const std::string& where);

}  // namespace kvasir::store::remote
