// Roles of TCP and gRPC: tcp, grpc, grpc-stream.
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

#define FIELDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int32_t tcp_connection(stream *s) {
  const char *source = or_else(property("source.address"), "");
  log_line(INFO, format("tcp from %.*s", (int)strcspn(source, ":"), source));
  return CONTINUE;
}

static int32_t tcp_downstream(stream *s, size_t size) {
  if (size == 0) return CONTINUE;
  text data = body_of(DOWNSTREAM_DATA, size);
  if (strcmp(or_else(data, ""), "deny") == 0) {
    proxy_close_stream(DOWNSTREAM);
    return PAUSE;
  }
  const char *prefix = LANGUAGE ":";
  if (proxy_set_buffer_bytes(DOWNSTREAM_DATA, 0, 0, prefix, strlen(prefix)) != OK) abort();
  return CONTINUE;
}

static int32_t tcp_upstream(stream *s, size_t size) {
  if (size > 0 && proxy_set_buffer_bytes(UPSTREAM_DATA, size, 0, "!", 1) != OK) abort();
  return CONTINUE;
}

static void tcp_closed(stream *s) { log_line(INFO, "tcp closed"); }

static void tcp_log(stream *s) { log_line(INFO, "tcp done"); }

const role tcp_role = {.name = "tcp",
                       .connection = tcp_connection,
                       .downstream = tcp_downstream,
                       .upstream = tcp_upstream,
                       .closed = tcp_closed,
                       .log = tcp_log};

static int32_t grpc_request(stream *s) {
  const char *call = or_else(get(REQUEST_HEADERS, "x-call"), "");
  size_t method = strcspn(call, " ");
  const char *message = call[method] == ' ' ? call + method + 1 : "";
  text metadata = pairs(FIELDS("x-from", LANGUAGE));
  uint32_t token = 0;
  if (proxy_grpc_call("grpc", 4, "test.Echo", 9, call, method, metadata.data, metadata.size, message, strlen(message), 2000, &token) != OK)
    abort();
  expect(s, token);
  return PAUSE;
}

static void grpc_received(stream *s, uint32_t token, size_t size) {
  set(REQUEST_HEADERS, "x-grpc-reply", or_else(body_of(GRPC_MESSAGE, size), ""));
  proxy_continue_stream(REQUEST);
}

static void grpc_closed(stream *s, uint32_t status) {
  uint32_t code = 0;
  char *data = NULL;
  size_t size = 0;
  if (proxy_get_status(&code, &data, &size) != OK) abort();
  keep(data);
  const char *told = size == 0 ? "" : format("%.*s", (int)size, data);
  reply(403, FIELDS("x-grpc-code", format("%u", status), "x-grpc-text", told), "Access forbidden.\n", -1);
}

const role grpc_role = {
    .name = "grpc", .request_headers = grpc_request, .grpc_receive = grpc_received, .grpc_close = grpc_closed};

static int32_t chat_request(stream *s) {
  text metadata = pairs(FIELDS("x-from", LANGUAGE));
  const char *first = or_else(get(REQUEST_HEADERS, "x-first"), "");
  uint32_t token = 0;
  if (proxy_grpc_stream("grpc", 4, "test.Echo", 9, "Chat", 4, metadata.data, metadata.size, &token) != OK) abort();
  expect(s, token);
  if (proxy_grpc_send(token, first, strlen(first), 0) != OK) abort();
  return PAUSE;
}

static void chat_received(stream *s, uint32_t token, size_t size) {
  bool first = s->note[0] == 0;
  if (!first) strcat(s->note, ", ");
  strncat(s->note, or_else(body_of(GRPC_MESSAGE, size), ""), 60);
  if (first && proxy_grpc_send(token, "two", 3, 1) != OK) abort();
}

static void chat_trailers(stream *s) { strncpy(s->trailer, or_else(get(GRPC_TRAILERS, "x-heard"), ""), sizeof s->trailer - 1); }

static void chat_closed(stream *s, uint32_t status) {
  set(REQUEST_HEADERS, "x-grpc-heard", s->note);
  set(REQUEST_HEADERS, "x-grpc-trailer", s->trailer);
  set(REQUEST_HEADERS, "x-grpc-code", format("%u", status));
  proxy_continue_stream(REQUEST);
}

const role grpc_stream_role = {.name = "grpc-stream",
                               .request_headers = chat_request,
                               .grpc_receive = chat_received,
                               .grpc_trailers = chat_trailers,
                               .grpc_close = chat_closed};
