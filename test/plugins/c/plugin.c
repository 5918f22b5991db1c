// The test plugin in C; what each role does is in ../README.md. This file has the callbacks and what all roles use.
#include "plugin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

EXPORT(proxy_abi_version_0_2_1) void abi_version(void) {}

static const role *const roles[] = {&headers_role, &typical_role, &reply_role,   &trailers_role, &body_role,   &scan_role,       &auth_role,
                                    &dispatches_role, &tick_role, &metrics_role,  &shared_role, &queue_role, &tcp_role, &grpc_role, &grpc_stream_role,      &properties_role,
                                    &logs_role,    &foreign_role, &clock_role,    &refuse_role, &config_role};

static root *roots;
stream *streams;

// Calls under way: whose they are.
static struct {
  uint32_t token, stream;
} calls[64];

static void *kept[256];
static int kept_count;

void keep(void *memory) {
  if (memory != NULL && kept_count < 256) kept[kept_count++] = memory;
}

static void release(void) {
  while (kept_count > 0) free(kept[--kept_count]);
}

static text given(int32_t status, char *data, size_t size) {
  if (status != OK) return (text){NULL, 0};
  char *copy = calloc(1, size + 1);
  if (size > 0) memcpy(copy, data, size);
  free(data);
  keep(copy);
  return (text){copy, size};
}

text get(int32_t map, const char *name) {
  char *data = NULL;
  size_t size = 0;
  int32_t status = proxy_get_header_map_value(map, name, strlen(name), &data, &size);
  return given(status, data, size);
}

const char *or_else(text value, const char *other) { return value.data == NULL ? other : value.data; }

void set(int32_t map, const char *name, const char *value) {
  if (proxy_replace_header_map_value(map, name, strlen(name), value, strlen(value)) != OK) abort();
}

void add(int32_t map, const char *name, const char *value) {
  if (proxy_add_header_map_value(map, name, strlen(name), value, strlen(value)) != OK) abort();
}

text body_of(int32_t buffer, size_t max) {
  char *data = NULL;
  size_t size = 0;
  int32_t status = proxy_get_buffer_bytes(buffer, 0, max, &data, &size);
  return given(status, data, size);
}

text property(const char *dotted) {
  char path[256];
  size_t size = strlen(dotted);
  for (size_t i = 0; i < size; i++) path[i] = dotted[i] == '.' ? 0 : dotted[i];
  char *data = NULL;
  size_t value_size = 0;
  int32_t status = proxy_get_property(path, size, &data, &value_size);
  return given(status, data, value_size);
}

char *format(const char *pattern, ...) {
  va_list args;
  va_start(args, pattern);
  char *line = malloc(1024);
  vsnprintf(line, 1024, pattern, args);
  va_end(args);
  keep(line);
  return line;
}

void log_line(int32_t level, const char *line) { proxy_log(level, line, strlen(line)); }

// The ABI's layout of a map: count | count × (name size, value size) | count × (name NUL value NUL).
text pairs(const char *const *fields) {
  uint32_t count = 0;
  size_t size = 4;
  for (; fields[2 * count] != NULL; count++) size += 8 + strlen(fields[2 * count]) + strlen(fields[2 * count + 1]) + 2;
  char *data = malloc(size);
  uint32_t *sizes = (uint32_t *)data;
  *sizes++ = count;
  char *at = data + 4 + 8 * count;
  for (uint32_t i = 0; i < 2 * count; i++) {
    *sizes++ = strlen(fields[i]);
    at = stpcpy(at, fields[i]) + 1;
  }
  keep(data);
  return (text){data, size};
}

int32_t reply(uint32_t status, const char *const *fields, const char *body, int32_t grpc_status) {
  text headers = pairs(fields);
  proxy_send_local_response(status, NULL, 0, body, strlen(body), headers.data, headers.size, grpc_status);
  return PAUSE;
}

void expect(stream *from, uint32_t token) {
  for (int i = 0; i < 64; i++) {
    if (calls[i].stream != 0) continue;
    calls[i].token = token;
    calls[i].stream = from->id;
    return;
  }
  abort();
}

int32_t call(stream *from, const char *upstream, const char *const *fields, const char *body) {
  text headers = pairs(fields);
  uint32_t token = 0;
  int32_t status = proxy_http_call(upstream, strlen(upstream), headers.data, headers.size, body, strlen(body), NULL, 0, 2000, &token);
  if (status == OK) expect(from, token);
  return status;
}

static root *root_of(uint32_t id) {
  for (root *r = roots; r != NULL; r = r->next)
    if (r->id == id) return r;
  return NULL;
}

static stream *stream_of(uint32_t id) {
  for (stream *s = streams; s != NULL; s = s->next)
    if (s->id == id) return s;
  return NULL;
}

EXPORT(proxy_on_context_create) void on_context_create(uint32_t id, uint32_t parent) {
  if (parent == 0) {
    root *r = calloc(1, sizeof *r);
    *r = (root){.id = id, .next = roots};
    roots = r;
    return;
  }
  stream *s = calloc(1, sizeof *s);
  s->id = id;
  s->root = root_of(parent);
  s->next = streams;
  streams = s;
}

EXPORT(proxy_on_vm_start) int32_t on_vm_start(uint32_t id, size_t size) {
  root_of(id)->vm_configuration = strdup(or_else(body_of(VM_CONFIGURATION, size), ""));
  release();
  return 1;
}

EXPORT(proxy_on_configure) int32_t on_configure(uint32_t id, size_t size) {
  root *r = root_of(id);
  r->configuration = strdup(or_else(body_of(PLUGIN_CONFIGURATION, size), ""));
  size_t length = strcspn(r->configuration, " ");
  r->role = &config_role;
  for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
    if (strlen(roles[i]->name) == length && memcmp(roles[i]->name, r->configuration, length) == 0) r->role = roles[i];
  bool accepted = r->role->configure == NULL || r->role->configure(r);
  release();
  return accepted;
}

#define CALLBACK(export, member, arguments, ...)                              \
  EXPORT(export) int32_t on_##member arguments {                             \
    stream *s = stream_of(id);                                               \
    const role *role = s->root->role;                                        \
    int32_t action = role->member == NULL ? CONTINUE : role->member(__VA_ARGS__); \
    release();                                                               \
    return action;                                                           \
  }

CALLBACK(proxy_on_request_headers, request_headers, (uint32_t id, uint32_t count, uint32_t end), s)
CALLBACK(proxy_on_request_body, request_body, (uint32_t id, size_t size, uint32_t end), s, size, end)
CALLBACK(proxy_on_request_trailers, request_trailers, (uint32_t id, uint32_t count), s)
CALLBACK(proxy_on_response_headers, response_headers, (uint32_t id, uint32_t count, uint32_t end), s)
CALLBACK(proxy_on_response_body, response_body, (uint32_t id, size_t size, uint32_t end), s, size, end)
CALLBACK(proxy_on_response_trailers, response_trailers, (uint32_t id, uint32_t count), s)

CALLBACK(proxy_on_new_connection, connection, (uint32_t id), s)
CALLBACK(proxy_on_downstream_data, downstream, (uint32_t id, size_t size, uint32_t end), s, size)
CALLBACK(proxy_on_upstream_data, upstream, (uint32_t id, size_t size, uint32_t end), s, size)

EXPORT(proxy_on_downstream_connection_close) void on_downstream_close(uint32_t id, uint32_t peer) {
  stream *s = stream_of(id);
  if (s->root->role->closed != NULL) s->root->role->closed(s);
  release();
}

// The stream that made a call, made effective; NULL where it is gone.
static stream *caller(uint32_t token, bool last) {
  for (int i = 0; i < 64; i++) {
    if (calls[i].stream == 0 || calls[i].token != token) continue;
    stream *s = stream_of(calls[i].stream);
    if (last) calls[i].stream = 0;
    return s != NULL && proxy_set_effective_context(s->id) == OK ? s : NULL;
  }
  return NULL;
}

EXPORT(proxy_on_http_call_response)
void on_http_call_response(uint32_t id, uint32_t token, uint32_t fields, size_t size, uint32_t trailers) {
  stream *s = caller(token, true);
  if (s != NULL) s->root->role->call_response(s, fields, size);
  release();
}

EXPORT(proxy_on_grpc_receive) void on_grpc_receive(uint32_t id, uint32_t token, size_t size) {
  stream *s = caller(token, false);
  if (s != NULL) s->root->role->grpc_receive(s, token, size);
  release();
}

EXPORT(proxy_on_grpc_receive_trailing_metadata) void on_grpc_trailers(uint32_t id, uint32_t token, uint32_t count) {
  stream *s = caller(token, false);
  if (s != NULL && s->root->role->grpc_trailers != NULL) s->root->role->grpc_trailers(s);
  release();
}

EXPORT(proxy_on_grpc_close) void on_grpc_close(uint32_t id, uint32_t token, uint32_t status) {
  stream *s = caller(token, true);
  if (s != NULL) s->root->role->grpc_close(s, status);
  release();
}

EXPORT(proxy_on_tick) void on_tick(uint32_t id) {
  root *r = root_of(id);
  if (r->role->tick != NULL) r->role->tick(r);
  release();
}

EXPORT(proxy_on_queue_ready) void on_queue_ready(uint32_t id, uint32_t queue) {
  root *r = root_of(id);
  if (r->role->queue_ready != NULL) r->role->queue_ready(r, queue);
  release();
}

EXPORT(proxy_on_done) int32_t on_done(uint32_t id) { return 1; }

EXPORT(proxy_on_log) void on_log(uint32_t id) {
  stream *s = stream_of(id);
  if (s != NULL && s->root->role->log != NULL) s->root->role->log(s);
  release();
}

EXPORT(proxy_on_delete) void on_delete(uint32_t id) {
  for (stream **at = &streams; *at != NULL; at = &(*at)->next) {
    stream *s = *at;
    if (s->id != id) continue;
    *at = s->next;
    free(s);
    return;
  }
  for (root **at = &roots; *at != NULL; at = &(*at)->next) {
    root *r = *at;
    if (r->id != id) continue;
    *at = r->next;
    free(r->configuration);
    free(r->vm_configuration);
    free(r);
    return;
  }
}
