import { describe, expect, test } from 'vitest';
import { HeaderBlock } from '../../src/runtime/http/headers.ts';
import { fillFilterReply } from '../../src/runtime/reply.ts';

function grpcReply(status: number, body: string, grpcStatus = -1): Record<string, string> {
  const answer = new HeaderBlock();
  const reply = { status, grpcStatus, details: '', headers: [], body: Buffer.from(body) };
  fillFilterReply(answer, reply, true);
  return Object.fromEntries(answer.entries());
}

describe("a filter's reply to a gRPC request", () => {
  // gRPC, doc/http-grpc-status-mapping.md
  test.each([
    [400, '13'],
    [401, '16'],
    [403, '7'],
    [404, '12'],
    [429, '14'],
    [502, '14'],
    [503, '14'],
    [504, '14'],
    [418, '2'],
  ])('has the gRPC status that HTTP %i stands for', (status, code) => {
    expect(grpcReply(status, 'no')['grpc-status']).toBe(code);
  });

  test('has the gRPC status that the filter gave, where it gave one', () => {
    expect(grpcReply(403, 'no', 10)['grpc-status']).toBe('10');
  });

  // gRPC over HTTP/2, "Responses": Percent-Byte-Unencoded is space and VCHAR, except %
  test('has its text as the message, encoded as little as can be', () => {
    expect(grpcReply(503, 'no, not 100% "sûr"\n')['grpc-message']).toBe('no, not 100%25 "s%C3%BBr"%0A');
  });
});
