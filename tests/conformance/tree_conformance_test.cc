// Replays writes and reads recorded from SCST 3.11 (data/transcripts/) against the tree of a fake engine, and compares
// the errno, what the file reads afterwards, and last_sysfs_mgmt_res. Files of drivers and handlers that the fake
// engine does not have are left out; the number replayed is checked, so that nothing is left out unnoticed.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/io/sim_executor.h"
#include "sysfsfs/cpu_mask.h"
#include "sysfsfs/tree.h"
#include "sysfsfs/views.h"
#include "tests/unit/sysfsfs/fake_engine.h"

namespace uscst::sysfsfs {
namespace {

using nlohmann::json;

const std::map<std::string, int, std::less<>> kErrors = {{"OK", 0},
                                                         {"EINVAL", EINVAL},
                                                         {"EEXIST", EEXIST},
                                                         {"ENOENT", ENOENT},
                                                         {"EACCES", EACCES},
                                                         {"ERANGE", ERANGE},
                                                         {"EBUSY", EBUSY},
                                                         {"E2BIG", E2BIG},
                                                         {"EAGAIN", EAGAIN},
                                                         {"EOVERFLOW", EOVERFLOW},
                                                         {"EBADSLT", EBADSLT},
                                                         {"EIO", EIO},
                                                         {"EPERM", EPERM},
                                                         {"EOPNOTSUPP", EOPNOTSUPP},
                                                         {"ENAMETOOLONG", ENAMETOOLONG}};

// Strings are latin-1 text in the recordings: one character a byte.
std::string bytes_of(const json& text) {
  std::string bytes;
  const auto& utf8 = text.get_ref<const std::string&>();
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    auto c = static_cast<unsigned char>(utf8[i]);
    if (c < 0x80) {
      bytes += utf8[i];
    } else {
      bytes += static_cast<char>((c & 3) << 6 | (static_cast<unsigned char>(utf8[++i]) & 0x3F));
    }
  }
  return bytes;
}

class TreeConformance : public testing::Test {
 protected:
  OrErrno<std::unique_ptr<Tree::OpenFile>> open(std::string path, int flags) {
    if (auto at = path.find("{TGT}"); at != std::string::npos) path.replace(at, 5, kTargetName);
    NodeId id = Tree::kRoot;
    std::string_view rest = path;
    while (!rest.empty()) {
      auto length = std::min(rest.find('/'), rest.size());
      auto next = tree_.lookup(id, rest.substr(0, length));
      if (!next) return std::unexpected(next.error());
      id = *next;
      rest.remove_prefix(std::min(rest.size(), length + 1));
    }
    return tree_.open(id, flags, 1);
  }
  OrErrno<std::string> read(const std::string& path) {
    auto file = open(path, O_RDONLY);
    if (!file) return std::unexpected(file.error());
    auto result = std::make_shared<OrErrno<std::string>>(std::unexpected(ETIMEDOUT));
    tree_.read(**file, 0, kPageBytes, [result](OrErrno<std::string_view> content) {
      *result = content ? OrErrno<std::string>(*content) : std::unexpected(content.error());
    });
    executor_.run_until_idle();
    tree_.close(std::move(*file));
    return *result;
  }
  int write(const std::string& path, const std::string& data) {
    auto file = open(path, O_WRONLY);
    if (!file) return file.error();
    auto result = std::make_shared<int>(ETIMEDOUT);
    Writer writer;
    tree_.write(**file, data, writer, [result](OrErrno<std::size_t> taken) { *result = taken ? 0 : taken.error(); });
    executor_.run_until_idle();
    tree_.close(std::move(*file));
    return *result;
  }
  // What the fake engine has not got, or what differs from machine to machine.
  static bool left_out(const std::string& path) {
    for (auto part :
         {"copy_manager", "scst_local", "handlers/dev_", "handlers/vcdrom", "handlers/scst_user", "comp_v_mask",
          "port_id", "/device", "link_layer", "login_info", "version", "device_groups", "sgv/", "0:0:0:0"}) {
      if (path.find(part) != std::string::npos) return true;
    }
    return path.find("cpu_mask") != std::string::npos && possible_processors() != 2;
  }
  // Fixed by a known difference, one by one.
  static bool differs(const std::string& path, const std::string& data) {
    // Text after a NUL does not count; SCST looks for the newline at the end of the whole write, and finds it there.
    return path == "cluster_name" && data == std::string("1\0\n", 3);
  }
  // Returns how many operations were compared.
  int replay(const std::string& name) {
    std::ifstream file(std::string(USCST_TRANSCRIPTS) + '/' + name + ".txt");
    EXPECT_TRUE(file) << name;
    int compared = 0;
    for (std::string line; std::getline(file, line);) {
      json recorded = json::parse(line);
      if (std::string op = recorded.value("op", ""); op != "read" && op != "write") continue;
      std::string path = recorded["path"], data = recorded.contains("data") ? bytes_of(recorded["data"]) : "";
      if (left_out(path) || data.find("0:0:0:0") != std::string::npos || differs(path, data)) continue;
      SCOPED_TRACE(name + ": " + line.substr(0, 200));
      int expected = kErrors.at(recorded["result"]);
      ++compared;
      if (recorded["op"] == "read") {
        auto content = read(path);
        EXPECT_EQ(content ? 0 : content.error(), expected);
        if (content && recorded.contains("content")) {
          EXPECT_EQ(*content, bytes_of(recorded["content"]));
        }
        continue;
      }
      EXPECT_EQ(write(path, data), expected);
      EXPECT_EQ(read("last_sysfs_mgmt_res").value_or("?"), recorded["mgmt_res"].get<std::string>() + '\n');
      compare_content(path, recorded);
    }
    return compared;
  }
  void compare_content(const std::string& path, const json& recorded) {
    if (!recorded.contains("after") || !recorded["after"].is_string()) return;
    std::string after = bytes_of(recorded["after"]), now = read(path).value_or("?");
    if (auto cut = after.rfind("...("); cut != after.npos && after.ends_with(" bytes)")) {  // "TEXT...(N bytes)"
      EXPECT_EQ(now.size(), std::stoul(after.substr(cut + 4)));
      after.resize(cut);
      now.resize(std::min(now.size(), cut));
    }
    EXPECT_EQ(now, after);
  }

  io::SimExecutor executor_;
  FakeEngine engine_{executor_};
  Context context_{engine_.registry, engine_.queue, engine_.log};
  Tree tree_{root_directory(context_), engine_.log};
};

TEST_F(TreeConformance, RootAttributes) { EXPECT_GT(replay("01-toplevel"), 150); }
TEST_F(TreeConformance, Luns) { EXPECT_GT(replay("10-luns"), 70); }
TEST_F(TreeConformance, InitiatorGroups) { EXPECT_GT(replay("11-ini-groups"), 120); }
TEST_F(TreeConformance, TargetAttributes) { EXPECT_GT(replay("12-target-attrs"), 120); }

}  // namespace
}  // namespace uscst::sysfsfs
