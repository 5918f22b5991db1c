// The question to a gRPC service: `CheckRequest` of envoy.service.auth.v3, by the numbers of its fields.
import {
  ByteWriter,
  Bytes,
  Pairs,
  integerProperty,
  property,
  propertyPath,
  requestBody,
  requestHeaders,
} from '@weir/filters-sdk/assembly';
import { withoutPort } from '@weir/filters-sdk/assembly/attributes';
import { addField, addNumberField, addText } from '@weir/filters-sdk/assembly/protobuf';
import { ExtAuthzConfig } from './config';
import { PARTIAL_BODY, isHidden } from './sent-fields';

const SOURCE_ADDRESS = propertyPath('source.address');
const SOURCE_PORT = propertyPath('source.port');
const DESTINATION_ADDRESS = propertyPath('destination.address');
const DESTINATION_PORT = propertyPath('destination.port');
const PEER_URI = propertyPath('connection.uri_san_peer_certificate');
const PEER_SUBJECT = propertyPath('connection.subject_peer_certificate');
const LOCAL_URI = propertyPath('connection.uri_san_local_certificate');
const LOCAL_SUBJECT = propertyPath('connection.subject_local_certificate');
const SERVER_NAME = propertyPath('connection.requested_server_name');
const REQUEST_ID = propertyPath('request.id');
const REQUEST_TIME = propertyPath('request.time');
const PROTOCOL = propertyPath('request.protocol');

const check = new ByteWriter(2048);
const attributes = new ByteWriter(2048);
const request = new ByteWriter(2048);
const http = new ByteWriter(2048);
const part = new ByteWriter(512);
const inner = new ByteWriter(128);
const clean = new ByteWriter(256);

/**
 * @param bodySize of what came of the body
 * @param bodyBytes how much of that goes along, from its beginning; -1: nothing
 */
export function checkRequest(config: ExtAuthzConfig, bodySize: i32, bodyBytes: i32): Bytes {
  attributes.clear();
  const service = requestHeaders.get('x-envoy-downstream-service-cluster');
  addPeer(1, SOURCE_ADDRESS, SOURCE_PORT, PEER_URI, PEER_SUBJECT, service);
  addPeer(2, DESTINATION_ADDRESS, DESTINATION_PORT, LOCAL_URI, LOCAL_SUBJECT, null);
  request.clear();
  addTime();
  addHttp(config, bodySize, bodyBytes);
  addField(request, 2, http.view());
  addField(attributes, 4, request.view());
  for (let i = 0; i + 1 < config.extensions.length; i += 2)
    addEntry(attributes, 10, config.extensions[i], config.extensions[i + 1]);
  const name = config.tlsSession ? property(SERVER_NAME) : null;
  if (name !== null) {
    part.clear();
    addText(part, 1, name);
    addField(attributes, 12, part.view());
  }
  check.clear();
  addField(check, 1, attributes.view());
  return check.view();
}

function addPeer(
  field: u32,
  address: ArrayBuffer,
  port: ArrayBuffer,
  uri: ArrayBuffer,
  subject: ArrayBuffer,
  service: Bytes | null,
): void {
  part.clear();
  const host = property(address);
  if (host !== null) {
    inner.clear();
    addText(inner, 2, withoutPort(host));
    addNumberField(inner, 3, integerProperty(port, 0));
    // The address in a SocketAddress in an Address in the peer.
    clean.clear();
    addField(clean, 1, inner.view());
    addField(part, 1, clean.view());
  }
  if (service !== null) addText(part, 2, service);
  let principal = property(uri);
  if (principal === null || principal.length == 0) principal = property(subject);
  if (principal !== null && principal.length > 0) addText(part, 4, principal);
  addField(attributes, field, part.view());
}

function addTime(): void {
  const nanoseconds = integerProperty(REQUEST_TIME, 0);
  part.clear();
  addNumberField(part, 1, nanoseconds / 1_000_000_000);
  addNumberField(part, 2, nanoseconds % 1_000_000_000);
  addField(request, 1, part.view());
}

function addHttp(config: ExtAuthzConfig, bodySize: i32, bodyBytes: i32): void {
  http.clear();
  addProperty(1, REQUEST_ID);
  const fields = requestHeaders.all();
  const method = requestHeaders.get(':method');
  if (method !== null) addText(http, 2, method);
  addFields(config, fields, bodyBytes >= 0, bodySize > bodyBytes);
  addPseudo(4, ':path');
  addPseudo(5, ':authority');
  addPseudo(6, ':scheme');
  if (bodySize > 0) addNumberField(http, 9, bodySize);
  addProperty(10, PROTOCOL);
  if (bodyBytes <= 0) return;
  const body = requestBody.read(0, bodyBytes);
  if (config.rawBody) addField(http, 12, body);
  else addText(http, 11, body);
}

function addProperty(field: u32, path: ArrayBuffer): void {
  const value = property(path);
  if (value !== null) addText(http, field, value);
}

function addPseudo(field: u32, name: string): void {
  const value = requestHeaders.get(name);
  if (value !== null) addText(http, field, value);
}

/** One entry for each name; further values are joined to the first, as a list. */
function addFields(config: ExtAuthzConfig, fields: Pairs, withBody: bool, partial: bool): void {
  const others = requestHeaders.all();
  for (let i = 0; fields.next(); i++) {
    if (isHidden(config, fields.name)) continue;
    if (isRepeated(others, fields.name, i)) continue;
    inner.clear().add(fields.value);
    others.rewind();
    for (let k = 0; others.next(); k++)
      if (k > i && others.name.equals(fields.name)) inner.addByte(44).add(others.value);
    addEntry(http, 3, fields.name, inner.view());
  }
  if (withBody) addEntry(http, 3, PARTIAL_BODY, partial ? 'true' : 'false');
}

function isRepeated(fields: Pairs, name: Bytes, before: i32): bool {
  fields.rewind();
  for (let i = 0; i < before && fields.next(); i++) if (fields.name.equals(name)) return true;
  return false;
}

/** An entry of a map of strings. */
function addEntry<N, V>(message: ByteWriter, field: u32, name: N, value: V): void {
  part.clear();
  addText<N>(part, 1, name);
  addText<V>(part, 2, value);
  addField(message, field, part.view());
}
