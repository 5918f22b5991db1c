import { exchange, type Answer } from './raw-client.ts';

export interface Page {
  readonly url: URL;
  readonly status: number;
  readonly text: string;
  header(name: string): string | undefined;
}

/** As much of a browser as logging in takes: cookies by host, redirects, forms. Hosts of `test` are behind one port. */
export class Browser {
  readonly #port: number;
  /** By host, by name. */
  readonly cookies = new Map<string, Map<string, string>>();

  constructor(port: number) {
    this.#port = port;
  }

  jar(host: string): Map<string, string> {
    let jar = this.cookies.get(host);
    if (jar === undefined) this.cookies.set(host, (jar = new Map()));
    return jar;
  }

  /** One request, without following where it leads. */
  async once(url: URL, fields: readonly string[] = ['Accept: text/html'], form?: string): Promise<Page> {
    const cookies = [...this.jar(url.host)].map(([name, value]) => `${name}=${value}`).join('; ');
    const head = [
      `${form === undefined ? 'GET' : 'POST'} ${url.pathname}${url.search} HTTP/1.1`,
      `Host: ${url.host}`,
      ...(cookies === '' ? [] : [`Cookie: ${cookies}`]),
      ...fields,
      ...(form === undefined
        ? []
        : ['Content-Type: application/x-www-form-urlencoded', `Content-Length: ${Buffer.byteLength(form)}`]),
      'Connection: close',
      '',
      form ?? '',
    ].join('\r\n');
    const port = url.hostname.endsWith('.test') ? this.#port : Number(url.port);
    const answer = await exchange({ port }, head);
    this.#keep(url, answer);
    return { url, status: answer.status, text: answer.text, header: (name) => answer.header(name) };
  }

  /** Goes where it is led, at most so often. */
  async open(address: string, form?: string): Promise<Page> {
    let page = await this.once(new URL(address), ['Accept: text/html'], form);
    for (let i = 0; i < 12 && page.status >= 300 && page.status < 400; i++)
      page = await this.once(new URL(page.header('location')!, page.url));
    return page;
  }

  /** Fills in the pages of the provider until they lead elsewhere. */
  async logIn(address: string, name: string): Promise<Page> {
    let page = await this.open(address);
    for (let i = 0; i < 4 && page.text.includes('<form'); i++) {
      const action = /action="([^"]+)"/.exec(page.text)![1]!;
      const prompt = /name="prompt" value="([^"]+)"/.exec(page.text)![1]!;
      const form = prompt === 'login' ? `prompt=login&login=${name}&password=any` : `prompt=${prompt}`;
      page = await this.open(new URL(action, page.url).href, form);
    }
    return page;
  }

  #keep(url: URL, answer: Answer): void {
    for (const [name, value] of answer.fields) {
      if (name.toLowerCase() !== 'set-cookie') continue;
      const [pair, ...attributes] = value.split(';').map((part) => part.trim());
      const equals = pair!.indexOf('=');
      const key = pair!.slice(0, equals);
      const isOver = attributes.some(
        (one) => /^max-age=0$/i.test(one) || /^expires=Thu, 01 Jan 1970/i.test(one),
      );
      if (isOver) this.jar(url.host).delete(key);
      else this.jar(url.host).set(key, pair!.slice(equals + 1));
    }
  }
}
