// docs/reference/opcodes.md, made from the rows of the opcode table.
#pragma once

#include <string>

namespace uscst::scsi::test {

std::string opcodes_document();

}  // namespace uscst::scsi::test
