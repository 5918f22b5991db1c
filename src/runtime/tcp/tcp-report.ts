import { AccessRecord } from '../access-record.ts';
import type { TcpStream } from './tcp-stream.ts';

/** A line is written before the next stream fills it. */
const record = new AccessRecord();
record.protocol = '';

/** Logs a TCP stream that is over; counting it is done along its way. */
export function reportTcpStream(stream: TcpStream): void {
  const { live } = stream;
  if (!live.logs) return;
  record.startMs = performance.timeOrigin + stream.startedAt;
  record.durationMs = stream.endedAt - stream.startedAt;
  record.flags = stream.flags;
  record.details = stream.reason;
  record.bytesReceived = stream.bytesReceived;
  record.bytesSent = stream.bytesSent;
  record.attempts = stream.attempts;
  if (stream.connected) record.upstreamServiceMs = stream.connectedAt - stream.attemptAt;
  record.upstreamHost = stream.endpoint?.text ?? '';
  record.upstreamCluster = stream.cluster?.spec.name ?? '';
  record.routeName = stream.ruleSpec?.name ?? '';
  record.downstreamAddress = stream.connection.remoteText;
  record.version = live.snapshot.version;
  record.more = live.logFields.json(stream);
  stream.worker.accessLog(live.snapshot.accessLog.path).write(record);
  record.reset();
}
