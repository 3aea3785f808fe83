#include "guest/process/accounts.hpp"

#include "guest/process/small_file.hpp"

#include <sys/stat.h>

#include <ctime>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

namespace vigil::guest::process {
namespace {

constexpr std::size_t max_file_bytes = 1024 * 1024, max_environment_bytes = 64 * 1024;
constexpr const char* passwd_file = "/etc/passwd";
constexpr const char* group_file = "/etc/group";
constexpr const char* environment_file = "/etc/environment";
constexpr std::int64_t settled_after_ns = 2'000'000'000;
constexpr std::string_view exported = "export ", blanks = " \t\r";

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<std::uint32_t> parse_id(std::string_view text) {
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return id;
}

/// Calls `take` for each line that holds `word`, until it returns false. A replacement waits for this: only what can be meant is taken apart.
template <typename Take>
void for_lines_with(std::string_view file, std::string_view word, Take take) {
  while (!file.empty()) {
    const std::size_t end = std::min(file.find('\n'), file.size());
    const std::string_view line = file.substr(0, end);
    if (line.find(word) != std::string_view::npos && !take(line)) return;
    file.remove_prefix(std::min(end + 1, file.size()));
  }
}

/// The first record of a colon-separated file whose name or (third field) id is `wanted`.
std::optional<std::vector<std::string_view>> find_record(std::string_view file, std::string_view wanted, std::size_t fields) {
  std::optional<std::vector<std::string_view>> found;
  for_lines_with(file, wanted, [&](std::string_view line) {
    std::vector<std::string_view> record = split(line, ':');
    if (record.size() >= fields && parse_id(record[2]) && (record[0] == wanted || record[2] == wanted)) found = std::move(record);
    return !found;
  });
  return found;
}

std::vector<gid_t> groups_of(std::string_view groups, std::string_view user) {
  std::vector<gid_t> ids;
  for_lines_with(groups, user, [&](std::string_view line) {
    const std::vector<std::string_view> record = split(line, ':');
    if (record.size() < 4 || !parse_id(record[2])) return true;
    const std::vector<std::string_view> members = split(record[3], ',');
    if (std::find(members.begin(), members.end(), user) != members.end()) ids.push_back(*parse_id(record[2]));
    return true;
  });
  return ids;
}

std::string_view without_blanks(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  return text.substr(0, text.find_last_not_of(blanks) + 1);
}

std::string_view without_quotes(std::string_view text) {
  const bool is_quoted = text.size() >= 2 && text.front() == text.back() && (text.front() == '"' || text.front() == '\'');
  return is_quoted ? text.substr(1, text.size() - 2) : text;
}

std::int64_t in_ns(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

bool is_variable_name(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; };
  return !text.empty() && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

}  // namespace

std::map<std::string, std::string> parse_environment(std::string_view text) {
  std::map<std::string, std::string> found;
  for (std::string_view line : split(text, '\n')) {
    line = without_blanks(line);
    if (line.starts_with(exported)) line = without_blanks(line.substr(exported.size()));
    const auto equals = line.find('=');
    if (equals == std::string_view::npos || !is_variable_name(line.substr(0, equals)) || line.find('\0') != std::string_view::npos)
      continue;
    found.insert_or_assign(std::string(line.substr(0, equals)), std::string(without_quotes(line.substr(equals + 1))));
  }
  return found;
}

std::map<std::string, std::string> environment_of(const Account& account) {
  std::map<std::string, std::string> all = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}};
  for (auto& [name, value] : parse_environment(read_small_file(environment_file, max_environment_bytes).value_or(""))) all[name] = value;
  all["HOME"] = account.home;
  all["USER"] = all["LOGNAME"] = account.name;
  all["SHELL"] = account.shell;
  return all;
}

Result<Account> find_account(std::string_view passwd, std::string_view groups, std::string_view user, std::string_view group) {
  Account account;
  account.name = std::string(user);
  if (const auto record = find_record(passwd, user, 7)) {
    account.name = std::string((*record)[0]);
    account.credentials.uid = *parse_id((*record)[2]);
    account.credentials.gid = parse_id((*record)[3]).value_or(account.credentials.uid);
    if (!(*record)[5].empty()) account.home = std::string((*record)[5]);
    if (!(*record)[6].empty()) account.shell = std::string((*record)[6]);
  } else if (const auto id = parse_id(user)) {
    account.credentials.uid = account.credentials.gid = *id;
  } else if (user == "root") {
    account.home = "/root";
  } else {
    return Error(Errc::not_found, "user " + std::string(user));
  }
  account.credentials.groups = groups_of(groups, account.name);
  if (group.empty()) return account;

  if (const auto record = find_record(groups, group, 3)) {
    account.credentials.gid = *parse_id((*record)[2]);
  } else if (const auto id = parse_id(group)) {
    account.credentials.gid = *id;
  } else {
    return Error(Errc::not_found, "group " + std::string(group));
  }
  return account;
}

Result<Account> look_up_account(std::string_view user, std::string_view group) {
  const std::string passwd = read_small_file(passwd_file, max_file_bytes).value_or("");
  const std::string groups = read_small_file(group_file, max_file_bytes).value_or("");
  return find_account(passwd, groups, user, group);
}

AccountFilesStamp stamp_account_files() {
  AccountFilesStamp stamp;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const std::int64_t settled_ns = in_ns(now) - settled_after_ns;
  stamp.is_settled = true;
  std::size_t number = 0;
  for (const char* path : {passwd_file, group_file, environment_file}) {
    struct stat found{};   // of a file that is not there: nothing but zeros
    if (::stat(path, &found) == 0)
      stamp.files[number] = {found.st_dev, found.st_ino, static_cast<std::uint64_t>(found.st_size), in_ns(found.st_ctim)};
    if (stamp.files[number].changed_ns > settled_ns) stamp.is_settled = false;
    ++number;
  }
  return stamp;
}

}  // namespace vigil::guest::process
