#include "sysfsfs/node.h"

namespace uscst::sysfsfs {

Entry file_entry(mode_t mode, std::unique_ptr<File> file, std::uint64_t identity) {
  return {.kind = EntryKind::kFile, .mode = mode, .identity = identity, .file = std::move(file)};
}

Entry directory_entry(std::unique_ptr<Directory> directory, std::uint64_t identity) {
  return {.kind = EntryKind::kDirectory, .mode = 0755, .identity = identity, .directory = std::move(directory)};
}

Entry link_entry(std::string text, std::uint64_t identity) {
  return {.kind = EntryKind::kLink, .mode = 0777, .identity = identity, .link_text = std::move(text)};
}

}  // namespace uscst::sysfsfs
