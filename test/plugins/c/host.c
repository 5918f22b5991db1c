// Roles that use what the host keeps: tick, metrics, shared, queue, properties, logs, foreign, clock, config, refuse.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "plugin.h"

static bool tick_configure(root *r) { return proxy_set_tick_period_milliseconds(20) == OK; }

static int32_t tick_request(stream *s) {
  s->waiting = true;
  return PAUSE;
}

static void tick(root *r) {
  for (stream *s = streams; s != NULL; s = s->next) {
    if (s->root != r || !s->waiting) continue;
    s->waiting = false;
    if (proxy_set_effective_context(s->id) != OK) abort();
    set(REQUEST_HEADERS, "x-resumed-by", "tick");
    proxy_continue_stream(REQUEST);
  }
}

const role tick_role = {.name = "tick", .configure = tick_configure, .request_headers = tick_request, .tick = tick};

static bool metrics_configure(root *r) {
  static const char *const names[] = {"plugin_counter", "plugin_gauge", "plugin_histogram"};
  for (int type = COUNTER; type <= HISTOGRAM; type++)
    if (proxy_define_metric(type, names[type], strlen(names[type]), &r->metrics[type]) != OK) return false;
  return true;
}

static int32_t metrics_request(stream *s) {
  const uint32_t *metrics = s->root->metrics;
  uint64_t counter = 0, gauge = 0;
  proxy_increment_metric(metrics[COUNTER], 1);
  proxy_increment_metric(metrics[GAUGE], 5);
  proxy_increment_metric(metrics[GAUGE], -3);
  proxy_record_metric(metrics[HISTOGRAM], 42);
  if (proxy_get_metric(metrics[COUNTER], &counter) != OK || proxy_get_metric(metrics[GAUGE], &gauge) != OK) abort();
  set(REQUEST_HEADERS, "x-counter", format("%llu", counter));
  set(REQUEST_HEADERS, "x-gauge", format("%llu", gauge));
  return CONTINUE;
}

const role metrics_role = {.name = "metrics", .configure = metrics_configure, .request_headers = metrics_request};

static text shared(const char *key, uint32_t *cas, int32_t *status) {
  char *data = NULL;
  size_t size = 0;
  *status = proxy_get_shared_data(key, strlen(key), &data, &size, cas);
  if (*status != OK) return (text){NULL, 0};
  char *copy = strndup(data == NULL ? "" : data, size);
  free(data);
  keep(copy);
  return (text){copy, size};
}

static int32_t shared_request(stream *s) {
  uint32_t cas = 0;
  int32_t status;
  char *count;
  do {
    text value = shared("count", &cas, &status);
    if (status != OK) cas = 0;
    count = format("%d", atoi(or_else(value, "0")) + 1);
  } while (proxy_set_shared_data("count", 5, count, strlen(count), cas) != OK);
  shared("count", &cas, &status);
  set(REQUEST_HEADERS, "x-shared", count);
  set(REQUEST_HEADERS, "x-stale", format("%d", proxy_set_shared_data("count", 5, "lost", 4, cas + 1000)));
  shared("missing", &cas, &status);
  set(REQUEST_HEADERS, "x-missing", status == NOT_FOUND ? "yes" : "no");
  return CONTINUE;
}

const role shared_role = {.name = "shared", .request_headers = shared_request};

static bool queue_configure(root *r) { return proxy_register_shared_queue("jobs", 4, &r->queue) == OK; }

static int32_t queue_request(stream *s) {
  text path = get(REQUEST_HEADERS, ":path");
  if (strcmp(path.data, "/last") == 0) {
    uint32_t cas;
    int32_t status;
    return reply(200, (const char *const[]){NULL}, or_else(shared("last", &cas, &status), ""), -1);
  }
  text vm = property("plugin_vm_id");
  uint32_t id = 0;
  int32_t found = proxy_resolve_shared_queue(vm.data, vm.size, "jobs", 4, &id);
  bool same = found == OK && id == s->root->queue;
  bool unknown = proxy_resolve_shared_queue(vm.data, vm.size, "no such queue", 13, &id) == NOT_FOUND;
  if (proxy_enqueue_shared_queue(s->root->queue, path.data, path.size) != OK) abort();
  set(REQUEST_HEADERS, "x-queue", same && unknown ? "ok" : "wrong");
  return CONTINUE;
}

static void queue_ready(root *r, uint32_t id) {
  char *data = NULL;
  size_t size = 0;
  while (proxy_dequeue_shared_queue(id, &data, &size) == OK) {
    proxy_set_shared_data("last", 4, data, size, 0);
    log_line(INFO, format("job %.*s", (int)size, data));
    free(data);
  }
}

const role queue_role = {
    .name = "queue", .configure = queue_configure, .request_headers = queue_request, .queue_ready = queue_ready};

static const char *property_hex(stream *s) {
  text value = property(s->note);
  if (value.data == NULL) return "none";
  char *hex = calloc(1, 2 * value.size + 1);
  keep(hex);
  for (size_t i = 0; i < value.size; i++) sprintf(hex + 2 * i, "%02x", (unsigned char)value.data[i]);
  return hex;
}

static int32_t properties_request(stream *s) {
  strncpy(s->note, or_else(get(REQUEST_HEADERS, "x-property"), ""), sizeof s->note - 1);
  if (proxy_set_property("note", 4, "written", 7) != OK) abort();
  set(REQUEST_HEADERS, "x-value", property_hex(s));
  return CONTINUE;
}

static int32_t properties_response(stream *s) {
  set(RESPONSE_HEADERS, "x-value", property_hex(s));
  set(RESPONSE_HEADERS, "x-note", or_else(property("note"), "none"));
  return CONTINUE;
}

static void properties_log(stream *s) { log_line(INFO, format("%s = %s", s->note, property_hex(s))); }

const role properties_role = {.name = "properties",
                              .request_headers = properties_request,
                              .response_headers = properties_response,
                              .log = properties_log};

static int32_t logs_request(stream *s) {
  log_line(TRACE, "at trace");
  log_line(DEBUG, "at debug");
  log_line(INFO, "at info");
  log_line(WARN, "at warn");
  log_line(ERROR, "at error");
  log_line(CRITICAL, "at critical");
  printf("printed by %s\n", LANGUAGE);
  fflush(stdout);
  return CONTINUE;
}

const role logs_role = {.name = "logs", .request_headers = logs_request};

static int32_t foreign(const char *name, text args, text *result) {
  char *data = NULL;
  size_t size = 0;
  int32_t status = proxy_call_foreign_function(name, strlen(name), args.data, args.size, &data, &size);
  keep(data);
  *result = (text){data, size};
  return status;
}

static int32_t foreign_request(stream *s) {
  text words = {"hello hello hello hello hello hello", 35};
  text packed, plain;
  bool same = foreign("compress", words, &packed) == OK && foreign("uncompress", packed, &plain) == OK &&
              plain.size == words.size && memcmp(plain.data, words.data, words.size) == 0;
  set(REQUEST_HEADERS, "x-compress", same ? "ok" : "wrong");
  set(REQUEST_HEADERS, "x-unknown", format("%d", foreign("no such function", (text){NULL, 0}, &plain)));
  return CONTINUE;
}

const role foreign_role = {.name = "foreign", .request_headers = foreign_request};

static int32_t clock_request(stream *s) {
  uint64_t now = 0;
  proxy_get_current_time_nanoseconds(&now);
  int64_t host = (int64_t)(now / 1000000000), wasi = time(NULL);
  set(REQUEST_HEADERS, "x-clock", host > 1600000000 && llabs(host - wasi) < 5 ? "ok" : "wrong");
  unsigned char random[16] = {0}, zeros[16] = {0};
  set(REQUEST_HEADERS, "x-random", getentropy(random, 16) == 0 && memcmp(random, zeros, 16) != 0 ? "ok" : "wrong");
  return CONTINUE;
}

const role clock_role = {.name = "clock", .request_headers = clock_request};

static int32_t config_request(stream *s) {
  set(REQUEST_HEADERS, "x-config", s->root->configuration);
  set(REQUEST_HEADERS, "x-vm-config", s->root->vm_configuration);
  return CONTINUE;
}

const role config_role = {.name = "config", .request_headers = config_request};

static bool refuse_configure(root *r) {
  log_line(ERROR, "refused as asked");
  return false;
}

const role refuse_role = {.name = "refuse", .configure = refuse_configure};
