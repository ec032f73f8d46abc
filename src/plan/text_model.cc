#include "plan/text_model.h"

#include "checkpoint/nested_config.h"

namespace kvasir::plan {
namespace {

// Finds the text part's row. In a model of several parts the config's name is that of the whole.
KnownArchitecture find_part(std::string type) {
  const KnownArchitecture found = find_architecture(type);
  if (found.row != nullptr) return found;
  constexpr std::string_view kThinker = "_thinker";
  if (type.ends_with(kThinker)) type.resize(type.size() - kThinker.size());
  return find_architecture(type + "_text");
}

// True: the object says what it is, be that known or not.
bool look_up(const Json& object, TextModel& found) {
  if (object.as_object() == nullptr) {
    found.model_type = object.dump();
    return true;
  }
  const Json* stated = object.find("model_type");
  if (const std::string* type = text_of(object, "model_type")) {
    found.known = find_part(*type);
    found.model_type = *type;
  } else if (stated != nullptr && !stated->is_null()) {
    found.model_type = stated->dump();
  }
  // Republished files have model types of their own; their class tells what they are.
  const Json* classes = object.find("architectures");
  if (classes == nullptr || classes->as_array() == nullptr) return !found.model_type.empty();
  for (const Json& name : *classes->as_array()) {
    if (name.as_string() == nullptr || found.known.row != nullptr) continue;
    found.known = find_architecture_of_class(*name.as_string());
    if (found.known.row != nullptr || found.model_type.empty()) {
      found.model_type = *name.as_string();
    }
  }
  return !found.model_type.empty();
}

}  // namespace

const std::string* text_of(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  return value == nullptr ? nullptr : value->as_string();
}

TextModel find_text_model(const Json& root) {
  const auto [chain, prefix] = find_nested_config(root);
  TextModel found;
  found.prefix = prefix;
  found.object = chain.back();
  for (size_t i = chain.size(); i > 0 && !look_up(*chain[i - 1], found); --i) {
  }
  // A class is the lesser name where the whole has a type of the same kind.
  const std::string* type = text_of(root, "model_type");
  const bool is_class = text_of(*found.object, "model_type") == nullptr;
  if (is_class && type != nullptr && found.known.row != nullptr &&
      find_part(*type).row == found.known.row) {
    found.model_type = *type;
  }
  return found;
}

}  // namespace kvasir::plan
