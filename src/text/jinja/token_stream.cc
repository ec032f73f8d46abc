#include "text/jinja/token_stream.h"

#include "text/jinja/printing.h"

namespace kvasir::text::jinja {

std::string TokenStream::description() const {
  switch (current().kind) {
    case TokenKind::kEnd:
      return "the end of the template";
    case TokenKind::kVariableEnd:
      return "'}}'";
    case TokenKind::kBlockEnd:
      return "'%}'";
    case TokenKind::kData:
      return "text";
    default:
      return in_quotes(current().text);
  }
}

}  // namespace kvasir::text::jinja
