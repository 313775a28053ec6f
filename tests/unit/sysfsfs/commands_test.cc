#include "sysfsfs/commands.h"

#include <gtest/gtest.h>

#include "engine/base/cpu_mask.h"
#include "sysfsfs/trace_level.h"

namespace uscst::sysfsfs {
namespace {

template <class T>
int code(const base::Result<T>& result) {
  return result ? 0 : result.error().code;
}

TEST(Lexer, SplitsAtBlanksAndEqualSigns) {
  Lexer lexer("  =add_device=d1\tsize\n");
  EXPECT_EQ(lexer.word(), "add_device");
  EXPECT_EQ(lexer.word(), "d1");
  EXPECT_EQ(lexer.word(), "size");
  EXPECT_EQ(lexer.word(), "");
}

TEST(MatchesWord, ComparesOverTheShorter) {
  EXPECT_TRUE(matches_word("FLATTER\n", "FLAT"));
  EXPECT_TRUE(matches_word("Lun extra\n", "LUN"));
  EXPECT_TRUE(matches_word("P", "PERIPHERAL"));
  EXPECT_FALSE(matches_word("F\n", "FLAT"));
  EXPECT_FALSE(matches_word("\n", "FLAT"));
  EXPECT_FALSE(matches_word("", "FLAT"));
}

TEST(DeviceCommand, OutcomesAsRecorded) {
  struct Case {
    std::string_view text;
    int command_error, parameter_error;
  };
  const Case cases[] = {{"add_device\n", EINVAL, 0},
                        {"add_device \n", EINVAL, 0},
                        {"bogus x\n", EINVAL, 0},
                        {"ADD_DEVICE up\n", 0, 0},
                        {"del_device n1 extra\n", EINVAL, 0},
                        {"  add_device   lead   ;\n", 0, EINVAL},
                        {"add_device two\nadd_device three\n", 0, 0},
                        {"del_device two\ndel_device three\n", EINVAL, 0},
                        {"add_device trail   \n", 0, EINVAL},
                        {"add_device tab\tsize_mb=4\n", 0, 0},
                        {"add_device a=b\n", 0, EINVAL},
                        {"add_device a;b\n", 0, 0},
                        {"add_device p1 size_mb=8; blocksize=4096;\n", 0, 0},
                        {"add_device p1 size_mb = 8\n", 0, 0},
                        {"add_device p1 size_mb\n", 0, EINVAL},
                        {"add_device p1 =8\n", 0, EINVAL},
                        {"add_device p1 size_mb=8 blocksize=4096\n", 0, EINVAL},
                        {"add_device p1 size_mb=;\n", 0, EINVAL},
                        {"add_device p1 ;;;\n", 0, 0},
                        {"add_device p1 size_mb=8 ;  ; blocksize=512 \n", 0, EINVAL}};
  for (const Case& c : cases) {
    auto command = parse_device_command(c.text);
    EXPECT_EQ(code(command), c.command_error) << c.text;
    if (command) {
      EXPECT_EQ(code(command->parameters), c.parameter_error) << c.text;
    }
  }
  auto command = parse_device_command("add_device a;b SIZE_MB=8;x=1;\n");
  EXPECT_EQ(command->name, "a;b");
  EXPECT_EQ(*command->parameters, (target::Parameters{{"SIZE_MB", "8"}, {"x", "1"}}));
}

TEST(LunCommand, OutcomesAsRecorded) {
  struct Case {
    std::string_view text;
    int error;
  };
  const Case cases[] = {{"add\n", EINVAL},
                        {"add n1\n", EINVAL},
                        {"add n2 5 read_only=x\n", EINVAL},
                        {"add n2 6 read_only\n", EINVAL},
                        {"add n2 6 nosuch=1\n", EINVAL},
                        {"add n2 6 READ_ONLY=1\n", 0},
                        {"add n2 7 read_only=1;read_only=0\n", 0},
                        {"add n2 8; read_only=1\n", EINVAL},
                        {"add n2 9 read_only 1\n", 0},
                        {"add n2 10 read_only=1 extra\n", EINVAL},
                        {"ADD n3 11\n", 0},
                        {"add  n3   12  \n", EINVAL},
                        {"add n3 0x10\n", 0},
                        {"add n3 16383\n", 0},
                        {"add n3 16384\n", EINVAL},
                        {"add n3 -1\n", EINVAL},
                        {"add n3 99999999999999999999\n", ERANGE},
                        {"add n3 1a\n", EINVAL},
                        {"add n4 21\nadd n4 22\n", EINVAL},
                        {"add n4 23 \n", 0},
                        {"\tadd\tn4\t24\n", 0},
                        {"del\n", EINVAL},
                        {"del 0 extra\n", EINVAL},
                        {"del 4 \n", 0},
                        {"del 0x10\n", 0},
                        {"clear extra\n", EINVAL},
                        {"CLEAR\n", 0},
                        {"add_lun n1 0\n", EINVAL},
                        {"add n1 0;add n2 1\n", EINVAL},
                        {"replace_no_ua n1\n", EINVAL}};
  for (const Case& c : cases) EXPECT_EQ(code(parse_lun_command(c.text)), c.error) << c.text;
  EXPECT_FALSE(parse_lun_command("add n2 7 read_only=1;read_only=0\n")->read_only);
  EXPECT_TRUE(parse_lun_command("add n2 4 read_only=2\n")->read_only);
  EXPECT_EQ(parse_lun_command("add n2 013\n")->lun, 11);
}

TEST(GroupCommands, IgnoreFurtherWords) {
  EXPECT_EQ(parse_group_command("create g3 extra\n")->name, "g3");
  EXPECT_EQ(parse_group_command("CREATE m1\ncreate m2\n")->name, "m1");
  EXPECT_EQ(code(parse_group_command("create\n")), EINVAL);
  EXPECT_EQ(code(parse_group_command("bogus x\n")), EINVAL);
  EXPECT_EQ(parse_initiator_command("move a b c\n")->destination, "b");
  EXPECT_EQ(code(parse_initiator_command("move a\n")), EINVAL);
  EXPECT_EQ(parse_initiator_command("clear x\n")->action, InitiatorCommand::Action::kClear);
}

TEST(BlockCommand, OutcomesAsRecorded) {
  for (auto text : {"0\n", "0"}) EXPECT_EQ(*parse_block_command(text), BlockCommand::kUnblock);
  for (auto text : {"1\n", "1", "1 \n"}) EXPECT_EQ(*parse_block_command(text), BlockCommand::kBlock);
  for (auto text : {"11\n", "1 1\n", "1 1 some data\n", "11 x"}) {
    EXPECT_EQ(*parse_block_command(text), BlockCommand::kBlockWithoutWaiting);
  }
  for (auto text : {"\n", "abc\n", "2\n", "0 10\n", "0 0\n", "10\n", ""}) {
    EXPECT_EQ(code(parse_block_command(text)), EINVAL) << text;
  }
}

TEST(ScsiAddress, HasFourNumbers) {
  EXPECT_EQ(scsi_device_name("0:0:0:0"), "0:0:0:0");
  EXPECT_EQ(scsi_device_name("12:00:3:256x"), "12:0:3:256");
  for (auto bad : {"0:0:0", "0:0:0:", "a:0:0:0", "H:C:I:L", "0:0::0", "", "-1:0:0:0", "nosuch"})
    EXPECT_FALSE(scsi_device_name(bad)) << bad;
}

TEST(TraceLevel, OutcomesAsRecorded) {
  unsigned long level = kDefaultTraceLevel;
  auto first_line = [&](TraceModule module) {
    auto text = show_trace_level(level, module);
    return text.substr(0, text.find('\n'));
  };
  EXPECT_EQ(first_line(TraceModule::kRoot), "out_of_mem | pid | special | mgmt");
  EXPECT_TRUE(store_trace_level(level, "all extra\n", TraceModule::kRoot));
  EXPECT_EQ(
      first_line(TraceModule::kRoot),
      "out_of_mem | minor | sg | mem | buff | entryexit | pid | line | function | debug | special | scsi | mgmt | "
      "mgmt_dbg | flow_control | pr | retry | scsi_serializing | data_send | data_received | block");
  EXPECT_TRUE(store_trace_level(level, "value 017\n", TraceModule::kVirtualDisk));
  EXPECT_EQ(first_line(TraceModule::kVirtualDisk), "pid | line | function | debug");
  EXPECT_TRUE(store_trace_level(level, "add order\n", TraceModule::kVirtualDisk));
  EXPECT_EQ(code(store_trace_level(level, "add order\n", TraceModule::kPassThrough)), EINVAL);
  for (auto bad : {"0\n", "\n", "value\n", "value abc\n", "add\n", "add nosuch\n", "abc\n"}) {
    EXPECT_EQ(code(store_trace_level(level, bad, TraceModule::kRoot)), EINVAL) << bad;
  }
  EXPECT_TRUE(store_trace_level(level, "NULL\n", TraceModule::kRoot));
  EXPECT_EQ(first_line(TraceModule::kRoot), "");
}

TEST(CpuMask, OutcomesAsRecorded) {
  auto of = [](std::string_view text) { return base::parse_cpu_mask(text, 2); };
  EXPECT_EQ(*of("1 \n"), "1");
  EXPECT_EQ(*of("\n"), "0");
  EXPECT_EQ(*of("00000003\n"), "3");
  for (auto text : {"abc\n", "f\n", "ffffffff\n", "0,1\n"}) EXPECT_EQ(code(of(text)), EOVERFLOW) << text;
  for (auto text : {"0x3\n", "g\n", "xxxx"}) EXPECT_EQ(code(of(text)), EINVAL) << text;
  EXPECT_EQ(base::full_cpu_mask(2), "3");
  EXPECT_EQ(base::full_cpu_mask(40), "ff,ffffffff");
  EXPECT_EQ(*base::parse_cpu_mask("1,0", 40), "01,00000000");
}

}  // namespace
}  // namespace uscst::sysfsfs
