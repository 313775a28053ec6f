#include "compat/scstadmin/errors.h"

#include <algorithm>
#include <array>

namespace uscst::scstadmin {
namespace {

struct Row {
  Code code;
  std::string_view text;
};

constexpr auto kTexts = std::to_array<Row>({
    {Code::kFatal, "A fatal error occurred. See \"dmesg\" for more information."},
    {Code::kNoScstAttribute, "Bad attributes given for SCST."},
    {Code::kScstAttributeStatic, "SCST attribute specified is static"},
    {Code::kSetScstAttribute, "Failed to set a SCST attribute. See \"dmesg\" for more information."},
    {Code::kNoHandler, "No such handler exists."},
    {Code::kNoHandlerAttribute, "Bad attributes given for handler."},
    {Code::kHandlerAttributeStatic, "Handler attribute given is static."},
    {Code::kSetHandlerAttribute, "Failed to set handler attribute. See \"dmesg\" for more information."},
    {Code::kNoDevice, "No such device exists."},
    {Code::kDeviceExists, "Device already exists."},
    {Code::kOpenDevice, "Failed to open device. See \"dmesg\" for more information."},
    {Code::kCloseDevice, "Failed to close device. See \"dmesg\" for more information."},
    {Code::kNoDeviceAttribute, "Bad attributes given for device."},
    {Code::kDeviceAttributeStatic, "Device attribute specified is static."},
    {Code::kSetDeviceAttribute, "Failed to set device attribute. See \"dmesg\" for more information."},
    {Code::kNoDriver, "No such driver exists."},
    {Code::kDriverNotVirtual, "Driver is incapable of dynamically adding/removing targets or attributes."},
    {Code::kAddDriverAttribute, "Failed to add driver dynamic attribute. See \"dmesg\" for more information."},
    {Code::kRemoveDriverAttribute, "Failed to remove driver dynamic attribute. See \"dmesg\" for more information."},
    {Code::kNoDriverAttribute, "Bad attributes given for driver."},
    {Code::kDriverAttributeStatic, "Driver attribute specified is static."},
    {Code::kSetDriverAttribute, "Failed to set driver attribute. See \"dmesg\" for more information."},
    {Code::kNoTarget, "No such target exists."},
    {Code::kTargetExists, "Target already exists."},
    {Code::kAddTarget, "Failed to add target. See \"dmesg\" for more information."},
    {Code::kRemoveTarget, "Failed to remove target. See \"dmesg\" for more information."},
    {Code::kAddTargetAttribute, "Failed to add target dynamic attribute. See \"dmesg\" for more information."},
    {Code::kRemoveTargetAttribute, "Failed to remove target dynamic attribute. See \"dmesg\" for more information."},
    {Code::kTargetNoLun, "No such LUN exists."},
    {Code::kTargetAddLun, "Failed to add LUN to target. See \"dmesg\" for more information."},
    {Code::kTargetLunExists, "LUN already exists."},
    {Code::kNoTargetAttribute, "Bad attributes given for target."},
    {Code::kTargetAttributeStatic, "Target attribute specified is static."},
    {Code::kSetTargetAttribute, "Failed to set target attribute. See \"dmesg\" for more information."},
    {Code::kTargetClearLuns, "Failed to clear LUNs from target. See \"dmesg\" for more information."},
    {Code::kTargetBusy, "Failed to remove target - target has active sessions. See \"dmesg\" for more information."},
    {Code::kNoGroup, "No such group exists."},
    {Code::kGroupExists, "Group already exists."},
    {Code::kAddGroup, "Failed to add group. See \"dmesg\" for more information."},
    {Code::kRemoveGroup, "Failed to remove group. See \"dmesg\" for more information."},
    {Code::kGroupNoLun, "No such LUN exists."},
    {Code::kGroupLunExists, "LUN already exists."},
    {Code::kGroupAddLun, "Failed to add LUN to group. See \"dmesg\" for more information."},
    {Code::kGroupRemoveLun, "Failed to remove LUN. See \"dmesg\" for more information."},
    {Code::kGroupClearLuns, "Failed to clear LUNs from group. See \"dmesg\" for more information."},
    {Code::kNoGroupAttribute, "Bad attributes given for group."},
    {Code::kGroupAttributeStatic, "Group attribute specified is static."},
    {Code::kSetGroupAttribute, "Failed to set group attribute. See \"dmesg\" for more information."},
    {Code::kNoInitiator, "No such initiator exists."},
    {Code::kInitiatorExists, "Initiator already exists."},
    {Code::kAddInitiator, "Failed to add initiator. See \"dmesg\" for more information."},
    {Code::kRemoveInitiator, "Failed to remove initiator. See \"dmesg\" for more information."},
    {Code::kMoveInitiator, "Failed to move initiator. See \"dmesg\" for more information."},
    {Code::kClearInitiators, "Failed to clear initiators. See \"dmesg\" for more information."},
    {Code::kLunHasDevice, "Device already exists for LUN."},
    {Code::kReplaceLun, "Failed to replace device for LUN. See \"dmesg\" for more information."},
    {Code::kNoLunAttribute, "Bad attributes for LUN."},
    {Code::kLunAttributeStatic, "LUN attribute specified is static."},
    {Code::kSetLunAttribute, "Failed to set LUN attribute. See \"dmesg\" for more information."},
    {Code::kNoInitiatorAttribute, "Bad attributes for initiator."},
    {Code::kInitiatorAttributeStatic, "Initiator attribute specified is static."},
    {Code::kSetInitiatorAttribute, "Failed to set initiator attribute. See \"dmesg\" for more information."},
    {Code::kCloseSession, "Failed to close session."},
    {Code::kNoDeviceGroup, "No such device group exists."},
    {Code::kDeviceGroupExists, "Device group already exists."},
    {Code::kAddDeviceGroup, "Failed to add device group. See \"dmesg\" for more information."},
    {Code::kRemoveDeviceGroup, "Failed to remove device group. See \"dmesg\" for more information."},
    {Code::kNoAluaAttribute, "Bad attributes given for ALUA."},
    {Code::kAluaAttributeStatic, "ALUA attribute specified is static."},
    {Code::kSetAluaAttribute, "Failed to set ALUA attribute. See \"dmesg\" for more information."},
    {Code::kAddGroupDevice, "Failed to add device to device group. See \"dmesg\" for more information."},
    {Code::kRemoveGroupDevice, "Failed to remove device from device group. See \"dmesg\" for more information."},
    {Code::kNoGroupDevice, "No such device in device group."},
    {Code::kGroupDeviceExists, "Device already exists within device group."},
    {Code::kAddTargetGroup, "Failed to add target group to device group. See \"dmesg\" for more information."},
    {Code::kRemoveTargetGroup, "Failed to remove target group from device group. See \"dmesg\" for more information."},
    {Code::kNoTargetGroup, "No such target group exists within device group."},
    {Code::kTargetGroupExists, "Target group already exists within device group."},
    {Code::kDeviceInOtherGroup, "Device is already assigned to another device group."},
    {Code::kNoDeviceGroupAttribute, "Bad attributes for device group."},
    {Code::kDeviceGroupAttributeStatic, "Device group attribute specified is static."},
    {Code::kSetDeviceGroupAttribute, "Failed to set device group attribute. See \"dmesg\" for more information."},
    {Code::kNoTargetGroupAttribute, "Bad attributes for target group."},
    {Code::kTargetGroupAttributeStatic, "Target group attribute specified is static."},
    {Code::kSetTargetGroupAttribute, "Failed to set target group attribute. See \"dmesg\" for more information."},
    {Code::kAddMember, "Failed to add target to target group."},
    {Code::kRemoveMember, "Failed to remove target from target group."},
    {Code::kNoMember, "No such target exists within target group."},
    {Code::kMemberExists, "Target already exists within target group."},
    {Code::kNoMemberAttribute, "Bad attributes for target group target."},
    {Code::kMemberAttributeStatic, "Target group target attribute specified is static."},
    {Code::kSetMemberAttribute, "Failed to set target group target attribute. See \"dmesg\" for more information."},
});

}  // namespace

std::string_view code_text(int code) {
  const auto row =
      std::find_if(kTexts.begin(), kTexts.end(), [code](const Row& r) { return static_cast<int>(r.code) == code; });
  return row == kTexts.end() ? std::string_view() : row->text;
}

}  // namespace uscst::scstadmin
