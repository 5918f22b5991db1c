// What the parts of the test plugin share.
#pragma once
#include "proxy_wasm.h"

#define LANGUAGE "c"

// Bytes from the host, with a zero behind them; freed when the callback is over. NULL data: not there.
typedef struct {
  char *data;
  size_t size;
} text;

typedef struct root root;
typedef struct stream stream;

// What a role does. A callback that is missing continues.
typedef struct {
  const char *name;
  bool (*configure)(root *);
  int32_t (*request_headers)(stream *);
  int32_t (*request_body)(stream *, size_t size, bool end);
  int32_t (*request_trailers)(stream *);
  int32_t (*response_headers)(stream *);
  int32_t (*response_body)(stream *, size_t size, bool end);
  int32_t (*response_trailers)(stream *);
  void (*call_response)(stream *, uint32_t fields, size_t size);
  void (*grpc_receive)(stream *, uint32_t token, size_t size);
  void (*grpc_trailers)(stream *);
  void (*grpc_close)(stream *, uint32_t status);
  int32_t (*connection)(stream *);
  int32_t (*downstream)(stream *, size_t size);
  int32_t (*upstream)(stream *, size_t size);
  void (*closed)(stream *);
  void (*log)(stream *);
  void (*tick)(root *);
  void (*queue_ready)(root *, uint32_t id);
} role;

struct root {
  uint32_t id;
  const role *role;
  char *configuration, *vm_configuration;
  uint32_t metrics[3];
  uint32_t queue;
  root *next;
};

struct stream {
  uint32_t id;
  root *root;
  // What a role notes: a mode, a path, messages.
  char note[128], trailer[16];
  int pending;
  bool waiting;
  stream *next;
};

extern stream *streams;
extern const role headers_role, typical_role, reply_role, trailers_role, body_role, scan_role, auth_role, dispatches_role, tick_role,
    metrics_role, shared_role, queue_role, tcp_role, grpc_role, grpc_stream_role, properties_role, logs_role, foreign_role, clock_role, config_role, refuse_role;

void keep(void *memory);  // free it when the callback is over
text get(int32_t map, const char *name);
void set(int32_t map, const char *name, const char *value);
void add(int32_t map, const char *name, const char *value);
text body_of(int32_t buffer, size_t size);
text property(const char *dotted);
char *format(const char *pattern, ...);
void log_line(int32_t level, const char *line);
// `fields` are names and values by turns, ended by NULL.
int32_t reply(uint32_t status, const char *const *fields, const char *body, int32_t grpc_status);
// Remembers whose a call is.
void expect(stream *from, uint32_t token);
text pairs(const char *const *fields);
int32_t call(stream *from, const char *upstream, const char *const *fields, const char *body);
const char *or_else(text value, const char *other);
