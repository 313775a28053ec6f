// The shadow of a directory on sysfs: see mount.h. Main thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "sysfsfs/mountinfo.h"

namespace uscst::sysfsfs {

using Step = std::function<void(std::string_view name)>;

// Makes `stage`, puts the shadow of `parent` together there with an empty directory `name` in it, lets
// `mount_there(path)` mount the tree on that, and brings the shadow over `parent`.
base::Status raise_shadow(const std::string& stage, const std::string& parent, const std::string& name,
                          const Step& step, const std::function<base::Status(const std::string& path)>& mount_there);

// Takes the shadow with this mount away. Mounts that others made in it meanwhile are kept.
base::Status take_shadow_away(const MountEntry& shadow);

// Takes an unfinished shadow away together with the place where it was put together.
base::Status take_stage_away(const MountEntry& stage);

base::Status failed(std::string_view what, const std::string& path);  // with errno

}  // namespace uscst::sysfsfs
