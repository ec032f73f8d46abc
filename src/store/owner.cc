#include "store/owner.h"

#include <array>
#include <cstring>

namespace kvasir::store {
namespace {

constexpr std::array<char, 8> kMark = {'K', 'V', 'A', 'S', 'O', 'W', 'N', '1'};
constexpr size_t kOwnerOffset = 16;
constexpr size_t kMarkOffset = 24;

}  // namespace

Key owned_root(const Key& hash, Owner owner) {
  Key root = hash;
  store_little_endian<Owner>(root.data() + kOwnerOffset, owner);
  std::memcpy(root.data() + kMarkOffset, kMark.data(), kMark.size());
  return root;
}

Owner owner_of_root(const Key& root) {
  if (std::memcmp(root.data() + kMarkOffset, kMark.data(), kMark.size()) != 0) return kNobody;
  return load_little_endian<Owner>(root.data() + kOwnerOffset);
}

}  // namespace kvasir::store
