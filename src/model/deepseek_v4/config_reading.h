// These functions read what configs and the keys of GGUF files say alike, under names of their own.
#pragma once

#include <optional>
#include <string_view>

#include "base/json.h"
#include "checkpoint/config_fields.h"
#include "model/deepseek_v4/config.h"
#include "model/size_limits.h"

namespace kvasir::model::deepseek_v4 {

// Far above every published model, as those of size_limits.h.
inline constexpr int64_t kSharedExpertsMax = 64;
inline constexpr int64_t kSinkhornMax = 1000;
inline constexpr int64_t kPositionsMax = int64_t{1} << 40;
inline constexpr double kEpsMin = 1e-30;
inline constexpr double kFloatMax = 1e30;
inline constexpr double kThetaMin = 1;
inline constexpr double kThetaMax = 1e15;
inline constexpr double kContextMax = 1e15;
inline constexpr double kFactorMax = 1e9;

// Whose names the fields have.
enum class Names : uint8_t { kConfig, kGguf };

// Reads the sizes and scalars that both forms state, each with bounds of its own.
void read_sizes(ConfigFields& fields, Names names, Config& config);
void read_scalars(ConfigFields& fields, Names names, Config& config);

// The first `count` items of a per-layer list, which may be longer: its tail belongs to drafts.
// Null: no such list, which has gone to `fields`, or no such field.
const Json::Array* layer_list(ConfigFields& fields, std::string_view name, int64_t count);

using KindOf = std::optional<LayerKind> (*)(const Json& item);
std::optional<LayerKind> kind_of_ratio(const Json& ratio);
// Fills `layers` from the list of that name.
void read_kinds(ConfigFields& fields, std::string_view name, KindOf kind_of, Config& config);

// REQUIRES: rope_dim and layers are set.
struct IndexNames {
  std::string_view head_count;
  std::string_view head_dim;
  std::string_view top_k;
};
void read_index(ConfigFields& fields, const IndexNames& names, Config& config);

void read_special_tokens(ConfigFields& fields, std::string_view bos, std::string_view eos,
                         Config& config);

// A limit of 0 would silence every expert; as in the published inference code it means none.
float swiglu_limit_of(double stated);

struct RelationNames {
  std::string_view output_group_count;
  std::string_view experts_per_token;
};
void check_relations(ConfigFields& fields, const RelationNames& names, const Config& config);

// What every reader of a config has to leave behind.
void check_sizes(const Config& config);

}  // namespace kvasir::model::deepseek_v4
