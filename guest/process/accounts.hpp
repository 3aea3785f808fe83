// Users and groups from /etc/passwd and /etc/group, and what /etc/environment gives to all: read by ourselves, a static binary has neither NSS nor PAM.
//
// Errors: Errc::not_found naming the user or group; a file that cannot be read is an empty one. Source: passwd(5), group(5).
#pragma once

#include "guest/process/launch_plan.hpp"
#include "shared/base/result.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace vigil::guest::process {

struct Account {
  Credentials credentials;
  std::string name, home = "/", shell = "/bin/sh";
};

/// What a program of this user finds in its environment: PATH, what the image's /etc/environment says, HOME, USER, LOGNAME, SHELL.
std::map<std::string, std::string> environment_of(const Account& account);

/// Pure: the lines NAME=VALUE of /etc/environment, perhaps with `export` before and quotes around; what is none is passed over. Source: pam_env(8).
std::map<std::string, std::string> parse_environment(std::string_view text);

/// Pure. `group` empty: the user's own. Numbers are taken as ids. Root is known even without a file.
Result<Account> find_account(std::string_view passwd, std::string_view groups, std::string_view user, std::string_view group);
/// The same from /etc.
Result<Account> look_up_account(std::string_view user, std::string_view group);

/// By which it is known that look_up_account() and environment_of() would say the same as before: three stat(2) in place of three files to read.
struct AccountFilesStamp {
  struct File {
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t changed_ns = 0;
    friend bool operator==(const File&, const File&) = default;
  };
  std::array<File, 3> files;
  bool is_settled = false;   // none changed within the last seconds: a second change within a tick of the file system's clock does not show
  friend bool operator==(const AccountFilesStamp&, const AccountFilesStamp&) = default;
};
AccountFilesStamp stamp_account_files();

}  // namespace vigil::guest::process
