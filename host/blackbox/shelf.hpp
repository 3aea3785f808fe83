// The folder of all boxes: finds, lists, opens and discards them. Its work is done off the event thread.
//
// Shape:  answers come by callback, on the event thread. An opened folder of a box is a directory that lives as long as somebody holds it.
// Thread: the event thread. stop() before it is destroyed.
#pragma once

#include "host/async/task_group.hpp"
#include "host/blackbox/archive.hpp"
#include "host/blackbox/box_name.hpp"
#include "host/blackbox/retention.hpp"
#include "shared/base/clock.hpp"

#include <boost/asio/thread_pool.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vigil::blackbox {

struct BoxFacts {
    StoredBox stored;
    std::string index_json;   // empty: it could not be read
};

struct BoxContents {
    BoxFacts facts;
    std::string why_json;
    std::vector<Entry> entries;
};

class Shelf {
  public:
    using Folder = std::shared_ptr<const std::filesystem::path>;
    template <class T>
    using Done = std::function<void(Result<T>)>;

    /// Boxes in `directory`, what is opened of them below `opened`.
    Shelf(boost::asio::any_io_executor executor, boost::asio::thread_pool& pool, std::filesystem::path directory, std::filesystem::path opened, KeepLimits limits);

    std::filesystem::path path_of(const BoxName& name) const { return directory_ / name.file(); }
    bool has(const BoxName& name) const;
    std::vector<StoredBox> stored() const;
    /// Newest first.
    void list(Done<std::vector<BoxFacts>> done);
    void show(const BoxName& name, Done<BoxContents> done);
    /// The whole file; Errc::limit when it is too large to be served: it lies on the host's disk.
    void read(const BoxName& name, Done<std::string> done);
    void open_folder(const BoxName& name, const std::string& folder, Done<Folder> done);
    /// Applies the limits; each box that goes is logged with its rule.
    void discard(UnixUs now) const;
    boost::asio::awaitable<void> stop() { return tasks_.stop(); }

  private:
    template <class T>
    void work(const std::string& name, std::function<Result<T>()> job, Done<T> done);
    template <class T>
    boost::asio::awaitable<void> run_job(std::function<Result<T>()> job, Done<T> done);

    boost::asio::thread_pool& pool_;
    std::filesystem::path directory_, opened_;
    KeepLimits limits_;
    std::uint64_t openings_ = 0;
    async::TaskGroup tasks_;
};

}  // namespace vigil::blackbox
