import { ByteWriter, Bytes, Pairs, propertyPath, requestHeaders, utf8 } from '@weir/filters-sdk/assembly';
import { out } from '@weir/filters-sdk/assembly/arena';
import { withoutPort } from '@weir/filters-sdk/assembly/attributes';
import { proxy_get_property } from '@weir/filters-sdk/assembly/env';
import { JsonKind, JsonValue, readJson } from '@weir/filters-sdk/assembly/json';
import { Address } from '@weir/filters-sdk/assembly/addresses';
import { PathForms } from './path';

/** Whether something is known of a stream. */
export enum Known {
  Yes,
  /** The stream has not got it: a request without a token has no claims. */
  Absent,
  /** It may have it, and nobody can say. */
  Unreadable,
}

const OK = 0;
const NOT_FOUND = 1;
const METHOD = utf8(':method');
const PATH = utf8(':path');
const AUTHORITY = utf8(':authority');
const CONSUMER = utf8('consumer.name');
const PAYLOAD = utf8('jwt.payload');
const SERVER_NAME = propertyPath('connection.requested_server_name');
const PEER = propertyPath('connection.peer_address');
const CLIENT = propertyPath('source.address');
const PORT = propertyPath('destination.port');

/** What the rules ask about the running stream, each thing read once, when the first rule asks for it. */
export class Facts {
  /** A request; else a connection, of which nothing of a request can be known. */
  isRequest: bool = false;
  /** Of the stream: another one has another. */
  turn: u32 = 0;
  value: Bytes = changetype<Bytes>(0);
  private forms: PathForms = new PathForms();
  /** Of the end that was read last. */
  address: Address = new Address();
  private client: Address = new Address();
  private peer: Address = new Address();
  private clientKnown: i32 = -1;
  private peerKnown: i32 = -1;
  private methodValue: Bytes = changetype<Bytes>(0);
  private targetValue: Bytes = changetype<Bytes>(0);
  private hostValue: Bytes = changetype<Bytes>(0);
  private consumerValue: Bytes = changetype<Bytes>(0);
  private consumerKnown: i32 = -1;
  private allFields: Pairs = changetype<Pairs>(0);
  private claimsKnown: i32 = -1;
  private claims: JsonValue | null = null;
  private payloadText: ByteWriter = new ByteWriter(512);

  begin(isRequest: bool): this {
    this.isRequest = isRequest;
    this.turn++;
    this.methodValue = changetype<Bytes>(0);
    this.targetValue = changetype<Bytes>(0);
    this.hostValue = changetype<Bytes>(0);
    this.consumerKnown = -1;
    this.clientKnown = -1;
    this.peerKnown = -1;
    this.allFields = changetype<Pairs>(0);
    this.claimsKnown = -1;
    return this;
  }

  // The three below are of requests alone.

  get method(): Bytes {
    if (changetype<usize>(this.methodValue) == 0) this.methodValue = pseudo(METHOD);
    return this.methodValue;
  }

  /** With the query. */
  get target(): Bytes {
    if (changetype<usize>(this.targetValue) == 0) this.readTarget();
    return this.targetValue;
  }

  get path(): PathForms {
    if (changetype<usize>(this.targetValue) == 0) this.readTarget();
    return this.forms;
  }

  private readTarget(): void {
    const target = pseudo(PATH);
    const mark = target.indexOf(63);
    this.targetValue = target;
    this.forms.read(mark < 0 ? target : target.slice(0, mark));
  }

  /** Without the port, the brackets of an address, and the dot at the end. */
  get host(): Bytes {
    if (changetype<usize>(this.hostValue) == 0) {
      let host = pseudo(AUTHORITY);
      if (host.length > 0 && host.at(0) == 91) host = host.slice(1, host.indexOf(93));
      const colon = host.lastIndexOf(58);
      // More than one colon: an IPv6 address, which had brackets.
      if (colon >= 0 && host.indexOf(58) == colon) host = host.slice(0, colon);
      if (host.length > 1 && host.at(host.length - 1) == 46) host = host.slice(0, host.length - 1);
      this.hostValue = host;
    }
    return this.hostValue;
  }

  /** All fields, from the first one. */
  get fields(): Pairs {
    if (changetype<usize>(this.allFields) == 0) this.allFields = requestHeaders.all();
    else this.allFields.rewind();
    return this.allFields;
  }

  /** The name in `value`. */
  readConsumer(): Known {
    if (this.consumerKnown < 0) {
      this.consumerKnown = this.read(CONSUMER);
      this.consumerValue = this.value;
    }
    this.value = this.consumerValue;
    return this.consumerKnown;
  }

  /** Empty where there is none. */
  readServerName(): Known {
    return this.read(SERVER_NAME);
  }

  /** Of the other end of the connection, in `address`. */
  readPeer(): Known {
    if (this.peerKnown < 0) this.peerKnown = this.readAddress(PEER, this.peer);
    // Hosts that do not tell it apart know the client's address.
    if (this.peerKnown != Known.Yes) return this.readClient();
    this.address = this.peer;
    return Known.Yes;
  }

  /** Of the client, as trusted proxies in front tell it, in `address`. */
  readClient(): Known {
    if (this.clientKnown < 0) this.clientKnown = this.readAddress(CLIENT, this.client);
    this.address = this.client;
    return this.clientKnown;
  }

  /** Every stream has one: where it cannot be had, it cannot be read. */
  private readAddress(path: ArrayBuffer, address: Address): Known {
    if (this.read(path) != Known.Yes) return Known.Unreadable;
    return address.read(withoutPort(this.value)) ? Known.Yes : Known.Unreadable;
  }

  /** Of the connection's end here; -1 where it cannot be had. */
  get port(): i32 {
    if (this.read(PORT) != Known.Yes) return -1;
    const value = this.value;
    return value.length == 8 ? <i32>load<i64>(value.start) : <i32>value.toUnsigned();
  }

  /** @returns null where `claimsState` is not Yes */
  get payload(): JsonValue | null {
    if (this.claimsKnown < 0) this.claimsKnown = this.readPayload();
    return this.claimsKnown == Known.Yes ? this.claims : null;
  }

  get claimsState(): Known {
    return this.claimsKnown;
  }

  /** The text that claims lead into by their offsets. */
  get payloadBytes(): Bytes {
    return this.payloadText.view();
  }

  /** What was parsed last stays: a client sends its token again and again. */
  private readPayload(): Known {
    const state = this.read(PAYLOAD);
    if (state != Known.Yes) return state;
    const claims = this.claims;
    if (claims !== null && this.value.equals(this.payloadText.view())) return Known.Yes;
    this.payloadText.clear().add(this.value);
    const parsed = readJson<Bytes>(this.payloadText.view());
    this.claims = parsed;
    return parsed !== null && parsed.kind == JsonKind.Object ? Known.Yes : Known.Unreadable;
  }

  private read(path: ArrayBuffer): Known {
    const status = proxy_get_property(changetype<usize>(path), path.byteLength, out, out + 4);
    if (status != OK) return status == NOT_FOUND ? Known.Absent : Known.Unreadable;
    this.value = Bytes.of(load<usize>(out), load<i32>(out, 4));
    return Known.Yes;
  }
}

function pseudo(name: ArrayBuffer): Bytes {
  const value = requestHeaders.get(name);
  return value === null ? Bytes.of(0, 0) : value;
}
