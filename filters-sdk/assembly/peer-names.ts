import { out } from './arena';
import { Bytes } from './bytes';
import { proxy_get_property } from './env';
import { Pairs } from './pairs';
import { propertyPath } from './properties';

const OK = 0;
const NOT_FOUND = 1;

/**
 * Names of one kind in the client's certificate (its SAN), where that is valid: all of them in weir, the first in other hosts,
 * which tell no more.
 *
 *     const names = uriNames();
 *     while (names.next()) …names.name…
 */
export class PeerNames {
  name: Bytes = changetype<Bytes>(0);
  /** There may be names, and the host cannot tell them. */
  unreadable: bool = false;
  private list: Pairs = changetype<Pairs>(0);
  private only: bool = false;

  constructor(
    private all: ArrayBuffer,
    private first: ArrayBuffer,
  ) {}

  /** The SDK's. To the front of the names of the running stream. */
  begin(): PeerNames {
    this.list = changetype<Pairs>(0);
    this.only = false;
    this.unreadable = false;
    if (ask(this.all) == OK) {
      this.list = Pairs.read(load<usize>(out), load<i32>(out, 4));
      return this;
    }
    const status = ask(this.first);
    this.only = status == OK && load<i32>(out, 4) > 0;
    if (this.only) this.name = Bytes.of(load<usize>(out), load<i32>(out, 4));
    this.unreadable = status != OK && status != NOT_FOUND;
    return this;
  }

  next(): bool {
    const list = this.list;
    if (changetype<usize>(list) != 0) {
      const found = list.next();
      if (found) this.name = list.name;
      return found;
    }
    const only = this.only;
    this.only = false;
    return only;
  }
}

function ask(path: ArrayBuffer): i32 {
  return proxy_get_property(changetype<usize>(path), path.byteLength, out, out + 4);
}

const uris = new PeerNames(
  propertyPath('connection.uri_sans_peer_certificate'),
  propertyPath('connection.uri_san_peer_certificate'),
);
const hosts = new PeerNames(
  propertyPath('connection.dns_sans_peer_certificate'),
  propertyPath('connection.dns_san_peer_certificate'),
);

/** Such as SPIFFE ids. */
export function uriNames(): PeerNames {
  return uris.begin();
}

/** Names of hosts. */
export function dnsNames(): PeerNames {
  return hosts.begin();
}
