// Every check says what it found, and how to mend it when that is not enough.
#include "host/doctor/checks.hpp"
#include "tests/unit/host/result_text.hpp"
#include "tests/unit/host/unix_client.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace vigil::doctor {

namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string make_script(const std::filesystem::path& path, const std::string& body) {
  std::ofstream(path) << "#!/bin/sh\n" << body;
  ::chmod(path.c_str(), 0755);
  return path.string();
}

}  // namespace

TEST_CASE("doctor: a machine without KVM is told what that costs and how to mend it", "[host][doctor]") {
  const Check absent = check_kvm("/nonexistent/kvm");
  CHECK(absent.status == CheckStatus::warn);
  CHECK(contains(absent.found, "/nonexistent/kvm: No such file or directory"));
  CHECK(contains(absent.mend, "kvm_intel"));
  const Check wrong = check_kvm("/dev/null");
  CHECK(wrong.status == CheckStatus::warn);
  CHECK(contains(wrong.mend, "kernel's log"));
}

TEST_CASE("doctor: QEMU is asked for its version", "[host][doctor]") {
  const test::TemporaryDirectory directory;
  const auto chosen = directory.path() / "qemu";
  ::setenv("VIGIL_QEMU", chosen.c_str(), 1);
  const Check absent = check_qemu();
  CHECK(absent.status == CheckStatus::fail);
  CHECK(contains(absent.mend, "apt install"));
  make_script(chosen, "echo 'QEMU emulator version 7.2.22 (Debian)'\necho more\n");
  CHECK(check_qemu() == Check{"qemu", CheckStatus::ok, chosen.string() + ", QEMU emulator version 7.2.22 (Debian)", ""});
  make_script(chosen, "echo 'QEMU emulator version 5.2.0'\n");
  CHECK(check_qemu().status == CheckStatus::warn);
  make_script(chosen, "exit 1\n");
  CHECK(check_qemu().status == CheckStatus::fail);
  ::unsetenv("VIGIL_QEMU");
}

TEST_CASE("doctor: a missing vsock device fails and says where it was looked for", "[host][doctor]") {
  const test::TemporaryDirectory directory;
  const auto chosen = directory.path() / "device";
  ::setenv("VIGIL_VSOCK_DEVICE", chosen.c_str(), 1);
  const Check absent = check_vsock_device("/usr/bin");
  CHECK(absent.status == CheckStatus::fail);
  CHECK(contains(absent.found, chosen.string()));
  make_script(chosen, "echo 'vhost-device-vsock 0.3.0'\n");
  CHECK(check_vsock_device("/usr/bin").status == CheckStatus::ok);
  ::unsetenv("VIGIL_VSOCK_DEVICE");
}

TEST_CASE("doctor: limits and places", "[host][doctor]") {
  CHECK(check_open_files(65536).status == CheckStatus::ok);
  const Check few = check_open_files(1024);
  CHECK(few.status == CheckStatus::warn);
  CHECK(contains(few.mend, "LimitNOFILE"));

  const test::TemporaryDirectory directory;
  const std::string path = directory.path().string();
  CHECK(check_directory("state-dir", path).status == CheckStatus::ok);
  CHECK(check_directory("state-dir", path + "/a/b").status == CheckStatus::ok);   // made at the first start
  ::chmod(path.c_str(), 0777);
  const Check open_to_all = check_directory("state-dir", path);
  CHECK(open_to_all.status == CheckStatus::fail);
  CHECK(open_to_all.mend == "chmod o-w " + path);
  CHECK(contains(check_disk(path + "/not/there").found, "MiB free at " + path));
  CHECK(check_disk("/proc").status == CheckStatus::fail);                          // a file system without room
  const Check too_long = check_run_dir("/" + std::string(90, 'r'));
  CHECK(too_long.status == CheckStatus::fail);
  CHECK(contains(too_long.mend, "--run"));
}

TEST_CASE("doctor: every check of this machine has a name and a finding, and a mend unless it is well", "[host][doctor]") {
  const test::TemporaryDirectory directory;
  const auto checks = examine({directory.path().string(), directory.path().string(), "/usr/bin"});
  CHECK(checks.size() == 9);
  for (const Check& check : checks) {
    CHECK_FALSE(check.name.empty());
    CHECK_FALSE(check.found.empty());
    CHECK(check.mend.empty() == (check.status == CheckStatus::ok));
  }
  CHECK(worst({{"a", CheckStatus::ok, "", ""}, {"b", CheckStatus::fail, "", ""}, {"c", CheckStatus::warn, "", ""}}) == CheckStatus::fail);
  CHECK(worst({}) == CheckStatus::ok);
}

}  // namespace vigil::doctor
