// The tree over a fake engine, spoken to by path as a process would: look-up, open, read, write, list. One executor.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/io/sim_executor.h"
#include "sysfsfs/tree.h"
#include "sysfsfs/views.h"
#include "tests/unit/sysfsfs/fake_engine.h"

namespace uscst::sysfsfs {

class TreeFixture : public testing::Test {
 protected:
  static constexpr int kWaiting = -1;  // instead of an errno: there is no answer yet

  OrErrno<NodeId> walk(std::string_view path);
  bool exists(std::string_view path) { return walk(path).has_value(); }
  OrErrno<std::unique_ptr<Tree::OpenFile>> open(std::string_view path, int flags);
  OrErrno<std::string> read_at(Tree::OpenFile& file, std::uint64_t offset, std::size_t size);
  OrErrno<std::string> read_all(std::string_view path);
  // The same as text: "error N" where there is none.
  std::string read(std::string_view path);
  // The errno of opening or writing, 0 when all was taken.
  int write(std::string_view path, std::string_view text);
  // In the order of the directory, with "." and "..".
  std::vector<std::string> names(std::string_view path);
  std::string link(std::string_view path);

  io::SimExecutor executor_;
  FakeEngine engine_{executor_};
  Context context_{engine_.registry, engine_.queue, engine_.log};
  Tree tree_{root_directory(context_), engine_.log};
  Writer writer_;
};

}  // namespace uscst::sysfsfs
