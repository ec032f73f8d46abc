// Any bytes as a calibration: what is read is written as the same bytes, and fits streams of its
// shapes.
//
// The digest would keep a fuzzer out of everything before it, so it is made right first.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/digest.h"
#include "calibration/calibration_file.h"
#include "calibration/side_data.h"

namespace {

using namespace kvasir;
using calibration::Calibration;
using calibration::RowFacts;

void mend_digest(std::span<std::byte> file) {
  if (file.size() < sizeof(Digest256)) return;
  const size_t offset = file.size() - sizeof(Digest256);
  const Digest256 digest = Sha256().add(file.first(offset)).finish();
  std::memcpy(file.data() + offset, digest.data(), sizeof digest);
}

kv::Stream stream_of(const RowFacts& facts) {
  kv::Stream stream{.vectors = facts.vectors, .width = facts.width, .is_centered = true};
  stream.role = kv::Role::kKeys;
  stream.codec = kernels::CodecId::kNuq4Keys;
  stream.rotation = kv::Rotation::kHadamard;
  stream.is_before_rope = facts.kind == RowKind::kKeysBeforeRope;
  if (facts.kind == RowKind::kValues) {
    stream.role = kv::Role::kValues;
    stream.codec = kernels::CodecId::kNuq2Values;
  } else if (facts.kind == RowKind::kLatents) {
    stream.role = kv::Role::kLatents;
    stream.codec = kernels::CodecId::kLowRank75;
  }
  return stream;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::byte> file(size);
  if (size != 0) std::memcpy(file.data(), data, size);
  mend_digest(file);
  Result<Calibration> read = calibration::parse_calibration(file, "fuzz");
  if (!read.ok()) {
    KVASIR_CHECK(!read.error().message().empty(), "an error without a message");
    return 0;
  }
  KVASIR_CHECK(calibration::to_bytes(*read) == file, "it is written otherwise");
  const auto shared = std::make_shared<const Calibration>(std::move(read).value());
  const kv::SideSource source = calibration::side_source(shared);
  for (const RowFacts& facts : shared->rows) {
    KVASIR_CHECK(source(facts.layer, stream_of(facts)).ok(), "it fits what it was learnt of");
  }
  return 0;
}
