#include "store/tenant.h"

#include <array>
#include <cstring>

namespace kvasir::store {
namespace {

constexpr std::array<char, 8> kMark = {'K', 'V', 'A', 'S', 'T', 'E', 'N', '1'};
constexpr size_t kTenantOffset = 16;
constexpr size_t kMarkOffset = 24;

}  // namespace

Key tenant_root(const Key& hash, Tenant tenant) {
  Key root = hash;
  store_little_endian<Tenant>(root.data() + kTenantOffset, tenant);
  std::memcpy(root.data() + kMarkOffset, kMark.data(), kMark.size());
  return root;
}

Tenant tenant_of_root(const Key& root) {
  if (std::memcmp(root.data() + kMarkOffset, kMark.data(), kMark.size()) != 0) return kNobody;
  return load_little_endian<Tenant>(root.data() + kTenantOffset);
}

}  // namespace kvasir::store
