// digest_of_shown names what a client was told in a turn, the same for all that clients make of it:
// other blanks around texts, arguments written anew, names of members in another order. Reasoning
// and ids do not count: clients drop the one and change the others. A pure function.
#pragma once

#include "base/digest.h"
#include "kvasir/conversation.h"

namespace kvasir::replay {

Digest256 digest_of_shown(const Message& message);

}  // namespace kvasir::replay
