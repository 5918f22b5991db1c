// What most filters use. The callbacks themselves are handed on from `./exports`; what has state of its own
// is imported from its own file, so that a filter without it is smaller: `./config`, `./json`, `./limits`,
// `./metrics`, `./template`.
export { Action, CloseType, LogLevel } from './abi';
export { Bytes, encode, isToken, lower, utf8, view } from './bytes';
export { ByteWriter } from './writer';
export {
  RootContext,
  StreamContext,
  closeConnection,
  finishRoot,
  resetStream,
  resumeDownstream,
  actAs,
  resumeRequest,
  resumeResponse,
  resumeUpstream,
} from './context';
export { registerRoot } from './context-table';
export { setTickPeriod } from './ticks';
export {
  HeaderMap,
  requestHeader,
  requestHeaders,
  requestTrailers,
  responseHeader,
  responseHeaders,
  responseTrailers,
} from './headers';
export { Pairs, PairsWriter } from './pairs';
export { Body, downstreamData, requestBody, responseBody, upstreamData } from './body';
export { Reply, replyWith } from './reply';
export {
  booleanProperty,
  floatProperty,
  integerProperty,
  property,
  propertyPath,
  setProperty,
} from './properties';
export { CallResponse, httpCall } from './calls';
export {
  compareAndSetShared,
  dequeue,
  enqueue,
  getShared,
  registerQueue,
  resolveQueue,
  sharedVersion,
} from './shared';
export { LimitDecision } from './limit-decision';
export { log, logDebug, logError, logInfo, logs, logWarn, now } from './log';
