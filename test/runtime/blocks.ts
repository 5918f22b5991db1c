import { HeaderBlock, MessageKind } from '../../src/runtime/http/headers.ts';

type Fields = readonly (readonly [name: string, value: string])[];

/** A request's head as the reader leaves it. */
export function requestBlock(
  head: { method?: string; path?: string; authority?: string; scheme?: string },
  fields: Fields = [],
): HeaderBlock {
  const block = new HeaderBlock();
  block.reset(MessageKind.Request);
  const pseudo = [
    head.method ?? 'GET',
    head.path ?? '/',
    head.authority ?? 'example.com',
    head.scheme ?? 'http',
  ];
  for (const [i, text] of pseudo.entries()) setText(block, i, text);
  for (const [name, value] of fields) block.appendText(name, value);
  return block;
}

export function responseBlock(status: number, fields: Fields = []): HeaderBlock {
  const block = new HeaderBlock();
  block.reset(MessageKind.Response);
  setText(block, 0, String(status));
  for (const [name, value] of fields) block.appendText(name, value);
  return block;
}

function setText(block: HeaderBlock, index: number, text: string): void {
  const value = Buffer.from(text, 'latin1');
  block.setValue(index, value, 0, value.length);
}
