#include "compat/scstadmin/conf.h"

#include <gtest/gtest.h>

#include "compat/scstadmin/conf_old.h"

namespace uscst::scstadmin {
namespace {

// A configuration as one line, e.g. "a{b c{d}}": names in order, content in braces.
std::string shown(const ConfNode& node) {
  std::string out;
  for (const auto& [name, child] : node.children) {
    if (!out.empty()) out += ' ';
    out += name.empty() ? "''" : name;
    if (!child.children.empty()) out += '{' + shown(child) + '}';
  }
  return out;
}

std::string parsed(std::string_view text) {
  const base::Result<ConfNode> conf = parse_conf(text);
  return conf ? shown(*conf) : "error";
}

TEST(Conf, CommentInFirstColumnTakesTheLine) { EXPECT_EQ(parsed("# a 1\nb 2\n#c\n"), "b{2}"); }
TEST(Conf, CommentTakesTheCharacterBefore) {
  EXPECT_EQ(clean_conf_line("abc#d"), "ab");
  EXPECT_EQ(clean_conf_line("a 1 # b"), "a 1");
  EXPECT_EQ(parsed("xy#z\n"), "x");
}
TEST(Conf, EscapedHashIsNoComment) {
  EXPECT_EQ(parsed("a b\\#c\n"), "a{b#c}");
  EXPECT_EQ(clean_conf_line("a\\##b"), "a\\");
}
TEST(Conf, EscapesAreUndoneBeforeQuotesAndBraces) {
  EXPECT_EQ(parsed("a b\\\\c\n"), "a{b\\c}");
  EXPECT_EQ(parsed("a \\{\nb 1\n}\n"), "a{b{1}}");
  EXPECT_EQ(parsed("a \\\"b c\\\"\n"), "a{b c}");
  EXPECT_EQ(clean_conf_line("a\\"), "a\\");
}
TEST(Conf, QuotedWords) {
  EXPECT_EQ(split_conf_words("a \"b c\" d"), (std::vector<std::string>{"a", "b c", "d"}));
  EXPECT_EQ(split_conf_words("a \"\""), (std::vector<std::string>{"a", ""}));
  EXPECT_EQ(split_conf_words("a \"b c"), (std::vector<std::string>{"a", "\"b", "c"}));
  EXPECT_EQ(split_conf_words("a\"b c\""), (std::vector<std::string>{"a\"b", "c\""}));
  EXPECT_EQ(split_conf_words(" \t "), (std::vector<std::string>{}));
}
TEST(Conf, ThreeShapesAndNoMoreWords) { EXPECT_EQ(parsed("a\nb 1\nc 1 2\nd 1 2 3 4\n"), "a b{1} c{1{2}} d{1{2}}"); }
TEST(Conf, SectionsNest) {
  EXPECT_EQ(parsed("HANDLER h {\n\tDEVICE d {\n\t\tfilename /x\n\t}\n\tDEVICE e\n}\n"),
            "HANDLER{h{DEVICE{d{filename{/x}} e}}}");
}
TEST(Conf, TextBeforeAClosingBraceIsLost) { EXPECT_EQ(parsed("LUN 0 d { read_only 1 }\n"), "LUN{0{d}}"); }
TEST(Conf, BraceOnTheNextLineOpensANamelessSection) {
  EXPECT_EQ(parsed("HANDLER h\n{\n DEVICE d\n}\na 1\n"), "HANDLER{h} a{1}");
}
TEST(Conf, ASurplusBraceEndsTheConfiguration) { EXPECT_EQ(parsed("a 1\n}\nb 2\n"), "a{1}"); }
TEST(Conf, MissingBracesAreAccepted) { EXPECT_EQ(parsed("a b {\n c 1\n"), "a{b{c{1}}}"); }
TEST(Conf, ALastLineWithoutNewlineIsLost) { EXPECT_EQ(parsed("a 1\nb 2"), "a{1}"); }
TEST(Conf, RepeatedAttributesBecomeASet) { EXPECT_EQ(parsed("u 2\nu 1\nu 2\n"), "u{1 2}"); }
TEST(Conf, LaterSectionsReplaceEarlierOnes) {
  EXPECT_EQ(parsed("s a {\n x 1\n}\ns b\ns a {\n y 1\n}\n"), "s{a{y{1}} b}");
  EXPECT_EQ(parsed("s a {\n x 1\n}\ns\n"), "s");
}
TEST(Conf, OneLunNumberWithTwoDevices) { EXPECT_EQ(parsed("LUN 0 a\nLUN 0 b\n"), "LUN{0{a b}}"); }
TEST(Conf, NestingIsLimited) {
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "a b {\n";
  const base::Result<ConfNode> conf = parse_conf(deep);
  ASSERT_FALSE(conf);
  EXPECT_EQ(conf.error().code, E2BIG);
}
TEST(Conf, WrittenValuesReadBack) {
  for (const std::string value : {"plain", "with blank", "ha#sh", "back\\slash", "a # b", "\\#", "{brace}", ""}) {
    const base::Result<ConfNode> conf = parse_conf("name " + quote_conf_value(value) + "\n");
    ASSERT_TRUE(conf);
    if (value.empty()) {
      EXPECT_EQ(shown(*conf), "name");
    } else if (value.find('{') == std::string::npos) {
      EXPECT_EQ(shown(*conf), "name{" + value + "}");
    }
  }
}
TEST(Conf, OldFormatIsRecognised) {
  EXPECT_TRUE(is_old_conf("[HANDLER vdisk]\n"));
  EXPECT_TRUE(is_old_conf("x 1\n[GROUP a]\n"));
  EXPECT_TRUE(is_old_conf("[ASSIGNMENT Default]"));
  EXPECT_FALSE(is_old_conf("[HANDLER]\n"));
  EXPECT_FALSE(is_old_conf("# [HANDLER vdisk]\n"));
  EXPECT_FALSE(is_old_conf("HANDLER vdisk {\n}\n"));
}
TEST(OldConf, IsConverted) {
  Current current;
  current.drivers["ib_srpt"]["t1"];
  const base::Result<OldConf> old = convert_old_conf(
      "[HANDLER vdisk]\nDEVICE d1,/a,NV_CACHE|RO,4096,id1\nDEVICE d2,/dev/x,BLOCKIO\n"
      "[GROUP g]\nUSER ini*\n[ASSIGNMENT Default]\nDEVICE d1,0\n[ASSIGNMENT g]\nDEVICE d2,1\n[TARGETS enable]\nHOST "
      "t1\n",
      current, {});
  ASSERT_TRUE(old) << old.error().text;
  EXPECT_EQ(shown(old->conf),
            "HANDLER{vdisk_blockio{DEVICE{d2{filename{/dev/x}}}} "
            "vdisk_fileio{DEVICE{d1{blocksize{4096} filename{/a} nv_cache{1} read_only{1} t10_dev_id{id1}}}}} "
            "TARGET_DRIVER{ib_srpt{TARGET{t1{GROUP{g{INITIATOR{ini*} LUN{1{d2}}}} LUN{0{d1}} enabled{1}}}}}");
  EXPECT_FALSE(convert_old_conf("[TARGETS enable]\nHOST nosuch\n", current, {}));
}

}  // namespace
}  // namespace uscst::scstadmin
