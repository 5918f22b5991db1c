import { expect, test } from 'vitest';
import { ResponseFlag, responseFlagsText } from '../../src/runtime/response-flags.ts';

test.each([
  // Envoy, "Access logging", RESPONSE_FLAGS
  [ResponseFlag.NoHealthyUpstream, 'UH'],
  [ResponseFlag.UpstreamConnectionFailure, 'UF'],
  [ResponseFlag.UpstreamOverflow, 'UO'],
  [ResponseFlag.NoRouteFound, 'NR'],
  [ResponseFlag.UpstreamRetryLimitExceeded, 'URX'],
  [ResponseFlag.NoClusterFound, 'NC'],
  [ResponseFlag.DurationTimeout, 'DT'],
  [ResponseFlag.DownstreamConnectionTermination, 'DC'],
  [ResponseFlag.FailedLocalHealthCheck, 'LH'],
  [ResponseFlag.UpstreamRequestTimeout, 'UT'],
  [ResponseFlag.LocalReset, 'LR'],
  [ResponseFlag.UpstreamRemoteReset, 'UR'],
  [ResponseFlag.UpstreamConnectionTermination, 'UC'],
  [ResponseFlag.RateLimited, 'RL'],
  [ResponseFlag.Unauthorized, 'UAEX'],
  [ResponseFlag.StreamIdleTimeout, 'SI'],
  [ResponseFlag.DownstreamProtocolError, 'DPE'],
  [ResponseFlag.UpstreamProtocolError, 'UPE'],
  [ResponseFlag.OverloadManager, 'OM'],
  [ResponseFlag.DnsResolutionFailed, 'DF'],
])('flag %i is %s', (flag, text) => {
  expect(responseFlagsText(flag)).toBe(text);
});

test('no flag is a dash, several are joined by commas, and every flag has a text', () => {
  expect(responseFlagsText(0)).toBe('-');
  expect(
    responseFlagsText(ResponseFlag.UpstreamConnectionFailure | ResponseFlag.UpstreamRetryLimitExceeded),
  ).toBe('UF,URX');
  expect(Object.values(ResponseFlag).filter((flag) => responseFlagsText(flag) === '')).toEqual([]);
});
