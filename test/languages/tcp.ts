/** What the test plugin does with connections of TCP, as a conversation with what must be seen of it. */
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { atEnd } from '../support/cleanup.ts';
import { RawClient } from '../support/raw-client.ts';
import { logsSince, type Subject } from './subject.ts';

/** Says what it hears, in angle brackets. */
export async function startParrot(): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (data) => socket.write(`<${data.toString()}>`));
    socket.on('end', () => socket.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

export interface Conversation {
  /** What the client heard. */
  readonly heard: readonly string[];
  readonly end: 'ended' | 'reset';
  readonly logs: readonly string[];
}

/** Says one thing after the other, each when what the other side says to the one before has come. */
export async function talk(
  subject: Subject,
  says: readonly string[],
  last: 'end' | 'deny',
): Promise<Conversation> {
  const logged = subject.logs().length;
  const client = await RawClient.connect({ port: subject.port('tcp') });
  const heard: string[] = [];
  for (const word of says) {
    await client.send(word);
    let answer = '';
    while (!answer.endsWith('!')) answer += (await client.source.some())!.toString();
    heard.push(answer);
  }
  if (last === 'deny') await client.send('deny');
  else client.end();
  const end = await client.closed();
  client.close();
  return { heard, end, logs: await logsSince(subject, logged, ['tcp closed', 'tcp done']) };
}

/** Says one thing, waits for what is heard of it (nothing: for the end), and hangs up. */
export async function talkOnce(
  subject: Subject,
  word: string,
  answer: string,
  awaits: readonly string[],
  place = 'tcp',
): Promise<Conversation> {
  const logged = subject.logs().length;
  const client = await RawClient.connect({ port: subject.port(place) });
  await client.send(word);
  let heard = '';
  while (heard.length < answer.length) heard += (await client.source.some())!.toString();
  if (answer !== '') client.end();
  const end = await client.closed();
  client.close();
  return { heard: [heard], end, logs: await logsSince(subject, logged, awaits) };
}
