// One function an op; each answers the opening and serves the stream to its end.
#pragma once

#include "guest/files/connection.hpp"
#include "shared/streams/opening.hpp"

namespace vigil::guest::files {

void read_file(Connection& connection, const streams::FileReadOpening& opening);
void write_file(Connection& connection, const streams::FileWriteOpening& opening);
void list_directory(Connection& connection, const streams::DirListOpening& opening);
/// Until the host closes or the directory is gone.
void watch_directory(Connection& connection, const streams::DirWatchOpening& opening);

}  // namespace vigil::guest::files
