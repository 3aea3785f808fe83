#include "host/blackbox/shelf.hpp"

#include "host/async/blocking.hpp"

#include <spdlog/spdlog.h>

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace vigil::blackbox {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_index_bytes = 1 << 20, max_served_bytes = 64 << 20;
constexpr std::uint64_t max_opened_bytes = 1ULL << 30;

std::vector<StoredBox> boxes_in(const fs::path& directory) {
    std::vector<StoredBox> boxes;
    std::error_code failure;
    for (fs::directory_iterator each(directory, failure), end; !failure && each != end; each.increment(failure)) {
        const std::string name = each->path().filename().string();
        if (!name.ends_with(box_suffix)) continue;
        const auto parsed = parse_box_name(std::string_view(name).substr(0, name.size() - box_suffix.size()));
        struct stat info{};
        if (!parsed || ::stat(each->path().c_str(), &info) != 0) continue;
        const auto at = static_cast<UnixUs>(info.st_mtim.tv_sec) * 1'000'000 + static_cast<UnixUs>(info.st_mtim.tv_nsec) / 1000;
        boxes.push_back({*parsed, at, static_cast<std::uint64_t>(info.st_size)});
    }
    return boxes;
}

BoxFacts facts_of(const fs::path& directory, const StoredBox& stored) {
    const auto index = read_entry(directory / stored.name.file(), "index.json", max_index_bytes);
    return {stored, index ? *index : ""};
}

Result<StoredBox> find_box(const fs::path& directory, const BoxName& name) {
    for (auto& box : boxes_in(directory))
        if (box.name == name) return std::move(box);
    return Error(Errc::not_found, "there is no black box " + name.text() + "; its run has not ended, or retention has removed it (vigil blackbox ls)");
}

Result<std::string> read_whole(const fs::path& path) {
    std::error_code failure;
    const auto size = fs::file_size(path, failure);
    if (failure) return Error(Errc::not_found, "read " + path.string() + ": " + failure.message());
    if (size > max_served_bytes)
        return Error(Errc::limit, path.string() + " has " + std::to_string(size >> 20) + " MiB, more than is served; copy the file on the host");
    std::ifstream file(path, std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

Shelf::Shelf(asio::any_io_executor executor, asio::thread_pool& pool, fs::path directory, fs::path opened, KeepLimits limits)
    : pool_(pool), directory_(std::move(directory)), opened_(std::move(opened)), limits_(limits), tasks_(executor) {
    std::error_code ignored;
    fs::remove_all(opened_, ignored);   // of a daemon before us
}

bool Shelf::has(const BoxName& name) const {
    std::error_code ignored;
    return fs::exists(path_of(name), ignored);
}

std::vector<StoredBox> Shelf::stored() const { return boxes_in(directory_); }

template <class T>
asio::awaitable<void> Shelf::run_job(std::function<Result<T>()> job, Done<T> done) {
    auto result = co_await async::run_blocking<Result<T>>(pool_, std::move(job));
    done(std::move(result));
}

template <class T>
void Shelf::work(const std::string& name, std::function<Result<T>()> job, Done<T> done) {
    tasks_.spawn(name, [this, job = std::move(job), done = std::move(done)] { return run_job<T>(job, done); });
}

void Shelf::list(Done<std::vector<BoxFacts>> done) {
    work<std::vector<BoxFacts>>("blackbox.list", [directory = directory_]() -> Result<std::vector<BoxFacts>> {
        std::vector<BoxFacts> all;
        for (const auto& stored : boxes_in(directory)) all.push_back(facts_of(directory, stored));
        std::ranges::sort(all, [](const BoxFacts& a, const BoxFacts& b) { return a.stored.made_unix_us > b.stored.made_unix_us; });
        return all;
    }, std::move(done));
}

void Shelf::show(const BoxName& name, Done<BoxContents> done) {
    work<BoxContents>("blackbox.show", [directory = directory_, name]() -> Result<BoxContents> {
        TRY(stored, find_box(directory, name));
        BoxContents contents;
        contents.facts = facts_of(directory, stored);
        TRY(entries, list_entries(directory / name.file()));
        contents.entries = std::move(entries);
        const auto why = read_entry(directory / name.file(), "why.json", max_index_bytes);
        if (why) contents.why_json = *why;
        return contents;
    }, std::move(done));
}

void Shelf::read(const BoxName& name, Done<std::string> done) {
    work<std::string>("blackbox.read", [directory = directory_, name]() -> Result<std::string> {
        TRY_VOID(find_box(directory, name));
        return read_whole(directory / name.file());
    }, std::move(done));
}

void Shelf::open_folder(const BoxName& name, const std::string& folder, Done<Folder> done) {
    const auto target = opened_ / (name.text() + "." + std::to_string(++openings_));
    work<Folder>("blackbox.open", [path = path_of(name), folder, target]() -> Result<Folder> {
        const Folder opened(new fs::path(target), [](const fs::path* each) {
            std::error_code ignored;
            fs::remove_all(*each, ignored);
            delete each;
        });
        TRY_VOID(extract_folder(path, folder, target, max_opened_bytes));
        return opened;
    }, std::move(done));
}

void Shelf::discard(UnixUs now) const {
    for (const auto& each : choose_discards(boxes_in(directory_), limits_, now)) {
        std::error_code failure;
        fs::remove(path_of(each.name), failure);
        spdlog::info("blackbox.discarded box={} rule=\"{}\" err=\"{}\"", each.name.text(), each.rule, failure ? failure.message() : "");
    }
}

}  // namespace vigil::blackbox
