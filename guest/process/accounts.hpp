// Users and groups from /etc/passwd and /etc/group, and what /etc/environment gives to all: read by ourselves, a static binary has neither NSS nor PAM.
//
// Errors: Errc::not_found naming the user or group; a file that cannot be read is an empty one. Source: passwd(5), group(5).
#pragma once

#include "guest/process/launch_plan.hpp"
#include "shared/base/result.hpp"

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

}  // namespace vigil::guest::process
