// These functions find files by the program: those that come with it (the bundled model, the texts
// of the evaluations), and the models that a user fetched.
#pragma once

#include <optional>
#include <string>

#include "kvasir/result.h"

namespace kvasir::cli {

inline constexpr const char* kBundledModel = "models/kvasir-tiny";
inline constexpr const char* kRecallTask = "data/recall_task.json";        // for the bundled model
inline constexpr const char* kPlainRecallTask = "data/recall_plain.json";  // for all others
inline constexpr const char* kHeldOutText = "data/held_out.txt";
inline constexpr const char* kBook = "data/book.txt";

// The path of one of them. They lie in ../share/kvasir from an installed program, or in the source
// tree, above build/PRESET/kvasir. Error: not there; `remedy` says what to do instead.
Result<std::string> bundled_path(const char* name, const char* remedy);

// Where programs keep what can be made or fetched again; nothing when the system does not say.
std::optional<std::string> user_cache_folder();

// Where files of a run lie: $TMPDIR, or /tmp where that is no folder.
std::string temporary_folder();

// The checkpoint that a user calls so: a path, or the name of a model that was fetched into the
// user's cache folder. Where there is neither it is returned as it is.
std::string model_called(const std::string& name);

// `given`, or the bundled one where nothing was given.
Result<std::string> given_or_bundled(const std::string& given, const char* name,
                                     const char* remedy);

}  // namespace kvasir::cli
