// Roles that change a request and its answer: headers, reply, trailers, body, scan, auth, dispatches.
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

#define FIELDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static bool is(text value, const char *other) { return value.data != NULL && strcmp(value.data, other) == 0; }

static int count_named(int32_t map, const char *name) {
  char *data = NULL;
  size_t size = 0;
  if (proxy_get_header_map_pairs(map, &data, &size) != OK) abort();
  keep(data);
  int found = 0;
  uint32_t count = *(uint32_t *)data, *sizes = (uint32_t *)data + 1;
  const char *at = data + 4 + 8 * count;
  for (uint32_t i = 0; i < count; i++) {
    if (strcmp(at, name) == 0) found++;
    at += sizes[2 * i] + 1 + sizes[2 * i + 1] + 1;
  }
  return found;
}

static int32_t headers_request(stream *s) {
  text path = get(REQUEST_HEADERS, ":path");
  if (is(path, "/hello")) return reply(200, FIELDS("hello", "World", "powered-by", "proxy-wasm"), "Hello, World!\n", -1);
  if (strncmp(path.data, "/old", 4) == 0) set(REQUEST_HEADERS, ":path", format("/new%s", path.data + 4));
  set(REQUEST_HEADERS, "x-double-count", format("%d", count_named(REQUEST_HEADERS, "x-double")));
  set(REQUEST_HEADERS, "x-plugin", LANGUAGE);
  add(REQUEST_HEADERS, "x-many", "a");
  add(REQUEST_HEADERS, "x-many", "b");
  proxy_remove_header_map_value(REQUEST_HEADERS, "x-remove", 8);
  set(REQUEST_HEADERS, "x-echo", or_else(get(REQUEST_HEADERS, "x-in"), "none"));
  return CONTINUE;
}

static int32_t headers_response(stream *s) {
  add(RESPONSE_HEADERS, "x-response", LANGUAGE);
  proxy_remove_header_map_value(RESPONSE_HEADERS, "x-internal", 10);
  text status = get(RESPONSE_HEADERS, "x-want-status");
  if (status.data != NULL) set(RESPONSE_HEADERS, ":status", status.data);
  return CONTINUE;
}

static void headers_log(stream *s) {
  const char *path = or_else(get(REQUEST_HEADERS, ":path"), "");
  log_line(INFO, format("done %s %s", path, or_else(get(RESPONSE_HEADERS, ":status"), "")));
}

const role headers_role = {
    .name = "headers", .request_headers = headers_request, .response_headers = headers_response, .log = headers_log};

static int32_t typical_request(stream *s) {
  size_t total = get(REQUEST_HEADERS, "user-agent").size + get(REQUEST_HEADERS, "accept").size + get(REQUEST_HEADERS, "cookie").size;
  set(REQUEST_HEADERS, "x-length", format("%zu", total));
  return CONTINUE;
}

const role typical_role = {.name = "typical", .request_headers = typical_request};

static int32_t reply_request(stream *s) {
  text grpc = get(REQUEST_HEADERS, "x-grpc");
  if (grpc.data != NULL) return reply(200, FIELDS("x-reason", "asked"), format("aborted, not %s", grpc.data), 10);
  text status = get(REQUEST_HEADERS, "x-reply");
  if (status.data == NULL) return CONTINUE;
  return reply(atoi(status.data), FIELDS("x-reason", "asked"), format("replied %s\n", status.data), -1);
}

static int32_t reply_response(stream *s) {
  if (get(RESPONSE_HEADERS, "x-bad").data == NULL) return CONTINUE;
  return reply(502, FIELDS("x-reason", "bad"), "replaced\n", -1);
}

const role reply_role = {.name = "reply", .request_headers = reply_request, .response_headers = reply_response};

static int32_t trailers_request(stream *s) {
  add(REQUEST_TRAILERS, "x-seen", or_else(get(REQUEST_TRAILERS, "x-in"), "none"));
  return CONTINUE;
}

static int32_t trailers_response(stream *s) {
  set(RESPONSE_TRAILERS, "x-response-trailer", LANGUAGE);
  proxy_remove_header_map_value(RESPONSE_TRAILERS, "x-drop", 6);
  return CONTINUE;
}

const role trailers_role = {.name = "trailers", .request_trailers = trailers_request, .response_trailers = trailers_response};

static void replace(int32_t buffer, size_t start, size_t size, const char *with) {
  if (proxy_set_buffer_bytes(buffer, start, size, with, strlen(with)) != OK) abort();
}

static void redact(int32_t buffer, size_t size) {
  text body = body_of(buffer, size);
  if (body.data == NULL || strstr(body.data, "secret") == NULL) return;
  replace(buffer, 0, size, format("Original message body (%zu bytes) redacted.\n", body.size));
}

static int32_t body_request_headers(stream *s) {
  strncpy(s->note, or_else(get(REQUEST_HEADERS, "x-body"), ""), sizeof s->note - 1);
  proxy_remove_header_map_value(REQUEST_HEADERS, "content-length", 14);
  return CONTINUE;
}

static int32_t body_request(stream *s, size_t size, bool end) {
  if (!end) return PAUSE;
  if (strcmp(s->note, "append") == 0) replace(REQUEST_BODY, size, 0, "[end]");
  else if (strcmp(s->note, "prepend") == 0) replace(REQUEST_BODY, 0, 0, "[begin]");
  else if (strcmp(s->note, "replace") == 0) replace(REQUEST_BODY, 0, size, "[replaced]");
  else redact(REQUEST_BODY, size);
  return CONTINUE;
}

static int32_t body_response_headers(stream *s) {
  proxy_remove_header_map_value(RESPONSE_HEADERS, "content-length", 14);
  return CONTINUE;
}

static int32_t body_response(stream *s, size_t size, bool end) {
  if (!end) return PAUSE;
  redact(RESPONSE_BODY, size);
  return CONTINUE;
}

const role body_role = {.name = "body",
                        .request_headers = body_request_headers,
                        .request_body = body_request,
                        .response_headers = body_response_headers,
                        .response_body = body_response};

static int32_t scan_request(stream *s, size_t size, bool end) {
  text body = body_of(REQUEST_BODY, size);
  const char *found = body.data == NULL ? NULL : strstr(body.data, "pattern");
  if (found != NULL) return reply(403, FIELDS("x-scan", "found"), format("pattern at %zu\n", (size_t)(found - body.data)), -1);
  return end ? CONTINUE : PAUSE;
}

const role scan_role = {.name = "scan", .request_body = scan_request};

static int32_t auth_request(stream *s) {
  const char *upstream = is(get(REQUEST_HEADERS, ":path"), "/unknown") ? "nowhere" : "authz";
  const char *token = or_else(get(REQUEST_HEADERS, "x-token"), "");
  const char *const *fields = FIELDS(":method", "POST", ":path", "/check", ":authority", "authz", "x-token", token);
  if (call(s, upstream, fields, "who is it?") != OK) return reply(500, (const char *const[]){NULL}, "dispatch refused\n", -1);
  return PAUSE;
}

static void auth_answered(stream *s, uint32_t fields, size_t size) {
  const char *status = or_else(get(CALL_HEADERS, ":status"), "none");
  if (strcmp(status, "200") == 0) {
    set(REQUEST_HEADERS, "x-user", or_else(get(CALL_HEADERS, "x-user"), ""));
    set(REQUEST_HEADERS, "x-call-body", or_else(body_of(CALL_BODY, size), ""));
    proxy_continue_stream(REQUEST);
    return;
  }
  reply(403, FIELDS("x-auth-status", status), "Access forbidden.\n", -1);
}

const role auth_role = {.name = "auth", .request_headers = auth_request, .call_response = auth_answered};

static int32_t dispatches_response(stream *s) {
  static const char *const paths[] = {"/1", "/2", "/3"};
  for (s->pending = 0; s->pending < 3; s->pending++) {
    const char *const *fields = FIELDS(":method", "GET", ":path", paths[s->pending], ":authority", "authz");
    if (call(s, "authz", fields, "") != OK) abort();
  }
  return PAUSE;
}

static void dispatches_answered(stream *s, uint32_t fields, size_t size) {
  if (--s->pending > 0) return;
  set(RESPONSE_HEADERS, "x-dispatched", "3");
  proxy_continue_stream(RESPONSE);
}

const role dispatches_role = {
    .name = "dispatches", .response_headers = dispatches_response, .call_response = dispatches_answered};
