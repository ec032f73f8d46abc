#include "kvasir/remote_admin.h"

#include <gtest/gtest.h>

#include "persist/remote_admin_state.h"
#include "store/remote/parts.h"
#include "store/remote/remote_test_support.h"

namespace kvasir {
namespace {

using persist::RemoteEngine;
using store::RecordId;
using store::RecordInfo;
using store::remote::Chain;
using store::remote::ChainForm;
using store::remote::Envelope;
using store::remote::FakeEngine;
using store::remote::make_chain;
using store::remote::ObjectKind;
using store::remote::ObjectName;
using store::remote::ObjectNames;
using store::remote::Part;
using store::remote::PayloadSizes;
using Bytes = std::vector<std::byte>;
using Objects = std::map<FakeEngine::Name, Bytes>;

constexpr PayloadSizes kSizes{.first_block_bytes = 9000, .block_bytes = 5000, .state_bytes = 7000};
constexpr int64_t kToken = store::kRecordTokensMax;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// One who writes to an engine.
struct Group {
  Group(std::string_view secret_text, bool encrypts_records)
      : secret(secret_text),
        encrypts(encrypts_records),
        names(bytes_of(secret), encrypts),
        envelope(encrypts ? Envelope::sealing(bytes_of(secret)) : Envelope()) {}

  Bytes object_of(const Chain& chain, const Part& part, int64_t created_s) const {
    Bytes bytes(static_cast<size_t>(part.bytes));
    for (const auto& record : part.records) {
      const auto& wire = record.wire;
      const Bytes payload = store::remote::payload_of(wire.id, wire.payload_bytes);
      const RecordInfo info{.id = wire.id,
                            .parent = wire.parent,
                            .model = chain.model,
                            .token_begin = wire.token_begin,
                            .token_count = std::ssize(wire.tokens),
                            .payload_bytes = wire.payload_bytes,
                            .payload_digest = xxh3_128(payload),
                            .created_s = created_s};
      const auto place =
          std::span(bytes).subspan(static_cast<size_t>(record.offset_bytes),
                                   static_cast<size_t>(envelope.bytes_of(wire.wire_bytes())));
      store::remote::write_wire_record(info, wire.tokens, payload, envelope.record_part(place));
      envelope.close(record.name, place);
    }
    return bytes;
  }

  std::string secret;
  bool encrypts;
  ObjectNames names;
  Envelope envelope;
};

class RemoteAdminTest : public ::testing::TestWithParam<bool> {
 protected:
  RemoteAdminTest() : group_("the secret of a group", GetParam()) {}

  void put(const Group& group, const Chain& chain, const Part& part, int64_t created_s = 1000) {
    Objects objects = engine_.objects();
    objects[FakeEngine::name_of(part.object)] = group.object_of(chain, part, created_s);
    engine_.set_objects(std::move(objects));
  }
  // Blocks from the one behind `from` on, whole packs as such where an engine has packs, and states
  // where packs end and at the end.
  void put_chain(const Group& group, const Chain& chain, bool is_packed, int64_t from = 0,
                 int64_t created_s = 1000) {
    const ChainForm form(chain, group.names, group.envelope);
    const int64_t count = chain.block_count();
    for (int64_t blocks = from + 1; blocks <= count; ++blocks) {
      const bool is_anchor = blocks % store::remote::kPackBlocks == 0;
      if (!is_packed || blocks > count / 32 * 32) {
        put(group, chain, form.block(blocks), created_s);
      } else if (is_anchor) {
        put(group, chain, form.pack(blocks, blocks - 32), created_s);
      }
      if (is_anchor || blocks == count) put(group, chain, form.state(blocks), created_s);
    }
  }
  // The same beginning, then other tokens.
  static Chain branch(const Chain& chain, int64_t at) {
    Chain other = chain;
    other.tokens[static_cast<size_t>(at * kToken)] += 1;
    for (int64_t i = at; i < other.block_count(); ++i) {
      other.keys[static_cast<size_t>(i)] =
          Sha256().add(other.parent_of(i)).add(std::as_bytes(other.tokens_of(i))).finish();
    }
    return other;
  }
  ChainForm form(const Chain& chain) const { return {chain, group_.names, group_.envelope}; }

  // Changes an object. Its bytes are a reference.
  template <class Change>
  void change(const ObjectName& name, const Change& change_bytes) {
    Objects objects = engine_.objects();
    change_bytes(objects.at(FakeEngine::name_of(name)));
    engine_.set_objects(std::move(objects));
  }
  bool has(const ObjectName& name) { return engine_.objects().contains(FakeEngine::name_of(name)); }
  int64_t count() { return std::ssize(engine_.objects()); }

  std::unique_ptr<RemoteEngine> engine() {
    return std::make_unique<RemoteEngine>("fake", engine_.client(), bytes_of(group_.secret),
                                          group_.encrypts);
  }
  RemoteAdmin admin() {
    return RemoteAdmin(
        std::make_unique<RemoteAdmin::State>(RemoteAdmin::State{.engine = engine()}));
  }
  // The only wrong object there is.
  RemoteFault only_fault() {
    auto check = admin().verify(false);
    EXPECT_TRUE(check.ok());
    EXPECT_EQ(check->wrong.size(), 1u);
    return check->wrong.empty() ? RemoteFault{} : check->wrong.front();
  }

  FakeEngine engine_;
  Group group_;
};

TEST_P(RemoteAdminTest, WhatLiesThereIsCountedListedAndRight) {
  for (const bool is_packed : {false, true}) {
    engine_.set_objects({});
    const Chain chain = make_chain(1, 70, kSizes);
    put_chain(group_, chain, is_packed);
    const auto summary = admin().summary();
    ASSERT_TRUE(summary.ok());
    EXPECT_EQ(summary->version, "fake");
    EXPECT_EQ(summary->blocks.count, is_packed ? 6 : 70);
    EXPECT_EQ(summary->packs.count, is_packed ? 2 : 0);
    EXPECT_EQ(summary->states.count, 3);
    const auto listing = admin().list();
    ASSERT_TRUE(listing.ok());
    ASSERT_EQ(listing->runs.size(), 1u);
    const RemoteRun& run = listing->runs[0];
    EXPECT_EQ(run.key, to_hex(chain.key_at(70)));
    EXPECT_EQ(run.parent, "");
    EXPECT_EQ(run.model, to_hex(chain.model));
    EXPECT_EQ(run.token_begin, 0);
    EXPECT_EQ(run.token_end, 70 * kToken);
    EXPECT_EQ(run.states, (std::vector<int64_t>{4096, 8192, 8960}));
    EXPECT_EQ(run.written_s, 1000);
    EXPECT_EQ(run.bytes, (4 + 69 * 3 + 3 * 3) * 4096);
    const auto check = admin().verify(false);
    ASSERT_TRUE(check.ok());
    EXPECT_EQ(check->right.count, count());
    EXPECT_EQ(check->foreign.count, 0);
    EXPECT_TRUE(check->wrong.empty());
  }
}

TEST_P(RemoteAdminTest, TextsThatPartAreRunsOfTheirOwn) {
  const Chain chain = make_chain(1, 40, kSizes);
  const Chain other = branch(chain, 35);
  put_chain(group_, chain, true);
  put_chain(group_, other, true, 32);
  const auto listing = admin().list();
  ASSERT_TRUE(listing.ok());
  ASSERT_EQ(listing->runs.size(), 3u);
  EXPECT_EQ(listing->runs[0].token_end, 35 * kToken);
  for (size_t i : {1, 2}) {
    EXPECT_EQ(listing->runs[i].parent, listing->runs[0].key);
    EXPECT_EQ(listing->runs[i].token_begin, 35 * kToken);
    EXPECT_EQ(listing->runs[i].states, (std::vector<int64_t>{40 * kToken}));
  }
}

TEST_P(RemoteAdminTest, ObjectsOfOthersAreCountedAndLeftAlone) {
  const Group others("the secret of others", GetParam());
  const Group sealing("the secret of sealing others", true);
  put_chain(group_, make_chain(1, 40, kSizes), true);
  const int64_t own = count();
  put_chain(others, make_chain(1, 40, kSizes), true);
  put_chain(sealing, make_chain(1, 40, kSizes), true);
  const auto check = admin().verify(true);
  ASSERT_TRUE(check.ok());
  EXPECT_EQ(check->right.count, own);
  EXPECT_EQ(check->foreign.count, 2 * own);
  EXPECT_TRUE(check->wrong.empty());
  EXPECT_EQ(admin().list()->foreign.count, 2 * own);
  const auto removal = admin().remove({.all = true});
  ASSERT_TRUE(removal.ok());
  EXPECT_EQ(removal->removed.count, own);
  EXPECT_EQ(removal->foreign.count, 2 * own);
  EXPECT_EQ(count(), 2 * own);
}

TEST_P(RemoteAdminTest, WhatNobodyCanUseIsFoundAndRemoved) {
  const Chain chain = make_chain(1, 40, kSizes);
  put_chain(group_, chain, true);
  const int64_t all = count();
  // Too short, whoever wrote it.
  const ObjectName block = form(chain).block(36).object;
  change(block, [](Bytes& bytes) { bytes.resize(bytes.size() - 100); });
  EXPECT_EQ(only_fault().name, "b/" + to_hex(block.hash));
  auto repaired = admin().verify(true);
  ASSERT_TRUE(repaired.ok());
  EXPECT_EQ(repaired->repair->removed.count, 1);
  EXPECT_FALSE(has(block));
  EXPECT_EQ(count(), all - 1);
  EXPECT_TRUE(admin().verify(false)->wrong.empty());
}

// Of sealed objects nobody can tell whose they were.
TEST_P(RemoteAdminTest, AChangedByteIsFound) {
  const Chain chain = make_chain(1, 40, kSizes);
  put_chain(group_, chain, true);
  for (const ObjectName& name : {form(chain).block(36).object, form(chain).state(40).object,
                                 form(chain).pack(32, 0).object}) {
    const Objects whole = engine_.objects();
    for (const size_t at : {size_t{300}, size_t{5000}}) {
      change(name, [&](Bytes& bytes) { bytes[at] ^= std::byte{1}; });
      const auto check = admin().verify(false);
      ASSERT_TRUE(check.ok());
      EXPECT_EQ(std::ssize(check->wrong), GetParam() ? 0 : 1);
      EXPECT_EQ(check->foreign.count, GetParam() ? 1 : 0);
      EXPECT_EQ(check->right.count, count() - 1);
      engine_.set_objects(whole);
    }
  }
  // Behind the first record of a pack it is known whose the others are.
  change(form(chain).pack(32, 0).object, [](Bytes& bytes) { bytes[36000] ^= std::byte{1}; });
  EXPECT_EQ(only_fault().name.substr(0, 2), "p/");
}

// As a gateway does whose servers are starting: what it says it has may be whole.
TEST_P(RemoteAdminTest, WhatTheEngineFailsToReadIsNamedAndLeft) {
  for (const bool is_packed : {false, true}) {
    const Chain chain = make_chain(1, 40, kSizes);
    engine_.set_objects({});
    put_chain(group_, chain, is_packed);
    const ObjectName lost = (is_packed ? form(chain).pack(32, 0) : form(chain).block(32)).object;
    engine_.lose({FakeEngine::name_of(lost)});
    const int64_t all = count();
    const auto check = admin().verify(true);
    ASSERT_TRUE(check.ok());
    EXPECT_TRUE(check->wrong.empty());
    ASSERT_EQ(check->unreadable.size(), 1u);
    EXPECT_EQ(check->unreadable[0].name.substr(2), to_hex(lost.hash));
    EXPECT_EQ(check->repair->removed.count, 0);
    EXPECT_EQ(count(), all);
    ASSERT_TRUE(admin().list().ok());
    EXPECT_EQ(admin().list()->unreadable.count, 1);
    engine_.lose({});
    EXPECT_EQ(admin().verify(false)->right.count, all);
  }
}

TEST_P(RemoteAdminTest, WhatCannotBeReadIsNotRemovedAndSaidToBeLeft) {
  const Chain chain = make_chain(1, 40, kSizes);
  put_chain(group_, chain, true);
  const int64_t all = count();
  engine_.lose({FakeEngine::name_of(form(chain).state(40).object)});
  // It may be new, and then all else is needed.
  EXPECT_EQ(admin().remove({.written_before_s = 1500}).error().kind, ErrorKind::kIo);
  EXPECT_EQ(count(), all);
  for (const RemoteChoice& choice :
       {RemoteChoice{.model = to_hex(chain.model)}, RemoteChoice{.all = true}}) {
    const auto removal = admin().remove(choice);
    ASSERT_TRUE(removal.ok());
    EXPECT_EQ(removal->left_objects, 1);
    EXPECT_FALSE(removal->reason.empty());
    EXPECT_EQ(count(), 1) << "nobody knows whose it is";
  }
}

TEST_P(RemoteAdminTest, ARecordThatContradictsItselfIsWrong) {
  const Chain chain = make_chain(1, 3, kSizes);
  Chain other = chain;
  other.tokens[5] += 1;  // not those of its key
  put(group_, other, form(other).block(1));
  EXPECT_EQ(only_fault().expected, "the key of its tokens");
  // A state where a block should be.
  engine_.set_objects({});
  Part part = form(chain).state(3);
  part.object = form(chain).block(3).object;
  part.records[0].name = part.object;
  put(group_, chain, part);
  EXPECT_EQ(only_fault().expected, "a block");
}

TEST_P(RemoteAdminTest, AnotherRecordUnderANameIsNotTakenForIt) {
  const Chain chain = make_chain(1, 3, kSizes);
  Part part = form(chain).block(2);
  part.object = form(chain).block(3).object;
  put(group_, chain, part);
  const auto check = admin().verify(false);
  ASSERT_TRUE(check.ok());
  EXPECT_EQ(check->right.count, 0);
  EXPECT_EQ(check->foreign.count, 1);
}

TEST_P(RemoteAdminTest, WhatIsNotEncryptedIsWrongUnderANameOfWhatIs) {
  Group plain(group_.secret, false);
  plain.names = group_.names;
  put_chain(plain, make_chain(1, 2, kSizes), false);
  const auto check = admin().verify(false);
  ASSERT_TRUE(check.ok());
  EXPECT_EQ(std::ssize(check->wrong), GetParam() ? 3 : 0);
}

TEST_P(RemoteAdminTest, WhatIsOldGoesUnlessSomethingNewContinuesIt) {
  const Chain chain = make_chain(1, 40, kSizes);
  const Chain longer = branch(chain, 35);
  put_chain(group_, chain, true, 0, 1000);
  put_chain(group_, longer, true, 35, 2000);
  put_chain(group_, make_chain(2, 3, kSizes), true, 0, 1000);
  ASSERT_EQ(admin().remove({.written_before_s = 1000})->removed.count, 0);
  const auto removal = admin().remove({.written_before_s = 1500});
  ASSERT_TRUE(removal.ok());
  // The other text's three blocks and its state, and five blocks and a state of the first.
  EXPECT_EQ(removal->removed.count, 4 + 6);
  const auto listing = admin().list();
  ASSERT_TRUE(listing.ok());
  ASSERT_EQ(listing->runs.size(), 1u);
  EXPECT_EQ(listing->runs[0].key, to_hex(longer.key_at(40)));
  EXPECT_EQ(listing->runs[0].token_begin, 0);
}

TEST_P(RemoteAdminTest, OneModelsObjectsAreRemoved) {
  Chain other = make_chain(2, 5, kSizes);
  other.model = Sha256().add_text("another").finish();
  put_chain(group_, make_chain(1, 5, kSizes), false);
  put_chain(group_, other, false);
  const std::string model = to_hex(other.model);
  EXPECT_EQ(admin().remove({.model = model.substr(0, 8)})->removed.count, 6);
  EXPECT_EQ(count(), 6);
  EXPECT_EQ(admin().remove({.model = "abc"}).error().kind, ErrorKind::kUsage);
  EXPECT_EQ(admin().remove({}).error().kind, ErrorKind::kUsage);
}

std::vector<RecordInfo> blocks_of(const Chain& chain, int64_t from, int64_t to) {
  std::vector<RecordInfo> infos;
  for (int64_t blocks = from + 1; blocks <= to; ++blocks) {
    infos.push_back({.id = chain.block_id(blocks),
                     .parent = chain.parent_of(blocks - 1),
                     .token_begin = (blocks - 1) * kToken,
                     .token_count = kToken});
  }
  return infos;
}

TEST_P(RemoteAdminTest, RemovedRecordsTakeTheirObjectsAlong) {
  const Chain chain = make_chain(1, 70, kSizes);
  put_chain(group_, chain, false);
  std::vector<RecordInfo> removed = blocks_of(chain, 60, 70);
  removed.push_back({.id = chain.state_id(64)});
  const RemoteRemoval removal = engine()->remove_records(removed, blocks_of(chain, 0, 70));
  EXPECT_EQ(removal.removed.count, 11);
  EXPECT_GT(removal.removed.bytes, 11 * 4096);
  EXPECT_EQ(removal.left_objects, 0);
  EXPECT_TRUE(has(form(chain).block(60).object));
  EXPECT_FALSE(has(form(chain).block(61).object));
  EXPECT_FALSE(has(form(chain).state(64).object));
  EXPECT_TRUE(has(form(chain).state(70).object));
}

TEST_P(RemoteAdminTest, APackGoesWithAnyOfItsBlocks) {
  const Chain chain = make_chain(1, 70, kSizes);
  put_chain(group_, chain, true);
  // The pack goes on behind them: somebody else wrote it.
  const RemoteRemoval removal =
      engine()->remove_records(blocks_of(chain, 40, 45), blocks_of(chain, 0, 45));
  EXPECT_EQ(removal.removed.count, 1);
  EXPECT_FALSE(has(form(chain).pack(64, 32).object));
  EXPECT_TRUE(has(form(chain).pack(32, 0).object));
  // Of what cannot be read nobody can tell.
  engine_.lose_all();
  const RemoteRemoval left =
      engine()->remove_records(blocks_of(chain, 10, 15), blocks_of(chain, 0, 15));
  EXPECT_EQ(left.removed.count, 0);
  EXPECT_EQ(left.left_objects, 1);
  EXPECT_FALSE(left.reason.empty());
  engine_.lose({});
  // And with the last of them.
  EXPECT_EQ(
      engine()->remove_records(blocks_of(chain, 31, 32), blocks_of(chain, 0, 32)).removed.count, 1);
  EXPECT_EQ(engine_.count(ObjectKind::kPack), 0);
}

TEST_P(RemoteAdminTest, AnEngineThatIsGoneIsAnErrorAndWhatIsLeftIsSaid) {
  const Chain chain = make_chain(1, 5, kSizes);
  put_chain(group_, chain, false);
  engine_.fault = FakeEngine::Fault::kGone;
  EXPECT_EQ(admin().summary().error().kind, ErrorKind::kIo);
  EXPECT_EQ(admin().list().error().kind, ErrorKind::kIo);
  EXPECT_EQ(admin().verify(true).error().kind, ErrorKind::kIo);
  EXPECT_EQ(admin().remove({.all = true}).error().kind, ErrorKind::kIo);
  const RemoteRemoval removal =
      engine()->remove_records(blocks_of(chain, 0, 5), blocks_of(chain, 0, 5));
  EXPECT_EQ(removal.removed.count, 0);
  EXPECT_EQ(removal.left_objects, 5);
  EXPECT_EQ(removal.reason, "the engine is gone");
  engine_.fault = FakeEngine::Fault::kNone;
  EXPECT_EQ(count(), 6);
}

TEST_P(RemoteAdminTest, CheckingCanBeStopped) {
  put_chain(group_, make_chain(1, 5, kSizes), false);
  int calls = 0;
  const auto check = admin().verify(false, [&](int64_t done, int64_t total) {
    EXPECT_LT(done, total);
    return ++calls < 3;
  });
  ASSERT_TRUE(check.ok());
  EXPECT_FALSE(check->is_whole);
  EXPECT_EQ(check->right.count, 3);
}

INSTANTIATE_TEST_SUITE_P(Forms, RemoteAdminTest, ::testing::Bool(),
                         [](const auto& one) { return one.param ? "Sealed" : "Plain"; });

}  // namespace
}  // namespace kvasir
