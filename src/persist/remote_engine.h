// A RemoteEngine is one engine as those who look after it use it: one connection with time to
// answer, and calls that end when all is done or the engine fails. It is used by one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kvasir/remote_admin.h"
#include "kvasir/result.h"
#include "persist/remote_inspector.h"
#include "store/record.h"
#include "store/remote/envelope.h"
#include "store/remote/object_client.h"
#include "store/remote/object_names.h"

namespace kvasir::persist {

// So many objects that could not be read may be left. None change nothing.
void add_unreadable(int64_t objects, RemoteRemoval& removal);

class RemoteEngine {
 public:
  using Objects = std::vector<store::remote::ListedObject>;

  // One for every URL. Error: as RemoteAdmin::open.
  static Result<std::vector<std::unique_ptr<RemoteEngine>>> open(const RemoteOptions& options);
  // secret: of the group, may be empty.
  RemoteEngine(std::string label, std::unique_ptr<store::remote::ObjectClient> client,
               std::span<const std::byte> secret, bool encrypts);

  const std::string& label() const { return label_; }

  Result<store::remote::EngineFacts> look();
  // Lists what is there, each object once. Error: it does not answer.
  Result<Objects> list();
  // Inspects some objects at a time, and hands each to `take`, which returns false to stop.
  Status inspect(std::span<const store::remote::ListedObject> objects, RemoteInspector::Depth depth,
                 const std::function<bool(InspectedObject&& one)>& take);
  // What the engine does not remove is in the answer.
  RemoteRemoval remove(const Objects& objects);
  // Removes the objects that these records lie in: also packs of which they are a part. known: what
  // the store had that they were in, themselves included.
  RemoteRemoval remove_records(std::span<const store::RecordInfo> records,
                               std::span<const store::RecordInfo> known);

 private:
  // What failed in a call that went well in other parts is a failure here.
  Status with_parts(Status status);
  Objects named(std::span<const store::RecordInfo> records) const;
  struct Packs {
    Objects found;
    int64_t unreadable = 0;  // objects of which nobody can tell
  };
  Result<Packs> packs_with(std::span<const store::RecordInfo> records,
                           std::span<const store::RecordInfo> known, const Objects& listed);

  std::string label_;
  std::unique_ptr<store::remote::ObjectClient> client_;
  store::remote::ObjectNames names_;
  store::remote::Envelope envelope_;
  RemoteInspector inspector_;
};

}  // namespace kvasir::persist
