#include "tests/unit/sysfsfs/tree_fixture.h"

#include <fcntl.h>

#include <algorithm>

namespace uscst::sysfsfs {

OrErrno<NodeId> TreeFixture::walk(std::string_view path) {
  NodeId id = Tree::kRoot;
  while (!path.empty()) {
    auto length = std::min(path.find('/'), path.size());
    auto next = tree_.lookup(id, path.substr(0, length));
    if (!next) return next;
    id = *next;
    path.remove_prefix(std::min(path.size(), length + 1));
  }
  return id;
}

OrErrno<std::unique_ptr<Tree::OpenFile>> TreeFixture::open(std::string_view path, int flags) {
  auto id = walk(path);
  if (!id) return std::unexpected(id.error());
  return tree_.open(*id, flags, 1);
}

OrErrno<std::string> TreeFixture::read_at(Tree::OpenFile& file, std::uint64_t offset, std::size_t size) {
  auto result = std::make_shared<OrErrno<std::string>>(std::unexpected(kWaiting));  // the answer may come later
  tree_.read(file, offset, size, [result](OrErrno<std::string_view> piece) {
    *result = piece ? OrErrno<std::string>(*piece) : std::unexpected(piece.error());
  });
  executor_.run_until_idle();
  return *result;
}

OrErrno<std::string> TreeFixture::read_all(std::string_view path) {
  auto file = open(path, O_RDONLY);
  if (!file) return std::unexpected(file.error());
  auto text = read_at(**file, 0, kPageBytes);
  tree_.close(std::move(*file));
  return text;
}

std::string TreeFixture::read(std::string_view path) {
  auto text = read_all(path);
  return text ? *text : "error " + std::to_string(text.error());
}

int TreeFixture::write(std::string_view path, std::string_view text) {
  auto file = open(path, O_WRONLY);
  if (!file) return file.error();
  auto result = std::make_shared<int>(kWaiting);
  tree_.write(**file, text, writer_, [result](OrErrno<std::size_t> taken) { *result = taken ? 0 : taken.error(); });
  executor_.run_until_idle();
  tree_.close(std::move(*file));
  return *result;
}

std::vector<std::string> TreeFixture::names(std::string_view path) {
  std::vector<std::string> names;
  auto entries = tree_.read_directory(*walk(path));
  for (const auto& entry : *entries) names.push_back(entry.name);
  return names;
}

std::string TreeFixture::link(std::string_view path) {
  auto id = walk(path);
  return id ? *tree_.read_link(*id) : "error " + std::to_string(id.error());
}

}  // namespace uscst::sysfsfs
