import { constants } from 'node:http2';

/** @see https://github.com/grpc/grpc/blob/master/doc/statuscodes.md */
export const GrpcStatus = {
  Ok: 0,
  Cancelled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
} as const;
export type GrpcStatus = (typeof GrpcStatus)[keyof typeof GrpcStatus];

/** For an answer that is not gRPC (grpc/doc/http-grpc-status-mapping.md). */
export function statusOfHttp(status: number): GrpcStatus {
  switch (status) {
    case 400:
      return GrpcStatus.Internal;
    case 401:
      return GrpcStatus.Unauthenticated;
    case 403:
      return GrpcStatus.PermissionDenied;
    case 404:
      return GrpcStatus.Unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return GrpcStatus.Unavailable;
    default:
      return GrpcStatus.Unknown;
  }
}

/** For a stream that the server reset (grpc/doc/PROTOCOL-HTTP2.md, "Errors"). */
export function statusOfReset(code: number): GrpcStatus {
  switch (code) {
    case constants.NGHTTP2_REFUSED_STREAM:
      return GrpcStatus.Unavailable;
    case constants.NGHTTP2_CANCEL:
      return GrpcStatus.Cancelled;
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
      return GrpcStatus.ResourceExhausted;
    case constants.NGHTTP2_INADEQUATE_SECURITY:
      return GrpcStatus.PermissionDenied;
    case constants.NGHTTP2_STREAM_CLOSED:
    case constants.NGHTTP2_HTTP_1_1_REQUIRED:
      return GrpcStatus.Unknown;
    default:
      return GrpcStatus.Internal;
  }
}

/** A `grpc-status` field; what is no number from 0 to 16 is Unknown. */
export function readStatus(text: string | undefined): GrpcStatus {
  if (text === undefined || !/^(?:[0-9]|1[0-6])$/.test(text)) return GrpcStatus.Unknown;
  return Number(text) as GrpcStatus;
}

/** A `grpc-message` field: UTF-8 with percent-encoding; what is not well encoded stays as it is. */
export function readMessage(text: string | undefined): string {
  if (text === undefined || text === '') return '';
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const code = /^%[0-9a-fA-F]{2}/.test(text.slice(i, i + 3))
      ? Number.parseInt(text.slice(i + 1, i + 3), 16)
      : -1;
    if (code >= 0) i += 2;
    bytes.push(code >= 0 ? code : text.charCodeAt(i));
  }
  return Buffer.from(bytes).toString('utf8');
}
