#include "tests/unit/shared/service_spec/specs.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace vigil::service_spec {

using specs::names;
using specs::problems;

namespace {

class Directory {
public:
  Directory() {
    std::string form = (std::filesystem::temp_directory_path() / "vigil-specs-XXXXXX").string();
    path_ = mkdtemp(form.data());
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path_); }

  void write(const std::string& name, const std::string& text) const { std::ofstream(path_ + "/" + name) << text; }
  void write(const std::string& service) const { write(service + ".json", specs::file(service).text); }
  const std::string& path() const { return path_; }

private:
  std::string path_;
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("load: the .json files of a directory, and only those", "[shared][service_spec]") {
  const Directory directory;
  directory.write("web");
  directory.write("db");
  directory.write("README", "not a service");
  directory.write("web.json~", "{");
  const auto set = load_service_specs(directory.path());
  CHECK(problems(set).empty());
  CHECK(names(set) == Texts{"db", "web"});
}

TEST_CASE("load: a directory that is not there holds no services", "[shared][service_spec]") {
  const auto set = load_service_specs("/nonexistent/services.d");
  CHECK(set.services.empty());
  CHECK(set.errors.empty());
}

TEST_CASE("load: what cannot be read is an error that names it, and the rest is given", "[shared][service_spec]") {
  const Directory directory;
  directory.write("web");
  directory.write("big.json", std::string(65 * 1024, ' '));
  std::filesystem::create_directory(directory.path() + "/dir.json");
  const auto set = load_service_specs(directory.path());
  CHECK(problems(set) == Texts{"(file): longer than 65536 bytes", "(file): read: Is a directory"});
  CHECK(names(set) == Texts{"web"});
}

TEST_CASE("load: a path that is no directory is an error", "[shared][service_spec]") {
  const Directory directory;
  directory.write("web");
  CHECK(problems(load_service_specs(directory.path() + "/web.json")).at(0).starts_with("(directory): list: Not a directory"));
}

TEST_CASE("load: more than 2048 files are refused", "[shared][service_spec]") {
  const Directory directory;
  for (int i = 0; i < 2049; ++i) directory.write("s" + std::to_string(i));
  CHECK(problems(load_service_specs(directory.path())) == Texts{"(directory): more than 2048 service files"});
}

TEST_CASE("load: an overlay without a file is a service of its own", "[shared][service_spec]") {
  const Directory directory;
  directory.write("web");
  const auto set = load_service_specs(
      directory.path(), {{"web", R"({"essential":false})"}, {"extra", R"({"exec":["/bin/extra"]})"}, {"wbe", R"({"env":{"A":"1"}})"}});
  CHECK(names(set) == Texts{"extra", "web"});
  CHECK_FALSE(set.services.at(1).essential);
  CHECK(problems(set) == Texts{"exec: missing"});
  CHECK(vigil::protocol::field_text(set.errors.at(0), "file") == "(overlay)/wbe.json");
}

}  // namespace vigil::service_spec
