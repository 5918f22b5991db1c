// The Proxy-Wasm ABI 0.2.1 for C, as far as the test plugin needs it. Every function answers a status.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMPORT(name) __attribute__((import_module("env"), import_name(#name))) extern int32_t name
#define EXPORT(name) __attribute__((export_name(#name)))

enum { OK = 0, NOT_FOUND = 1, CAS_MISMATCH = 8 };
enum { TRACE, DEBUG, INFO, WARN, ERROR, CRITICAL };
enum { CONTINUE = 0, PAUSE = 1 };
enum { REQUEST_HEADERS, REQUEST_TRAILERS, RESPONSE_HEADERS, RESPONSE_TRAILERS, GRPC_METADATA, GRPC_TRAILERS, CALL_HEADERS };
enum { REQUEST_BODY, RESPONSE_BODY, DOWNSTREAM_DATA, UPSTREAM_DATA, CALL_BODY, GRPC_MESSAGE, VM_CONFIGURATION, PLUGIN_CONFIGURATION };
enum { REQUEST, RESPONSE, DOWNSTREAM, UPSTREAM };
enum { COUNTER, GAUGE, HISTOGRAM };

IMPORT(proxy_log)(int32_t level, const char *text, size_t size);
IMPORT(proxy_get_current_time_nanoseconds)(uint64_t *out);
IMPORT(proxy_set_tick_period_milliseconds)(uint32_t period);
IMPORT(proxy_set_effective_context)(uint32_t context);
IMPORT(proxy_get_buffer_bytes)(int32_t buffer, size_t start, size_t max, char **out, size_t *size);
IMPORT(proxy_set_buffer_bytes)(int32_t buffer, size_t start, size_t size, const char *data, size_t data_size);
IMPORT(proxy_get_header_map_pairs)(int32_t map, char **out, size_t *size);
IMPORT(proxy_get_header_map_value)(int32_t map, const char *name, size_t name_size, char **out, size_t *size);
IMPORT(proxy_add_header_map_value)(int32_t map, const char *name, size_t name_size, const char *value, size_t value_size);
IMPORT(proxy_replace_header_map_value)(int32_t map, const char *name, size_t name_size, const char *value, size_t value_size);
IMPORT(proxy_remove_header_map_value)(int32_t map, const char *name, size_t name_size);
IMPORT(proxy_continue_stream)(int32_t stream);
IMPORT(proxy_send_local_response)(uint32_t status, const char *details, size_t details_size, const char *body, size_t body_size,
                                  const char *headers, size_t headers_size, int32_t grpc_status);
IMPORT(proxy_http_call)(const char *upstream, size_t upstream_size, const char *headers, size_t headers_size, const char *body,
                        size_t body_size, const char *trailers, size_t trailers_size, uint32_t timeout, uint32_t *token);
IMPORT(proxy_get_status)(uint32_t *code, char **out, size_t *size);
IMPORT(proxy_close_stream)(int32_t stream);
IMPORT(proxy_grpc_call)(const char *upstream, size_t upstream_size, const char *service, size_t service_size, const char *method,
                        size_t method_size, const char *metadata, size_t metadata_size, const char *message, size_t message_size,
                        uint32_t timeout, uint32_t *token);
IMPORT(proxy_grpc_stream)(const char *upstream, size_t upstream_size, const char *service, size_t service_size, const char *method,
                          size_t method_size, const char *metadata, size_t metadata_size, uint32_t *token);
IMPORT(proxy_grpc_send)(uint32_t token, const char *message, size_t size, int32_t end_stream);
IMPORT(proxy_get_shared_data)(const char *key, size_t key_size, char **out, size_t *size, uint32_t *cas);
IMPORT(proxy_set_shared_data)(const char *key, size_t key_size, const char *value, size_t value_size, uint32_t cas);
IMPORT(proxy_register_shared_queue)(const char *name, size_t name_size, uint32_t *id);
IMPORT(proxy_resolve_shared_queue)(const char *vm, size_t vm_size, const char *name, size_t name_size, uint32_t *id);
IMPORT(proxy_enqueue_shared_queue)(uint32_t id, const char *item, size_t size);
IMPORT(proxy_dequeue_shared_queue)(uint32_t id, char **out, size_t *size);
IMPORT(proxy_define_metric)(int32_t type, const char *name, size_t name_size, uint32_t *id);
IMPORT(proxy_increment_metric)(uint32_t id, int64_t delta);
IMPORT(proxy_record_metric)(uint32_t id, uint64_t value);
IMPORT(proxy_get_metric)(uint32_t id, uint64_t *out);
IMPORT(proxy_get_property)(const char *path, size_t path_size, char **out, size_t *size);
IMPORT(proxy_set_property)(const char *path, size_t path_size, const char *value, size_t value_size);
IMPORT(proxy_call_foreign_function)(const char *name, size_t name_size, const char *args, size_t args_size, char **out, size_t *size);
