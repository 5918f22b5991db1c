import { consumerOf } from './consumer-attributes.ts';
import type { Stream } from './stream.ts';

/** Counts a stream that is over, and logs it. */
export function reportStream(stream: Stream): void {
  const { live } = stream;
  live.requestMetrics.record(
    stream.rule,
    stream.clusterIndex,
    stream.status,
    stream.flags,
    stream.endedAt - stream.startedAt,
    stream.bytesReceived,
    stream.bytesSent,
  );
  live.consumerMetrics?.record(consumerOf(stream), stream.status);
  if (live.logs) log(stream);
}

function log(stream: Stream): void {
  const { live, record } = stream;
  record.startMs = performance.timeOrigin + stream.startedAt;
  record.durationMs = stream.endedAt - stream.startedAt;
  record.protocol = stream.minorVersion === 1 ? 'HTTP/1.1' : 'HTTP/1.0';
  record.status = stream.status;
  record.flags = stream.flags;
  record.details = stream.details || (stream.attempts > 0 ? 'via_upstream' : '');
  record.bytesReceived = stream.bytesReceived;
  record.bytesSent = stream.bytesSent;
  record.attempts = stream.attempts;
  if (stream.answerAt > 0) record.upstreamServiceMs = stream.answerAt - stream.attemptAt;
  record.upstreamHost = stream.endpoint?.text ?? '';
  record.upstreamCluster = stream.cluster?.spec.name ?? '';
  record.routeName = stream.rule < 0 ? '' : live.rules[stream.rule]!.spec.name;
  record.consumer = consumerOf(stream);
  record.downstreamAddress = stream.connection.remoteText;
  record.version = live.snapshot.version;
  record.more = live.logFields.json(stream);
  stream.worker.accessLog(live.snapshot.accessLog.path).write(record);
  record.reset();
}
