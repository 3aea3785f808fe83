// One function a route; each resource has its file.
#pragma once

#include "host/api/context.hpp"

namespace vigil::api {

using http::Reply;
using http::Request;

// daemon.cpp
void get_health(const Context& context, const Request& request, const Reply& reply);
void get_metrics(const Context& context, const Request& request, const Reply& reply);
void get_openapi(const Context& context, const Request& request, const Reply& reply);
void get_daemon(const Context& context, const Request& request, const Reply& reply);
// instances.cpp
void get_old_health(const Context& context, const Request& request, const Reply& reply);
void answer_ping(const Context& context, const Request& request, const Reply& reply);
void list_vms(const Context& context, const Request& request, const Reply& reply);
void count_vms(const Context& context, const Request& request, const Reply& reply);
void get_vm(const Context& context, const Request& request, const Reply& reply);
void take_vm_heartbeat(const Context& context, const Request& request, const Reply& reply);
void diagnose_vm(const Context& context, const Request& request, const Reply& reply);
void get_vm_console(const Context& context, const Request& request, const Reply& reply);
void start_new_instance(const Context& context, const Request& request, const Reply& reply);
void create_instance(const Context& context, const Request& request, const Reply& reply);
void list_instances(const Context& context, const Request& request, const Reply& reply);
void get_instance(const Context& context, const Request& request, const Reply& reply);
void remove_instance(const Context& context, const Request& request, const Reply& reply);
// power.cpp
void start_instance(const Context& context, const Request& request, const Reply& reply);
void stop_instance(const Context& context, const Request& request, const Reply& reply);
// timeline.cpp, services.cpp, crashes.cpp, console.cpp, logs.cpp, why.cpp, events.cpp
void get_timeline(const Context& context, const Request& request, const Reply& reply);
void get_services(const Context& context, const Request& request, const Reply& reply);
void replace_agent(const Context& context, const Request& request, const Reply& reply);
void control_service(const Context& context, const Request& request, const Reply& reply);
void get_crashes(const Context& context, const Request& request, const Reply& reply);
void get_console(const Context& context, const Request& request, const Reply& reply);
void follow_logs(const Context& context, const Request& request, const Reply& reply);
void stream_logs(const Context& context, const Request& request, const Reply& reply);
void get_logs(const Context& context, const Request& request, const Reply& reply);
void get_why(const Context& context, const Request& request, const Reply& reply);
void stream_events(const Context& context, const Request& request, const Reply& reply);
// policy.cpp
void get_policy(const Context& context, const Request& request, const Reply& reply);
void pause_policy(const Context& context, const Request& request, const Reply& reply);
void set_hold(const Context& context, const Request& request, const Reply& reply);
void set_lease(const Context& context, const Request& request, const Reply& reply);
// ports.cpp
void get_port_health(const Context& context, const Request& request, const Reply& reply);
void get_ports(const Context& context, const Request& request, const Reply& reply);
// desktop.cpp
void invite_to_desktop(const Context& context, const Request& request, const Reply& reply);
// egress.cpp
void test_egress(const Context& context, const Request& request, const Reply& reply);
// streams.cpp
void open_stream(const Context& context, const Request& request, const Reply& reply);
// exec.cpp
void run_streamed(const Context& context, const Request& request, const Reply& reply);
void get_filesystem(const Context& context, const Request& request, const Reply& reply);
void run_exec(const Context& context, const Request& request, const Reply& reply);
// blackboxes.cpp
void group_crashes(const Context& context, const Request& request, const Reply& reply);
void list_blackboxes(const Context& context, const Request& request, const Reply& reply);
void get_blackbox(const Context& context, const Request& request, const Reply& reply);
void export_blackbox(const Context& context, const Request& request, const Reply& reply);
// sessions.cpp
void create_session(const Context& context, const Request& request, const Reply& reply);
void list_sessions(const Context& context, const Request& request, const Reply& reply);
void get_session(const Context& context, const Request& request, const Reply& reply);
void stream_session_events(const Context& context, const Request& request, const Reply& reply);
void cancel_session(const Context& context, const Request& request, const Reply& reply);
void hold_session(const Context& context, const Request& request, const Reply& reply);
void create_session_token(const Context& context, const Request& request, const Reply& reply);
// auth_routes.cpp
void start_auth(const Context& context, const Request& request, const Reply& reply);
void get_auth_session(const Context& context, const Request& request, const Reply& reply);
void get_auth_url(const Context& context, const Request& request, const Reply& reply);
void get_auth_credentials(const Context& context, const Request& request, const Reply& reply);
void hold_auth(const Context& context, const Request& request, const Reply& reply);
void end_auth(const Context& context, const Request& request, const Reply& reply);
void store_auth_credentials(const Context& context, const Request& request, const Reply& reply);
// auth_lookups.cpp
void list_auth_credentials(const Context& context, const Request& request, const Reply& reply);
void list_auth_sessions(const Context& context, const Request& request, const Reply& reply);
void validate_auth(const Context& context, const Request& request, const Reply& reply);
void get_auth_vm(const Context& context, const Request& request, const Reply& reply);
void find_auth_desktop(const Context& context, const Request& request, const Reply& reply);
// vault.cpp
void list_vault(const Context& context, const Request& request, const Reply& reply);
void get_vault_entry(const Context& context, const Request& request, const Reply& reply);
void reveal_credential(const Context& context, const Request& request, const Reply& reply);
void note_refused_reveal(const Context& context, const Request& request);   // in the audit log
void remove_credential(const Context& context, const Request& request, const Reply& reply);
void list_vault_audit(const Context& context, const Request& request, const Reply& reply);
void rotate_vault(const Context& context, const Request& request, const Reply& reply);
// tokens.cpp
void list_tokens(const Context& context, const Request& request, const Reply& reply);
void create_token(const Context& context, const Request& request, const Reply& reply);
void revoke_token(const Context& context, const Request& request, const Reply& reply);
// images.cpp
void list_images(const Context& context, const Request& request, const Reply& reply);
void get_image(const Context& context, const Request& request, const Reply& reply);
void verify_image(const Context& context, const Request& request, const Reply& reply);
void collect_images(const Context& context, const Request& request, const Reply& reply);

}  // namespace vigil::api
