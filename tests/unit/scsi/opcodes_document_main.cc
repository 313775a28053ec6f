// opcodes_document: writes docs/reference/opcodes.md to its standard output.
#include <cstdio>

#include "tests/unit/scsi/opcodes_document.h"

int main() {
  const std::string text = uscst::scsi::test::opcodes_document();
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
}
