#include "engine/scsi/sense.h"

#include <gtest/gtest.h>

namespace uscst::scsi {
namespace {

std::string fixed(const Sense& sense) { return base::to_hex(sense.encode(SenseFormat::kFixed).bytes()); }
std::string descriptor(const Sense& sense) { return base::to_hex(sense.encode(SenseFormat::kDescriptor).bytes()); }

TEST(Sense, FixedFormatHasEighteenBytes) {
  EXPECT_EQ(fixed(kInvalidOpcode),
            "70000500000000"
            "0a00000000"
            "20000000"
            "0000");
  EXPECT_EQ(fixed(kNoSense),
            "7000000000000"
            "00a00000000000000000000");
  EXPECT_EQ(fixed(kWriteProtected),
            "70000700000000"
            "0a00000000"
            "27000000"
            "0000");
}

TEST(Sense, DescriptorFormatHasEightBytes) {
  EXPECT_EQ(descriptor(kLbaOutOfRange), "7205210000000000");
  EXPECT_EQ(descriptor(kSpaceAllocationFailed), "7207270700000000");
}

TEST(Sense, FieldPointers) {
  EXPECT_EQ(fixed(kInvalidFieldInCdb.at_cdb(1, 5)),
            "70000500000000"
            "0a00000000"
            "240000"
            "cd0001");
  EXPECT_EQ(fixed(kInvalidFieldInCdb.at_cdb(6)),
            "70000500000000"
            "0a00000000"
            "240000"
            "c00006");
  EXPECT_EQ(fixed(kInvalidFieldInParameterList.at_parameter(0x123, 7)),
            "70000500000000"
            "0a00000000"
            "260000"
            "8f0123");
  EXPECT_EQ(descriptor(kInvalidFieldInCdb.at_cdb(1, 5)),
            "7205240000000008"
            "02060000cd000100");
}

TEST(Sense, InformationOfMiscompare) {
  const Sense sense = kMiscompare.with_information(0x1'0000'0200);
  EXPECT_EQ(fixed(sense),
            "f0000e00000200"
            "0a00000000"
            "1d000000"
            "0000");
  EXPECT_EQ(descriptor(sense),
            "720e1d000000000c"
            "000a8000"
            "0000000100000200");
}

TEST(Sense, ProgressOfFormat) {
  Sense sense = kFormatInProgress;
  sense.progress = 0x8000;
  EXPECT_EQ(fixed(sense),
            "70000200000000"
            "0a00000000"
            "040400"
            "808000");
  EXPECT_EQ(descriptor(sense),
            "7202040400000008"
            "0206000080800000");
}

TEST(Sense, ResetAndModeChangeAreAlwaysFixed) {
  for (const Sense& sense : {kUaReset, kUaNexusLoss, kUaModeParametersChanged})
    EXPECT_EQ(descriptor(sense), fixed(sense));
  EXPECT_EQ(descriptor(kUaCapacityChanged), "72062a0900000000");
  EXPECT_EQ(descriptor(kUaReportedLunsChanged), "72063f0e00000000");
}

TEST(Sense, EqualWhenEveryPartIs) {
  EXPECT_EQ(kInvalidFieldInCdb.at_cdb(2, 0), kInvalidFieldInCdb.at_cdb(2, 0));
  EXPECT_NE(kInvalidFieldInCdb.at_cdb(2, 0), kInvalidFieldInCdb.at_cdb(2));
  EXPECT_NE(kUaReset, kUaNexusLoss);
}

}  // namespace
}  // namespace uscst::scsi
