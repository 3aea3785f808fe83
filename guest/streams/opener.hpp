// Which operation serves which opening: the table of this agent's streams.
#pragma once

#include "guest/process/output_logs.hpp"
#include "guest/streams/exec_sessions.hpp"
#include "guest/streams/file_worker.hpp"
#include "guest/streams/stream_server.hpp"

namespace vigil::guest::streams {

/// Everything must outlive the server that uses it.
Stream::Opener make_opener(EventLoop& loop, ExecSessions& sessions, FileWorkers& workers, process::OutputLogs& logs);

/// The same for streams that the life of the agent before had.
StreamServer::Reviver make_reviver(EventLoop& loop, ExecSessions& sessions, process::OutputLogs& logs);

}  // namespace vigil::guest::streams
