// vigil blackbox: what is kept of runs that have ended.
#include "host/cli/commands.hpp"
#include "host/cli/view.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace vigil::cli {

using nlohmann::json;

namespace {

struct BoxOptions {
  std::string box, file;
};

std::string size_text(std::int64_t bytes) { return bytes < 10'240 ? std::to_string(bytes) + " B" : std::to_string(bytes / 1024) + " KiB"; }

std::string path_of(const std::string& box) { return "/v1/blackboxes/" + segment(box); }

int list_boxes(Cli& cli) {
  const auto list = cli.client().get("/v1/blackboxes");
  if (!list) return fail(list.error());
  if (cli.json) {
    print_json(*list);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"BOX", "NAME", "ENDED", "OUTCOME", "SIZE", "CAUSE"}};
  for (const auto& box : *list)
    rows.push_back({text(box, "box"), text(box, "name"), ago(number(box, "ended_unix_us")), is_true(box, "damaged") ? "damaged" : text(box, "outcome"),
                    size_text(number(box, "bytes")), cause_cell(box)});
  print_table(rows);
  return 0;
}

int show_box(Cli& cli, const BoxOptions& options) {
  const auto box = cli.client().get(path_of(options.box));
  if (!box) return fail(box.error());
  if (cli.json) {
    print_json(*box);
    return 0;
  }
  std::printf("%s  %s, run %s of %s, %s, ended %s\n", text(*box, "box").c_str(), safe(text(*box, "name")).c_str(), text(*box, "run").c_str(),
              short_image(text(*box, "image")).c_str(), text(*box, "outcome").c_str(), ago(number(*box, "ended_unix_us")).c_str());
  if (const auto why = box->find("why"); why != box->end() && why->is_object()) std::printf("%s\n", safe(text(*why, "summary")).c_str());
  if (const auto cause = box->find("cause"); cause != box->end() && cause->is_object()) print_cause(*cause, "  ");
  for (const auto& crash : box->value("crashes", json::array()))
    std::printf("  %s  %s: %s%s%s\n", text(crash, "fingerprint").c_str(), safe(text(crash, "crash")).c_str(), safe(text(crash, "sentence")).c_str(),
                text(crash, "where").empty() ? "" : " at ", safe(text(crash, "where")).c_str());
  std::vector<std::vector<std::string>> rows = {{"ENTRY", "SIZE"}};
  for (const auto& entry : box->value("entries", json::array())) rows.push_back({text(entry, "name"), size_text(number(entry, "bytes"))});
  print_table(rows);
  return 0;
}

int export_box(Cli& cli, const BoxOptions& options) {
  const auto bytes = cli.client().bytes(path_of(options.box) + "/archive");
  if (!bytes) return fail(bytes.error());
  const std::string file = options.file.empty() ? options.box + ".tar.zst" : options.file;
  const bool to_stdout = file == "-";
  const int fd = to_stdout ? STDOUT_FILENO : ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return fail(Error::from_errno("create " + file, errno));
  std::size_t at = 0;
  while (at < bytes->size()) {
    const ssize_t count = ::write(fd, bytes->data() + at, bytes->size() - at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(Error::from_errno("write " + file, errno));
    at += static_cast<std::size_t>(count);
  }
  if (to_stdout) return 0;
  if (::close(fd) != 0) return fail(Error::from_errno("write " + file, errno));
  if (cli.json) print_json({{"file", file}, {"bytes", bytes->size()}});
  else std::printf("%s\n", file.c_str());
  return 0;
}

}  // namespace

void add_blackbox(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<BoxOptions>();
  auto group = add_group(app, "blackbox", "what is kept of runs that have ended, also of VMs that were removed or never started");
  group.below(cli, "ls", "all of them, the newest first", [&cli] { return list_boxes(cli); });
  group.below(cli, "show", "one: its verdict, crashes and contents", [&cli, options] { return show_box(cli, *options); })
      .text("box", options->box, "INSTANCE-ID-RUN, as ls shows it", Need::required);
  group.below(cli, "export", "the tar.zst itself", [&cli, options] { return export_box(cli, *options); })
      .text("box", options->box, "INSTANCE-ID-RUN, as ls shows it", Need::required)
      .text("file", options->file, "where to; - is stdout (BOX.tar.zst)");
}

}  // namespace vigil::cli
