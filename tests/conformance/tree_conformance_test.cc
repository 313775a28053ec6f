// Replays writes and reads recorded from SCST 3.11 (data/transcripts/) against the tree of a fake engine, and compares
// the errno, what the file reads afterwards, and last_sysfs_mgmt_res. Files of drivers and handlers that the fake
// engine does not have are left out; the number replayed is checked, so that nothing is left out unnoticed.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/base/cpu_mask.h"
#include "tests/unit/sysfsfs/tree_fixture.h"

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

class TreeConformance : public TreeFixture {
 protected:
  // What the fake engine has not got, or what differs from machine to machine.
  static bool left_out(const std::string& path) {
    for (auto part :
         {"copy_manager", "scst_local", "handlers/dev_", "handlers/vcdrom", "handlers/scst_user", "comp_v_mask",
          "port_id", "/device", "link_layer", "login_info", "version", "device_groups", "sgv/", "0:0:0:0"}) {
      if (path.find(part) != std::string::npos) return true;
    }
    return path.find("cpu_mask") != std::string::npos && base::possible_processors() != 2;
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
      std::string path = recorded["path"];
      if (auto at = path.find("{TGT}"); at != std::string::npos) path.replace(at, 5, kTargetName);
      std::string data = recorded.contains("data") ? bytes_of(recorded["data"]) : "";
      if (left_out(path) || data.find("0:0:0:0") != std::string::npos || differs(path, data)) continue;
      SCOPED_TRACE(name + ": " + line.substr(0, 200));
      int expected = kErrors.at(recorded["result"]);
      ++compared;
      if (recorded["op"] == "read") {
        auto content = read_all(path);
        EXPECT_EQ(content ? 0 : content.error(), expected);
        if (content && recorded.contains("content")) {
          EXPECT_EQ(*content, bytes_of(recorded["content"]));
        }
        continue;
      }
      EXPECT_EQ(write(path, data), expected);
      EXPECT_EQ(read("last_sysfs_mgmt_res"), recorded["mgmt_res"].get<std::string>() + '\n');
      compare_content(path, recorded);
    }
    return compared;
  }
  void compare_content(const std::string& path, const json& recorded) {
    if (!recorded.contains("after") || !recorded["after"].is_string()) return;
    std::string after = bytes_of(recorded["after"]), now = read(path);
    if (auto cut = after.rfind("...("); cut != after.npos && after.ends_with(" bytes)")) {  // "TEXT...(N bytes)"
      EXPECT_EQ(now.size(), std::stoul(after.substr(cut + 4)));
      after.resize(cut);
      now.resize(std::min(now.size(), cut));
    }
    EXPECT_EQ(now, after);
  }
};

TEST_F(TreeConformance, RootAttributes) { EXPECT_GT(replay("01-toplevel"), 150); }
TEST_F(TreeConformance, Luns) { EXPECT_GT(replay("10-luns"), 70); }
TEST_F(TreeConformance, InitiatorGroups) { EXPECT_GT(replay("11-ini-groups"), 120); }
TEST_F(TreeConformance, TargetAttributes) { EXPECT_GT(replay("12-target-attrs"), 120); }

}  // namespace
}  // namespace uscst::sysfsfs
